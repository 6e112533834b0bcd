"""A fault of a size that one chooses, and the diagnostic that should find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surefoot.worlds.planted.material import PlantedMaterial


@dataclass(frozen=True)
class PlantedFault:
    """Something wrong with preferences. A file here that defines `FAULT` joins the benchmark."""

    name: str  #: in results
    diagnostic: str  #: the name of the one that should find it
    size: str  #: what `plant` is given, in words
    #: makes a world of so many pairs with a fault of a size
    plant: Callable[[int, np.random.Generator, float], PlantedMaterial]
    sizes: tuple[float, ...]  #: from hardly to plainly there, for curves of power
    surely: float  #: the size that should be found in 95 % of worlds of 2,000 pairs
    worst_of: str = ""  #: column of whose parts the worst is what counts in use; else all pairs do
    newest: float = 1.0  #: share of the time, up to now, from which pairs in use are
