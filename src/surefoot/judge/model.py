"""The slot of auxiliary preference models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.options import Member

if TYPE_CHECKING:
    from surefoot.arrays import Floats
    from surefoot.data.references import References
    from surefoot.data.schema import Preferences


@dataclass(frozen=True)
class Conditions:
    """What a run of an auxiliary model may ask for."""

    seed: int = 0  #: of everything random
    #: asked before anything is sent away, with an estimate of what it costs; unless given, it
    #: refuses
    proceed: Callable[[Any], bool] = lambda estimate: False
    say: Callable[[str], None] = lambda line: None  #: called with one line per stage
    #: of the results, for what is trained on the way; None: nothing can be kept
    folder: Path | None = None
    resume: bool = False  #: go on with what the folder holds


@dataclass(frozen=True)
class Answers:
    """Probabilities by an auxiliary model."""

    pairs: Floats  #: (N,) P(a preferred) of the data's pairs; NaN where there is no answer
    #: from a row to the (P,) probabilities of all reference pairs that count for it
    references: Callable[[int], Floats] | None = None
    figures: dict[str, Any] = field(default_factory=dict)  #: JSON-ready, about the model itself
    notes: tuple[str, ...] = ()  #: sentences for the user


class AuxiliaryModel(Member, slot="auxiliary model"):
    """An estimate of P(a preferred | prompt, a, b), beside the model that is trained."""

    @abstractmethod
    def judge(
        self, pairs: Preferences, references: References | None, conditions: Conditions
    ) -> Answers:
        """Judge N comparisons, and the P pairs of their references where there are any."""
