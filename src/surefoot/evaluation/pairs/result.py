"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from surefoot.statistics import Calibration, Comparison, Estimate, WorstGroup

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class EvaluationResult:
    """Figures of one model on one set of pairs.

    Attributes:
        name: of the data.
        n: number of pairs.
        human_ties: pairs with label 1/2, left out of accuracy.
        model_ties: pairs on which the model ties, half right.
        skipped: rows that reading the data left out.
        clusters: what the intervals take as shared: `prompt`, `response` or `given`.
        cluster_count: how many of these there are.
        accuracy: with the majority.
        agreement: with a judgment drawn from each soft label; None where all labels are hard.
        ceiling: the highest agreement that any model could reach; None where labels are hard.
        log_loss: in nats, all pairs.
        brier: expected squared error, all pairs.
        calibration: debiased error, the usual binned one, reliability table.
        groups, sources: accuracy by the data's `group` and `source`.
        breakdowns: accuracy by further groupings, by title.
        worst: the worst group (or source, where there are no groups), allowing for its being
            picked; None where the data has neither.
        rulers: accuracy of content-blind rulers on the same pairs.
        best_ruler: the most accurate of them.
        beyond_ruler: the model's accuracy minus that ruler's, pair by pair. The ruler was picked
            on these pairs, which favours the ruler.
        notes: what a reader should know before believing the figures.
    """

    name: str
    n: int
    human_ties: int
    model_ties: int
    skipped: int
    clusters: str
    cluster_count: int
    accuracy: Estimate
    agreement: Estimate | None
    ceiling: Estimate | None
    log_loss: Estimate
    brier: Estimate
    calibration: Calibration
    groups: dict[str, Estimate]
    sources: dict[str, Estimate]
    breakdowns: dict[str, dict[str, Estimate]]
    worst: WorstGroup | None
    rulers: dict[str, Estimate]
    best_ruler: str
    beyond_ruler: Comparison
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: every figure as an estimate, counts as numbers."""
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "n": self.n,
            "human_ties": self.human_ties,
            "model_ties": self.model_ties,
            "skipped": self.skipped,
            "clusters": self.clusters,
            "cluster_count": self.cluster_count,
            "accuracy": self.accuracy.to_dict(),
            "agreement": _optional(self.agreement),
            "ceiling": _optional(self.ceiling),
            "log_loss": self.log_loss.to_dict(),
            "brier": self.brier.to_dict(),
            "calibration": self.calibration.to_dict(),
            "groups": _dicts(self.groups),
            "sources": _dicts(self.sources),
            "breakdowns": {title: _dicts(cells) for title, cells in self.breakdowns.items()},
            "worst": _optional(self.worst),
            "rulers": _dicts(self.rulers),
            "best_ruler": self.best_ruler,
            "beyond_ruler": self.beyond_ruler.to_dict(),
            "notes": list(self.notes),
        }

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


def _optional(found: Estimate | WorstGroup | None) -> dict[str, Any] | None:
    return None if found is None else found.to_dict()


def _dicts(found: dict[str, Estimate]) -> dict[str, Any]:
    return {name: estimate.to_dict() for name, estimate in found.items()}
