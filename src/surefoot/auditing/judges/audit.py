"""The audit of a judge: every diagnostic of judges, judged together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.diagnosis import ALPHA, Diagnosis, ask
from surefoot.auditing.judges.diagnostics import judge_diagnostics
from surefoot.auditing.judges.material import JudgeMaterial, speaks_to_the_judge
from surefoot.auditing.preference_material import PreferenceMaterial
from surefoot.auditing.preferences import Audit
from surefoot.data import Preferences
from surefoot.data.schema import ABSENT
from surefoot.errors import DataError
from surefoot.statistics.estimate import json_ready
from surefoot.statistics.prediction_powered import FEWEST_LABELS

#: Diagnostics that mean, where they find something, that no verdict is worth having.
_WORTHLESS = ("says nothing",)


@dataclass(frozen=True)
class JudgeAudit(Audit):
    """What the diagnostics say of a judge."""

    subject: ClassVar[str] = "verdicts"
    checked: ClassVar[bool] = False

    @property
    def verdict(self) -> str:
        """The audit in one sentence or two."""
        said = super().verdict
        if any(_says_nothing(one) for one in self.found):
            return f"Do not rely on this judge: it says nothing. {said}"
        accuracy = next((d for d in self.diagnoses if d.diagnostic.name == "accuracy"), None)
        if accuracy is None:
            return f"{said} How often it is right takes people's labels on {FEWEST_LABELS} rows."
        return f"{said} It sides with people on {accuracy.measurement.size} of all rows."

    @property
    def next_step(self) -> str:
        """What to do in the end, whatever was found."""
        if any(_says_nothing(one) for one in self.found):
            return "Take another model, or ask it in other words, and audit that."
        return "Report its win rates corrected by people's labels, and label more as it says."

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "verdict": self.verdict,
            "error_rate": ALPHA,
            "diagnoses": json_ready(self.diagnoses),
            "lacking": list(self.lacking),
        }


def _says_nothing(one: Diagnosis) -> bool:
    return one.diagnostic.name in _WORTHLESS or bool(one.measurement.details.get("worthless"))


def audit_judge(material: JudgeMaterial, name: str) -> JudgeAudit:
    """Ask every diagnostic of judges.

    With chance .05 at most, over the whole audit, anything is found where nothing is beyond the
    size that matters.

    Args:
        material: the verdicts, beside people's labels.
        name: of the data.

    Raises:
        DataError: the judge gave no verdict on any row with a weight.
    """
    if not len(material.judged):
        raise DataError(f"{name}: the judge gave no verdict on any row that counts.")
    return JudgeAudit(name, len(material.judged), *ask(judge_diagnostics().values(), material))


def material_of(
    preferences: Preferences,
    shown: Floats,
    turned: Floats | None = None,
    again: Floats | None = None,
    name: str = "",
    seed: int = 0,
) -> JudgeMaterial:
    """Verdicts on comparisons, beside the labels that these have.

    Args:
        preferences: N comparisons; those that came without a label count as not labelled.
        shown: (N,) P(a preferred) by the judge, a shown first; NaN where it said none.
        turned: (N,) the same with b shown first.
        again: (N,) the same as `shown`, asked once more.
        name: of the judge, as columns `model_a` and `model_b` have it.
        seed: of what is drawn.
    """
    nothing = np.full(len(preferences), np.nan)
    origins = preferences.strings("label_from")
    speaks = [
        np.array([speaks_to_the_judge(text) for text in side], dtype=np.float64)
        for side in preferences.texts("response")
    ]
    return JudgeMaterial(
        people=PreferenceMaterial(preferences, seed=seed),
        labelled=np.array([origin != ABSENT for origin in origins], dtype=bool),
        shown=shown,
        turned=nothing if turned is None else turned,
        again=nothing if again is None else again,
        addressed=speaks[0] - speaks[1],
        name=name,
        seed=seed,
    )
