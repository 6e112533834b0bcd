"""The audit of a reward model: every diagnostic of reward models, judged together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.diagnosis import ALPHA, ask
from surefoot.auditing.models.diagnostics import model_diagnostics
from surefoot.auditing.models.samples import PolicySamples
from surefoot.auditing.preference_material import PreferenceMaterial
from surefoot.auditing.preferences import Audit
from surefoot.errors import DataError
from surefoot.statistics.estimate import json_ready

if TYPE_CHECKING:  # what is quick needs no torch
    from surefoot.scorers.trained import TrainedScorer


@dataclass(frozen=True)
class ScoredPreferences(PreferenceMaterial):
    """Preferences beside a model that scores them, and what a policy wrote.

    Attributes:
        model: gives rewards.
        samples: of a policy, scored by the same model; None where there are none.
    """

    model: TrainedScorer = field(kw_only=True)
    samples: PolicySamples | None = field(default=None, kw_only=True)

    @cached_property
    def rewards(self) -> Floats:
        """Of both responses, (N, 2).

        Raises:
            ConfigurationError: the model judges pairs, and has no reward of a response alone.
        """
        return np.asarray(self.model.rewards(self.preferences), dtype=np.float64)


@dataclass(frozen=True)
class ModelAudit(Audit):
    """What the diagnostics say of a reward model."""

    subject: ClassVar[str] = "rewards"
    checked: ClassVar[bool] = False

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
            "error_rate": ALPHA,
            "diagnoses": json_ready(self.diagnoses),
            "lacking": list(self.lacking),
        }


def audit_model(material: ScoredPreferences) -> ModelAudit:
    """Ask every diagnostic of reward models.

    With chance .05 at most, over the whole audit, anything is found where nothing is beyond the
    size that matters.

    Args:
        material: the preferences, the model, and samples of a policy where there are some.

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
    answers = ask(model_diagnostics().values(), material)
    return ModelAudit(preferences.name, len(preferences), *answers)
