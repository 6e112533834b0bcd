"""Nuisance models: reference responses, and what another model says of each preference."""

from typing import TYPE_CHECKING

from surefoot import judge
from surefoot.judge.model import Answers, AuxiliaryModel, Conditions
from surefoot.lazy import offers
from surefoot.nuisance import column, fitted, reference  # each joins its slot
from surefoot.nuisance.config import SampleConfig
from surefoot.nuisance.reference import ReferenceSource

if TYPE_CHECKING:
    from surefoot.nuisance.evidence import Sampled, sample, with_auxiliary

__all__ = [
    "Answers",
    "AuxiliaryModel",
    "Conditions",
    "ReferenceSource",
    "SampleConfig",
    "Sampled",
    "column",
    "fitted",
    "judge",
    "reference",
    "sample",
    "with_auxiliary",
]

__getattr__ = offers(__name__, dict.fromkeys(("Sampled", "sample", "with_auxiliary"), "evidence"))
