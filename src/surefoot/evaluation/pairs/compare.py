"""Two models on the same pairs, or two methods over the same seeds and pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.data.schema import Preferences
from surefoot.errors import DataError
from surefoot.evaluation.clusters import Choice, Clusters, clusters_of
from surefoot.evaluation.pairs.judgments import Judgments, judge
from surefoot.evaluation.protocol import Floats
from surefoot.statistics import (
    Comparison,
    Estimate,
    Range,
    hierarchical,
    hierarchical_difference,
    holm,
    log_loss,
)
from surefoot.statistics.estimate import fields_ready

Rewards = npt.ArrayLike | Sequence[npt.ArrayLike]


@dataclass(frozen=True)
class ComparisonResult:
    """A model (or method) against a baseline on the same pairs."""

    name: str  #: of the data
    seeds: int  #: number of seeds; with one, the figures speak of two models, not of two methods
    first: Estimate  #: accuracy of each
    baseline: Estimate  #: accuracy of each
    accuracy: Comparison  #: difference of accuracy (positive: better than the baseline)
    log_loss: Comparison  #: difference of log-loss in nats (negative: better than the baseline)
    groups: dict[str, Comparison]  #: difference of accuracy by group and by source
    sources: dict[str, Comparison]  #: difference of accuracy by group and by source
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
    clusters: Choice | npt.ArrayLike = "auto",
    level: float = 0.95,
) -> ComparisonResult:
    """Paired differences between a model and a baseline, overall and by group.

    Args:
        rewards: shape (N, 2); or a list of S such arrays (or shape (S, N, 2)), one for each seed.
        baseline: the same for the baseline, with the same seeds in the same order.
        preferences: the N pairs.
        probabilities: P(a preferred), shape (N,) or one for each seed. None: Bradley-Terry.
        baseline_probabilities: the same for the baseline.
        tie_tolerance: a model ties where its rewards differ by no more than this.
        clusters: what pairs share (see :func:`~surefoot.evaluation.clusters.clusters_of`).
        level: nominal coverage.

    Returns:
        With several seeds intervals that cover seeds and items; with one, items only. Each
        comparison carries its minimum detectable difference.

    Raises:
        DataError: shapes that do not fit, or different numbers of seeds.
    """
    judged = _judged(rewards, probabilities, preferences, tie_tolerance)
    baselines = _judged(baseline, baseline_probabilities, preferences, tie_tolerance)
    if len(judged) != len(baselines):
        raise DataError(f"compare needs the same seeds; got {len(judged)} and {len(baselines)}.")
    shared = clusters_of(preferences, clusters)
    right = np.stack([j.correct for j in judged]), np.stack([j.correct for j in baselines])
    rows = np.flatnonzero(judged[0].decided)

    def difference(at: npt.NDArray[np.int64]) -> Comparison:
        a, b = right
        return hierarchical_difference(
            a[:, at], b[:, at], shared.ids[at], level, covers=shared.covers
        )

    def by(column: str) -> dict[str, Comparison]:
        names = np.array([n or "" for n in preferences.strings(column)], dtype=object)[rows]
        return {n: difference(rows[names == n]) for n in sorted(set(names) - {""})}

    groups, sources = by("group"), by("source")
    return ComparisonResult(
        name=preferences.name,
        seeds=len(judged),
        first=_accuracy(right[0], rows, shared, level),
        baseline=_accuracy(right[1], rows, shared, level),
        accuracy=difference(rows),
        log_loss=_loss_difference(judged, baselines, shared, level),
        groups=groups,
        sources=sources,
        adjusted=_adjusted(
            {f"group: {n}": c for n, c in groups.items()}
            | {f"source: {n}": c for n, c in sources.items()}
        ),
    )


def evaluate_over_seeds(
    rewards: Sequence[npt.ArrayLike],
    preferences: Preferences,
    *,
    probabilities: Sequence[npt.ArrayLike] | None = None,
    tie_tolerance: float = 0.0,
    clusters: Choice | npt.ArrayLike = "auto",
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Figures of a method, with intervals that cover seeds and items.

    Args: as for :func:`compare`, one array of rewards for each seed.

    Returns:
        `accuracy`, `log_loss`, then the accuracy of each `group: name` and `source: name`.
    """
    judged = _judged(rewards, probabilities, preferences, tie_tolerance)
    shared = clusters_of(preferences, clusters)
    right = np.stack([j.correct for j in judged])
    rows = np.flatnonzero(judged[0].decided)
    estimates = {
        "accuracy": _accuracy(right, rows, shared, level),
        "log_loss": hierarchical(
            _losses(judged), shared.ids, level, shared.covers, list(map(_range_of_loss, judged))
        ),
    }
    for column in ("group", "source"):
        names = np.array([n or "" for n in preferences.strings(column)], dtype=object)[rows]
        for name in sorted(set(names) - {""}):
            estimates[f"{column}: {name}"] = _accuracy(right, rows[names == name], shared, level)
    return estimates


def holm_over_suites(results: Mapping[str, ComparisonResult]) -> dict[str, float]:
    """P-values of the accuracy differences of several suites, Holm-adjusted, by suite.

    Suites without a test (too few clusters or seeds) are absent.
    """
    return _adjusted({name: result.accuracy for name, result in results.items()})


def _adjusted(comparisons: Mapping[str, Comparison]) -> dict[str, float]:
    tested = {name: c.p_value for name, c in comparisons.items() if c.p_value is not None}
    return dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))


def _judged(
    rewards: Rewards, probabilities: Rewards | None, preferences: Preferences, tolerance: float
) -> list[Judgments]:
    scores = _by_seed(rewards, 2)
    chances = [None] * len(scores) if probabilities is None else _by_seed(probabilities, 1)
    if len(chances) != len(scores):
        raise DataError(f"probabilities are of {len(chances)} seeds, rewards of {len(scores)}.")
    return [judge(r, preferences, p, tolerance) for r, p in zip(scores, chances, strict=True)]


def _by_seed(rewards: Rewards, dimensions: int) -> list[npt.ArrayLike]:
    """One array for each seed, from one array or several."""
    arrays = [rewards] if np.ndim(rewards) == dimensions else list(rewards)  # type: ignore[arg-type]
    return [np.asarray(a, dtype=np.float64) for a in arrays]


def _losses(judged: list[Judgments]) -> Floats:
    return np.stack([log_loss(j.probabilities, j.labels) for j in judged])


def _range_of_loss(judged: Judgments) -> Range:
    p = judged.probabilities
    return Range.over_labels(lambda y: log_loss(p, y), len(p))


def _loss_difference(
    ours: list[Judgments], theirs: list[Judgments], shared: Clusters, level: float
) -> Comparison:
    def range_of(a: Judgments, b: Judgments) -> Range:
        p, q = a.probabilities, b.probabilities
        return Range.over_labels(lambda y: log_loss(p, y) - log_loss(q, y), len(p))

    return hierarchical_difference(
        _losses(ours),
        _losses(theirs),
        shared.ids,
        level,
        shared.covers,
        [range_of(a, b) for a, b in zip(ours, theirs, strict=True)],
    )


def _accuracy(
    right: Floats, rows: npt.NDArray[np.int64], shared: Clusters, level: float
) -> Estimate:
    return hierarchical(right[:, rows], shared.ids[rows], level, covers=shared.covers)
