"""The audit of a reward model: every diagnostic of reward models, judged together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from surefoot.auditing.diagnosis import ALPHA, Diagnosis, ask
from surefoot.auditing.diagnostic import Each
from surefoot.auditing.models.diagnostics import model_diagnostics
from surefoot.auditing.models.material import RewardMaterial, ScoredPreferences
from surefoot.auditing.preferences import Audit
from surefoot.errors import DataError
from surefoot.statistics.comparison import Comparison, paired_difference
from surefoot.statistics.estimate import Estimate, json_ready


@dataclass(frozen=True)
class SideBySide:
    """One figure of two models."""

    name: str  #: of the diagnosis
    unit: str
    first: Estimate  #: of the audited model
    second: Estimate  #: of the other one
    difference: Comparison | None  #: of the same values, first less second; None: it is no mean

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "unit": self.unit,
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "difference": None if self.difference is None else self.difference.to_dict(),
        }


@dataclass(frozen=True)
class ModelAudit(Audit):
    """What the diagnostics say of a reward model.

    Attributes:
        model: its name.
        other: name of the model that it is compared with; empty for none.
        beside: figures of both.
    """

    model: str = ""
    other: str = ""
    beside: tuple[SideBySide, ...] = ()
    subject: ClassVar[str] = "rewards"
    checked: ClassVar[bool] = False

    @property
    def verdict(self) -> str:
        """The audit in one sentence or two."""
        said = super().verdict
        order = next((d for d in self.diagnoses if d.diagnostic.name == "order"), None)
        if order is None or order.measurement.size.estimate is None:
            return said
        size = order.measurement.size
        low, high = (None if end is None else 1 - end for end in (size.high, size.low))
        right = replace(size, estimate=1 - order.measurement.size.estimate, low=low, high=high)
        return f"{said} {self.model} orders {right} of decided pairs as their labels do."

    @property
    def next_step(self) -> str:
        """What to do in the end, whatever was found."""
        if self.found:
            return "Answer what was found before a policy is trained on these rewards."
        return "Train on these rewards, and watch another reward model (`watch`)."

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "verdict": self.verdict,
            "model": self.model,
            "other": self.other,
            "error_rate": ALPHA,
            "diagnoses": json_ready(self.diagnoses),
            "lacking": list(self.lacking),
            "beside": [one.to_dict() for one in self.beside],
        }


def audit_model(
    material: ScoredPreferences,
    model: str = "the model",
    progress: Callable[[str], object] = lambda question: None,
) -> ModelAudit:
    """Ask every diagnostic of reward models.

    With chance .05 at most, over the whole audit, anything is found where nothing is beyond the
    size that matters.

    Args:
        material: the preferences, the model, and samples of a policy where there are some.
        model: its name.
        progress: called with what is asked next.

    Raises:
        DataError: there are no rows with a weight, or a reward is not finite.
        ConfigurationError: the model judges pairs, and has no reward of a response alone.
    """
    preferences = material.preferences
    if not (material.weights > 0).any():
        raise DataError(f"{preferences.name} has no rows to audit a model on.")
    if not np.isfinite(material.rewards).all():
        row = int(np.flatnonzero(~np.isfinite(material.rewards).all(1))[0])
        ((file, number),) = preferences.select([row]).read("file", "row")
        raise DataError(f"the reward of a response in {file}, row {number}, is not finite.")
    answers = ask(model_diagnostics().values(), material, progress)
    return ModelAudit(preferences.name, len(preferences), *answers, model=model)


def compared(first: ModelAudit, second: ModelAudit, material: RewardMaterial) -> ModelAudit:
    """The audit of the first model, with its figures beside those of a second.

    A difference is of the same values of both, such as whether a pair is ordered wrongly, with an
    error that allows for shared prompts.

    Args:
        first: the audit that is extended.
        second: of another model on the same preferences.
        material: of either, for prompts and weights.
    """
    others = {one.name: one for one in second.diagnoses}
    both = [(one, others[one.name]) for one in first.diagnoses if one.name in others]
    beside = tuple(
        SideBySide(
            one.name,
            one.diagnostic.unit,
            one.measurement.size,
            other.measurement.size,
            _difference(one, other, material),
        )
        for one, other in both
    )
    return replace(first, other=second.model, beside=beside)


def _difference(one: Diagnosis, other: Diagnosis, material: RewardMaterial) -> Comparison | None:
    a, b = one.measurement.each, other.measurement.each
    if a is None or b is None:
        return None
    _, own, theirs = np.intersect1d(_keys(a), _keys(b), return_indices=True)
    rows = a.rows[own]
    if not len(rows):
        return None
    prompts, weights = material.prompts[rows], material.weights[rows]
    return paired_difference(a.values[own], b.values[theirs], prompts, weights, covers="prompts")


def _keys(each: Each) -> np.ndarray:
    """One number for each value, the same for both models."""
    return each.rows * (int(each.keys.max(initial=0)) + 1) + each.keys
