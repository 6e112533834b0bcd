"""Best-of-n by reward models: their curves on one set of samples, and what these say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.arrays import Floats
from surefoot.evaluation.policies.logged import Tone, ValueVerdict
from surefoot.evaluation.policies.overoptimisation.curve import (
    Curve,
    best_of_n_curve,
    compare_curves,
)
from surefoot.evaluation.policies.samples import Samples, sampled_rewards
from surefoot.scorers import TrainedScorer
from surefoot.statistics import Comparison
from surefoot.statistics.estimate import SCHEMA_VERSION, json_ready

#: Share of equal neighbours from which ties are named: KL is then a bound that is not tight.
_MANY_TIES = 0.05


@dataclass(frozen=True)
class BestOfN:
    """What choosing by a reward model finds."""

    #: by the name of the model, the one that it is about first, then the baseline
    curves: Mapping[str, Curve]
    #: its gold reward less the baseline's, for each n; None without one
    compared: Sequence[Comparison] | None = None
    gold: str | None = None  #: what stands in for the gold reward; None: the data's own
    cautions: tuple[str, ...] = ()  #: what a reader should know before believing it

    @property
    def ours(self) -> Curve:
        """The curve that it is about."""
        return next(iter(self.curves.values()))

    @property
    def verdict(self) -> ValueVerdict:
        """The sentence on the curve of the first model, and its cautions."""
        return verdict(self.ours)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        model, *others = self.curves
        content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "model": model,
            "baseline": others[0] if others else None,
            "gold": self.gold or "column",
            "best_of_n": self.ours.to_dict() | self.verdict.to_dict(),
        }
        if self.compared:
            content["baseline_best_of_n"] = self.curves[others[0]].to_dict()
            content["gold_less_baseline"] = json_ready(self.compared)
        return content


def choose_best(
    models: Mapping[str, Sequence[TrainedScorer]],
    samples: Samples,
    gold: Sequence[Floats],
    *,
    stand_in: str | None = None,
    source: str | None = None,
) -> BestOfN:
    """Proxy against gold along n, of one model and of a baseline where a second one is given.

    Args:
        models: by name, each one model or the seeds of a method.
        samples: the responses that are chosen from.
        gold: the rewards that are wanted, of the responses to each prompt.
        stand_in: the name of the model that they are of; None: the data's own.
        source: for models that know sources.

    Raises:
        DataError: as :func:`~surefoot.evaluation.policies.overoptimisation.curve.best_of_n_curve`.
    """
    curves = {
        name: best_of_n_curve([sampled_rewards(one, samples, source) for one in seeds], gold)
        for name, seeds in models.items()
    }
    cautions = []
    if stand_in is not None:
        cautions.append(
            f"{stand_in} stands in for the gold reward: where it errs as the model does, "
            "over-optimisation does not show. It should have other data and another base."
        )
    if samples.altered:
        cautions.append(
            f"{samples.place} was drawn with {samples.altered}: KL is the distance from the policy "
            "as sampled."
        )
    ours, *others = curves.values()
    compared = compare_curves(ours, others[0]) if others else None
    return BestOfN(curves, compared, stand_in, tuple(cautions))


def verdict(curve: Curve) -> ValueVerdict:
    """Whether choosing among more responses still finds more gold reward at the end of the fit."""
    last = curve.gold[-1]
    ends = f"best of {curve.n[-1]} gains {last} in gold reward over one response"
    points = tuple(_points(curve))
    if curve.law is None:
        sentence = f"{ends}; with fewer than eight responses to a prompt no law is fitted."
        return ValueVerdict("doubt", sentence[0].upper() + sentence[1:], points)
    slope, n = curve.law.slope, curve.n[curve.law.points]
    found: dict[int, tuple[Tone, str]] = {
        -1: ("bad", f"Over-optimised: at n = {n} the gold reward falls as the proxy's grows"),
        1: ("good", f"No over-optimisation up to n = {n}: the gold reward still grows there"),
        0: ("doubt", f"At n = {n} the gold reward neither grows nor falls for certain"),
    }
    tone, direction = found[slope.side(0.0)]
    return ValueVerdict(tone, f"{direction} (slope {slope}); {ends}.", points)


def _points(curve: Curve) -> list[str]:
    proxy, gold = curve.proxy[-1].estimate, curve.gold[-1].estimate
    points = []
    if proxy and gold is not None:
        points.append(
            f"Of {proxy:.2f} deviations that the proxy promises at n = {curve.n[-1]}, the gold "
            f"reward has {gold:.2f}."
        )
    if curve.law and curve.law.peak is not None:
        peak, last = curve.law.peak, curve.law.last
        inside = f"at d = {peak:.2f}; the fit ends at {last:.2f}"
        beyond = f"beyond the fit, which ends at d = {last:.2f}"
        points.append(f"The law has its peak {inside if peak <= last else beyond}.")
    if curve.most > curve.n[-1]:
        points.append(
            f"Prompts have {curve.n[-1]} to {curve.most} responses: the curve ends at the fewest."
        )
    if curve.tied > _MANY_TIES:
        points.append(
            f"{curve.tied:.0%} of neighbouring responses have the same proxy reward: KL is an "
            "upper bound."
        )
    return points
