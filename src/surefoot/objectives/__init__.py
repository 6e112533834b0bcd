"""What makes a preference objective: margin losses, label models, risks, the validator.

Tensors only: nothing here knows of models, files or trainers.
"""

from surefoot.columns import Column
from surefoot.objectives.evidence import Evidence, ReferencePairs
from surefoot.objectives.label_model import LabelModel
from surefoot.objectives.margin_loss import MarginLoss
from surefoot.objectives.objective import Objective
from surefoot.objectives.regulariser import Outputs, PairPenalty, Regulariser, ScoreKind
from surefoot.objectives.risk import Risk, RiskValue, Units
from surefoot.objectives.validator.composition import enforce, verdicts
from surefoot.objectives.validator.facts import Facts, Verdict
from surefoot.plugins import modules_of

for _slot in ("margin_losses", "label_models", "risks", "regularisers"):
    modules_of(f"{__name__}.{_slot}")

__all__ = [
    "Column",
    "Evidence",
    "Facts",
    "LabelModel",
    "MarginLoss",
    "Objective",
    "Outputs",
    "PairPenalty",
    "ReferencePairs",
    "Regulariser",
    "Risk",
    "RiskValue",
    "ScoreKind",
    "Units",
    "Verdict",
    "enforce",
    "verdicts",
]
