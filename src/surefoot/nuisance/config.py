"""The configuration of `surefoot sample`: what is drawn, and who judges."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from surefoot.judge.model import AuxiliaryModel
from surefoot.nuisance.reference import ReferenceSource
from surefoot.options import WRITES
from surefoot.training.config import DataOptions, FileOptions


class SampleConfig(FileOptions):
    """Reference responses for some data, and auxiliary probabilities for all pairs."""

    title: ClassVar[str] = "the configuration of surefoot sample"

    schema_version: Literal[1] = 1
    """Version of this form."""
    data: DataOptions
    """The comparisons."""
    reference: ReferenceSource | None = None
    """Where reference responses come from; absent: none are added."""
    auxiliary: AuxiliaryModel | None = None
    """Who judges the data's pairs and those of the references; absent: nobody."""
    clip: float = Field(0.02, ge=0, lt=0.5)
    """Auxiliary probabilities are cut to [clip, 1 - clip]: being sure and wrong costs most."""
    check: bool = True
    """Test whether the data's responses can be distinguished from the references."""
    seed: int = Field(0, ge=0)
    """Seed of the draws and the folds."""
    output: Annotated[str, WRITES] = Field(min_length=1)
    """The folder; never overwritten unless asked."""
