"""Is this reward model any good: accuracy, calibration, groups, and what a ruler reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.data.schema import Preferences
from surefoot.errors import DataError
from surefoot.evaluation.clusters import Choice, clusters_of
from surefoot.evaluation.pairs.judgments import Judgments, judge
from surefoot.evaluation.pairs.lengths import LengthFindings, length_findings
from surefoot.evaluation.pairs.rulers import ruler_rewards
from surefoot.statistics import (
    SHARE,
    Calibration,
    Comparison,
    Estimate,
    Range,
    WorstGroup,
    brier,
    by_group,
    calibration,
    mean,
    paired_difference,
    worst_group,
)
from surefoot.statistics.estimate import SCHEMA_VERSION, fields_ready


@dataclass(frozen=True)
class EvaluationResult:
    """Figures of one model on one set of pairs."""

    name: str  #: of the data
    n: int  #: number of pairs
    human_ties: int  #: pairs with label 1/2, left out of accuracy
    model_ties: int  #: pairs on which the model ties, half right
    skipped: int  #: rows that reading the data left out
    clusters: str  #: what the intervals take as shared: `prompt`, `response` or `given`
    cluster_count: int  #: how many of these there are
    accuracy: Estimate  #: with the majority
    #: with a judgment drawn from each soft label; None where all labels are hard
    agreement: Estimate | None
    #: the highest agreement that any model could reach; None where labels are hard
    ceiling: Estimate | None
    log_loss: Estimate  #: in nats, all pairs
    brier: Estimate  #: expected squared error, all pairs
    calibration: Calibration  #: debiased error, the usual binned one, reliability table
    groups: dict[str, Estimate]  #: accuracy by the data's `group`
    sources: dict[str, Estimate]  #: the same by its `source`
    breakdowns: dict[str, dict[str, Estimate]]  #: accuracy by further groupings, by title
    #: the worst group (or source, where there are no groups), allowing for its being picked; None
    #: where the data has neither
    worst: WorstGroup | None
    rulers: dict[str, Estimate]  #: accuracy of content-blind rulers on the same pairs
    best_ruler: str  #: the most accurate of them
    #: the model's accuracy minus that ruler's, pair by pair. The ruler was picked on these pairs,
    #: which favours the ruler
    beyond_ruler: Comparison
    lengths: LengthFindings | None  #: what it has to do with length; None where none differ
    notes: tuple[str, ...] = ()  #: what a reader should know before believing the figures

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: every figure as an estimate, counts as numbers."""
        return {"schema_version": SCHEMA_VERSION, **fields_ready(self)}

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {self.n} pairs, {self.cluster_count} {self.clusters} clusters, "
            f"intervals cover {self.accuracy.covers}",
            f"  accuracy      {self.accuracy}",
            f"  best ruler    {self.rulers[self.best_ruler]} ({self.best_ruler})",
            f"  beyond it     {self.beyond_ruler}",
            f"  log-loss      {self.log_loss}",
            f"  calibration   {self.calibration.error:.4f} (debiased squared gap)",
        ]
        if self.worst is not None and self.worst.group is not None:
            lines.append(f"  worst group   {self.worst.value} ({self.worst.group})")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def evaluate_rewards(
    rewards: ArrayLike,
    preferences: Preferences,
    *,
    probabilities: ArrayLike | None = None,
    tie_tolerance: float = 0.0,
    clusters: Choice | ArrayLike = "auto",
    breakdowns: Mapping[str, Sequence[str | None]] | None = None,
    level: float = 0.95,
) -> EvaluationResult:
    """Measure rewards against preferences, every figure with its interval.

    Accuracy is against the majority label; a tie of the model counts half, and a human tie
    (label 1/2) is left out and counted. Log-loss, Brier score and calibration take every pair, with
    soft labels as they are. Weights of the data are not used: each pair counts once.

    Rewards (N, 2), probabilities (N,) and the tolerance are those of
    :func:`~surefoot.evaluation.pairs.judgments.judge`, clusters those of
    :func:`~surefoot.evaluation.clusters.clusters_of`. Breakdowns are further groupings of the N
    rows, by title (a suite's `breakdowns`, such as the style matrix of RM-Bench).

    Raises:
        DataError: no pairs, shapes that do not fit, or rewards that are not finite.
    """
    if not len(preferences):
        raise DataError(f"{preferences.name} has no pairs to evaluate on.")
    judged = judge(rewards, preferences, probabilities, tie_tolerance)
    shared = clusters_of(preferences, clusters)
    coverage: dict[str, Any] = {"level": level, "covers": shared.covers}
    rows = judged.decided
    right, ids = judged.correct[rows], shared.ids[rows]
    n = len(preferences)
    blind = ruler_rewards(preferences)

    def over_decided(names: Sequence[str | None]) -> dict[str, Estimate]:
        if len(names) != n:
            raise DataError(f"a breakdown names {len(names)} rows of {n}.")
        return by_group(right, [names[int(i)] for i in rows], ids, **coverage)

    groups, sources = preferences.strings("group"), preferences.strings("source")
    named = groups if preferences.has("group") else sources
    worst = worst_group(right, [named[int(i)] for i in rows], ids, **coverage)
    return EvaluationResult(
        name=preferences.name,
        n=n,
        human_ties=n - len(rows),
        model_ties=int((judged.vote == 0.5).sum()),
        skipped=len(preferences.faults),
        clusters=shared.kind,
        cluster_count=len(np.unique(shared.ids)),
        accuracy=mean(right, ids, **coverage),
        groups=over_decided(groups),
        sources=over_decided(sources),
        breakdowns={title: over_decided(names) for title, names in (breakdowns or {}).items()},
        worst=worst if len(worst.groups) > 1 else None,
        **_of_every_pair(judged, shared.ids, coverage),
        lengths=length_findings(judged, blind["longer"], shared.ids, coverage),
        **_against_rulers(right, blind, preferences, rows, ids, coverage),
    )


