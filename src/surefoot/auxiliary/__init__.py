"""Nuisance models: reference responses, and what another model says of each preference."""

from surefoot.auxiliary import column, fitted, judge, reference, sampling  # each joins its slot
from surefoot.auxiliary.config import SampleConfig
from surefoot.auxiliary.model import AuxiliaryModel, Conditions, Judged
from surefoot.auxiliary.reference import ReferenceSource
from surefoot.auxiliary.run import Sampled, sample, with_auxiliary

__all__ = [
    "AuxiliaryModel",
    "Conditions",
    "Judged",
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
