"""Nuisance models: reference responses, and what another model says of each preference."""

from surefoot import judge
from surefoot.judge.model import Answers, AuxiliaryModel, Conditions
from surefoot.nuisance import column, fitted, reference, sampling  # each joins its slot
from surefoot.nuisance.config import SampleConfig
from surefoot.nuisance.evidence import Sampled, sample, with_auxiliary
from surefoot.nuisance.reference import ReferenceSource

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
    "sampling",
    "with_auxiliary",
]