def _of_every_pair(judged: Judgments, ids: Ints, coverage: Mapping[str, Any]) -> dict[str, Any]:
    """Figures over all pairs, with soft labels as they are."""
    p, labels = judged.probabilities, judged.labels
    n, soft = len(p), bool((~np.isin(labels, (0.0, 0.5, 1.0))).any())

    def over(values: Floats, within: Range) -> Estimate:
        return mean(values, ids, within=within, **coverage)

    return {
        "agreement": over(judged.agreement, SHARE) if soft else None,
        "ceiling": over(np.maximum(labels, 1 - labels), Range(0.5, 1.0)) if soft else None,
        "log_loss": over(judged.loss(), Range.over_labels(judged.loss, n)),
        "brier": over(brier(p, labels), Range.over_labels(partial(brier, p), n)),
        "calibration": calibration(p, labels, ids, **coverage),
    }


def _against_rulers(
    right: Floats,
    blind: Mapping[str, Floats],
    preferences: Preferences,
    rows: Ints,
    ids: Ints,
    coverage: Mapping[str, Any],
) -> dict[str, Any]:
    """Accuracy of each ruler, the best one, the model's difference to it, and cautions."""
    rulers = {name: judge(measured, preferences).correct[rows] for name, measured in blind.items()}
    accuracies = {name: mean(one, ids, **coverage) for name, one in rulers.items()}
    contenders, first = list(rulers), rulers["first position"]
    notes: tuple[str, ...] = ()
    if len(first) and first.min() == first.max():
        contenders.remove("first position")
        notes = (
            "every label prefers the same position: a model that sees the order could read the "
            "answer off it, and the ruler `first position` says nothing here",
        )
    best = max(contenders, key=lambda name: accuracies[name].estimate or 0.0)
    return {
        "rulers": accuracies,
        "best_ruler": best,
        "beyond_ruler": paired_difference(right, rulers[best], ids, **coverage),
        "notes": notes,
    }
