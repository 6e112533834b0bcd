"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from surefoot.statistics import Calibration, Comparison, Estimate, WorstGroup
from surefoot.statistics.estimate import fields_ready

SCHEMA_VERSION = 1


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
