"""Two models on the same pairs, or two methods over the same seeds and pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.arrays import ArrayLike, Ints
from surefoot.data.schema import Preferences
from surefoot.errors import DataError
from surefoot.evaluation.clusters import Choice, clusters_of
from surefoot.evaluation.pairs.judgments import Judgments, judge
from surefoot.statistics import (
    Comparison,
    Estimate,
    Range,
    hierarchical,
    hierarchical_difference,
    holm,
)
from surefoot.statistics.estimate import fields_ready

Rewards = ArrayLike | Sequence[ArrayLike]
Rows = Ints


@dataclass(frozen=True)
class ComparisonResult:
    """A model (or method) against a baseline on the same pairs."""

    name: str  #: of the data
    seeds: int  #: number of seeds; with one, the figures speak of two models, not of two methods
    first: Estimate  #: its accuracy
    baseline: Estimate  #: the baseline's
    accuracy: Comparison  #: difference of accuracy (positive: better than the baseline)
    log_loss: Comparison  #: difference of log-loss in nats (negative: better than the baseline)
    groups: dict[str, Comparison]  #: difference of accuracy by group
    sources: dict[str, Comparison]  #: the same by source
    #: Holm-adjusted p-values over all groups and sources with a test, by `group: name` or `source:
    #: name`
    adjusted: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return fields_ready(self, "adjusted") | {"adjusted_p_values": self.adjusted}

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.first} against {self.baseline}\n"
            f"  difference {self.accuracy}; covers {self.accuracy.difference.covers}"
        )


def compare(
    rewards: Rewards,
    baseline: Rewards,
    preferences: Preferences,
    *,
    probabilities: Rewards | None = None,
    baseline_probabilities: Rewards | None = None,
    tie_tolerance: float = 0.0,
    clusters: Choice | ArrayLike = "auto",
    level: float = 0.95,
) -> ComparisonResult:
    """Paired differences between a model and a baseline, overall and by group.

    Arguments are those of :func:`~surefoot.evaluation.pairs.metrics.evaluate_rewards`. For methods
    there is one array of rewards, shape (N, 2), and of probabilities, shape (N,), for each of S
    seeds: the same seeds in the same order on both sides.

    Returns:
        With several seeds intervals that cover seeds and items; with one, items only. Each
        comparison carries its minimum detectable difference.

    Raises:
        DataError: shapes that do not fit, or different numbers of seeds.
    """
    ours = _judged(rewards, probabilities, preferences, tie_tolerance)
    theirs = _judged(baseline, baseline_probabilities, preferences, tie_tolerance)
    if len(ours) != len(theirs):
        raise DataError(f"compare needs the same seeds; got {len(ours)} and {len(theirs)}.")
    shared = clusters_of(preferences, clusters)
    coverage: dict[str, Any] = {"level": level, "covers": shared.covers}
    first, second = (np.stack([j.correct for j in side]) for side in (ours, theirs))
    rows = ours[0].decided

    def difference(at: Rows) -> Comparison:
        return hierarchical_difference(first[:, at], second[:, at], shared.ids[at], **coverage)

    def range_of(a: Judgments, b: Judgments) -> Range:
        return Range.over_labels(lambda y: a.loss(y) - b.loss(y), len(preferences))

    parts = _parts(preferences, rows)
    tested = {name: difference(at) for name, at in parts.items()}
    return ComparisonResult(
        name=preferences.name,
        seeds=len(ours),
        first=hierarchical(first[:, rows], shared.ids[rows], **coverage),
        baseline=hierarchical(second[:, rows], shared.ids[rows], **coverage),
        accuracy=difference(rows),
        log_loss=hierarchical_difference(
            [j.loss() for j in ours],
            [j.loss() for j in theirs],
            shared.ids,
            within=list(map(range_of, ours, theirs)),
            **coverage,
        ),
        groups=_under("group: ", tested),
        sources=_under("source: ", tested),
        adjusted=_adjusted(tested),
    )


def evaluate_over_seeds(
    rewards: Sequence[ArrayLike],
    preferences: Preferences,
    *,
    probabilities: Sequence[ArrayLike] | None = None,
    tie_tolerance: float = 0.0,
    clusters: Choice | ArrayLike = "auto",
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Figures of a method, with intervals that cover seeds and items.

    Arguments are those of :func:`compare`, one array of rewards for each seed.

    Returns:
        `accuracy`, `log_loss`, then the accuracy of each `group: name` and `source: name`.
    """
    judged = _judged(rewards, probabilities, preferences, tie_tolerance)
    shared = clusters_of(preferences, clusters)
    coverage: dict[str, Any] = {"level": level, "covers": shared.covers}
    right = np.stack([j.correct for j in judged])
    rows = judged[0].decided

    def accuracy(at: Rows) -> Estimate:
        return hierarchical(right[:, at], shared.ids[at], **coverage)

    within = [Range.over_labels(j.loss, len(preferences)) for j in judged]
    loss = hierarchical([j.loss() for j in judged], shared.ids, within=within, **coverage)
    parts = _parts(preferences, rows)
    return {
        "accuracy": accuracy(rows),
        "log_loss": loss,
        **{name: accuracy(at) for name, at in parts.items()},
    }


def holm_over_suites(results: Mapping[str, ComparisonResult]) -> dict[str, float]:
    """P-values of the accuracy differences of several suites, Holm-adjusted, by suite.

    Suites without a test (too few clusters or seeds) are absent.
    """
    return _adjusted({name: result.accuracy for name, result in results.items()})


def _adjusted(comparisons: Mapping[str, Comparison]) -> dict[str, float]:
    tested = {name: c.p_value for name, c in comparisons.items() if c.p_value is not None}
    return dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))


def _parts(preferences: Preferences, rows: Rows) -> dict[str, Rows]:
    """Of some rows those of each `group: name` and `source: name`."""
    found: dict[str, Rows] = {}
    for column in ("group", "source"):
        names = np.array([n or "" for n in preferences.strings(column)], dtype=object)[rows]
        found |= {f"{column}: {n}": rows[names == n] for n in sorted(set(names) - {""})}
    return found


def _under(start: str, tested: Mapping[str, Comparison]) -> dict[str, Comparison]:
    return {name.removeprefix(start): c for name, c in tested.items() if name.startswith(start)}


def _judged(
    rewards: Rewards, probabilities: Rewards | None, preferences: Preferences, tolerance: float
) -> list[Judgments]:
    scores = _by_seed(rewards, 2)
    chances = [None] * len(scores) if probabilities is None else _by_seed(probabilities, 1)
    if len(chances) != len(scores):
        raise DataError(f"probabilities are of {len(chances)} seeds, rewards of {len(scores)}.")
    return [judge(r, preferences, p, tolerance) for r, p in zip(scores, chances, strict=True)]


def _by_seed(rewards: Rewards, dimensions: int) -> list[ArrayLike]:
    """One array for each seed, from one array or several."""
    arrays = [rewards] if np.ndim(rewards) == dimensions else list(rewards)  # type: ignore[arg-type]
    return [np.asarray(a, dtype=np.float64) for a in arrays]
