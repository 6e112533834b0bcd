"""Is this reward model any good: accuracy, calibration, groups, and what a ruler reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from surefoot.data.schema import Preferences
from surefoot.errors import DataError
from surefoot.evaluation.clusters import Choice, Clusters, clusters_of
from surefoot.evaluation.pairs.judgments import Judgments, judge
from surefoot.evaluation.pairs.result import EvaluationResult
from surefoot.evaluation.pairs.rulers import ruler_rewards
from surefoot.evaluation.protocol import Floats
from surefoot.statistics import (
    SHARE,
    Comparison,
    Estimate,
    Range,
    brier,
    by_group,
    calibration,
    log_loss,
    mean,
    paired_difference,
    worst_group,
)


def evaluate_rewards(
    rewards: npt.ArrayLike,
    preferences: Preferences,
    *,
    probabilities: npt.ArrayLike | None = None,
    tie_tolerance: float = 0.0,
    clusters: Choice | npt.ArrayLike = "auto",
    breakdowns: Mapping[str, Sequence[str | None]] | None = None,
    level: float = 0.95,
) -> EvaluationResult:
    """Measure rewards against preferences, every figure with its interval.

    Accuracy is against the majority label; a tie of the model counts half, and a human tie
    (label 1/2) is left out and counted. Log-loss, Brier score and calibration take every pair, with
    soft labels as they are. Weights of the data are not used: each pair counts once.

    Args:
        rewards: of responses a and b, shape (N, 2).
        preferences: the N pairs.
        probabilities: P(a preferred), shape (N,). None: Bradley-Terry from the rewards.
        tie_tolerance: the model ties where its rewards differ by no more than this.
        clusters: what pairs share (see :func:`~surefoot.evaluation.clusters.clusters_of`).
        breakdowns: further groupings of the rows, by title, each of length N (a suite's
            `breakdowns`, such as the style matrix of RM-Bench).
        level: nominal coverage.

    Raises:
        DataError: no pairs, shapes that do not fit, or rewards that are not finite.
    """
    if not len(preferences):
        raise DataError(f"{preferences.name} has no pairs to evaluate on.")
    judged = judge(rewards, preferences, probabilities, tie_tolerance)
    shared = clusters_of(preferences, clusters)
    groups, sources = preferences.strings("group"), preferences.strings("source")
    rulers, best, beyond, notes = _against_rulers(judged, preferences, shared, level)
    named = groups if preferences.has("group") else sources
    rows = np.flatnonzero(judged.decided)

    def over_decided(names: Sequence[str | None]) -> dict[str, Estimate]:
        if len(names) != len(preferences):
            raise DataError(f"a breakdown names {len(names)} rows of {len(preferences)}.")
        chosen = [names[int(i)] for i in rows]
        return by_group(judged.correct[rows], chosen, shared.ids[rows], level, shared.covers)

    worst = worst_group(
        judged.correct[rows], [named[int(i)] for i in rows], shared.ids[rows], level, shared.covers
    )
    soft = bool((~np.isin(judged.labels, (0.0, 0.5, 1.0))).any())
    ceiling = np.maximum(judged.labels, 1 - judged.labels)
    return EvaluationResult(
        name=preferences.name,
        n=len(preferences),
        human_ties=int((~judged.decided).sum()),
        model_ties=int((judged.vote == 0.5).sum()),
        skipped=len(preferences.faults),
        clusters=shared.kind,
        cluster_count=len(np.unique(shared.ids)),
        accuracy=accuracy(judged, shared, level),
        agreement=_mean(judged.agreement, shared, level, SHARE) if soft else None,
        ceiling=_mean(ceiling, shared, level, Range(0.5, 1.0)) if soft else None,
        log_loss=_score(log_loss, judged, shared, level),
        brier=_score(brier, judged, shared, level),
        calibration=calibration(
            judged.probabilities, judged.labels, shared.ids, level=level, covers=shared.covers
        ),
        groups=over_decided(groups),
        sources=over_decided(sources),
        breakdowns={title: over_decided(names) for title, names in (breakdowns or {}).items()},
        worst=worst if len(worst.groups) > 1 else None,
        rulers=rulers,
        best_ruler=best,
        beyond_ruler=beyond,
        notes=notes,
    )


def accuracy(judged: Judgments, shared: Clusters, level: float = 0.95) -> Estimate:
    """Accuracy over the pairs that are not human ties."""
    rows = judged.decided
    return mean(judged.correct[rows], shared.ids[rows], level=level, covers=shared.covers)


def _mean(values: Floats, shared: Clusters, level: float, within: Range) -> Estimate:
    return mean(values, shared.ids, None, level, shared.covers, within)


def _score(
    score: Callable[[Floats, Floats], Floats], judged: Judgments, shared: Clusters, level: float
) -> Estimate:
    """Mean of a score, whose range in each pair is that of both labels it could have had."""
    p = judged.probabilities
    return _mean(
        score(p, judged.labels), shared, level, Range.over_labels(partial(score, p), len(p))
    )


def _against_rulers(
    judged: Judgments, preferences: Preferences, shared: Clusters, level: float
) -> tuple[dict[str, Estimate], str, Comparison, tuple[str, ...]]:
    """Accuracy of each ruler, the best one, the model's difference to it, and cautions."""
    rows = judged.decided
    correct = {
        name: judge(rewards, preferences).correct[rows]
        for name, rewards in ruler_rewards(preferences).items()
    }
    accuracies = {
        name: mean(right, shared.ids[rows], level=level, covers=shared.covers)
        for name, right in correct.items()
    }
    notes: list[str] = []
    contenders = list(accuracies)
    first = correct["first position"]
    if len(first) and first.min() == first.max():
        notes.append(
            "every label prefers the same position: a model that sees the order could read the "
            "answer off it, and the ruler `first position` says nothing here"
        )
        contenders.remove("first position")
    best = max(contenders, key=lambda name: accuracies[name].estimate or 0.0)
    beyond = paired_difference(
        judged.correct[rows], correct[best], shared.ids[rows], level=level, covers=shared.covers
    )
    return accuracies, best, beyond, tuple(notes)
