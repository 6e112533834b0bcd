"""Best-of-n by reward models: their curves on one set of samples, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.evaluation.pairs.result import SCHEMA_VERSION
from surefoot.evaluation.policies.overoptimisation import Curve, best_of_n_curve, compare_curves
from surefoot.evaluation.policies.overoptimisation_verdict import verdict
from surefoot.evaluation.policies.samples import Samples, sampled_rewards
from surefoot.evaluation.policies.value_verdict import Verdict
from surefoot.evaluation.protocol import Floats
from surefoot.scorers import TrainedScorer
from surefoot.statistics import Comparison


@dataclass(frozen=True)
class BestOfN:
    """What choosing by a reward model finds.

    Attributes:
        curves: by the name of the model, the one that it is about first, then the baseline.
        compared: its gold reward less the baseline's, for each n; None without one.
        gold: what stands in for the gold reward; None: the data's own.
        cautions: what a reader should know before believing it.
    """

    curves: Mapping[str, Curve]
    compared: Sequence[Comparison] | None = None
    gold: str | None = None
    cautions: tuple[str, ...] = ()

    @property
    def ours(self) -> Curve:
        """The curve that it is about."""
        return next(iter(self.curves.values()))

    @property
    def verdict(self) -> Verdict:
        """What that curve says."""
        return verdict(self.ours)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        model, *others = self.curves
        said = self.verdict
        content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "model": model,
            "baseline": others[0] if others else None,
            "gold": self.gold or "column",
            "best_of_n": self.ours.to_dict()
            | {"verdict": said.sentence, "points": list(said.points)},
        }
        if self.compared:
            content["baseline_best_of_n"] = self.curves[others[0]].to_dict()
            content["gold_less_baseline"] = [one.to_dict() for one in self.compared]
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
        DataError: as :func:`~surefoot.evaluation.policies.overoptimisation.best_of_n_curve`.
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
