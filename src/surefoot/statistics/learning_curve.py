"""How an error falls with the number of rows: a power law, with what it says of twice as many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Floats

#: Exponents that are tried: slower ones cannot be distinguished from a floor at a few shares.
_EXPONENTS = np.linspace(0.3, 1.2, 10)


@dataclass(frozen=True)
class PowerLaw:
    """Errors floor + scale n^-exponent, each (...), n in shares of the rows.

    Attributes:
        floor: what no number of rows takes away, at least 0.
        scale: what falls, at least 0.
        exponent: how fast.
    """

    floor: Floats
    scale: Floats
    exponent: Floats

    def at(self, share: float) -> Floats:
        """Errors (...) at a share of the rows, which may be above 1."""
        return np.asarray(self.floor + self.scale * share**-self.exponent)


def power_law(shares: Floats, errors: Floats) -> PowerLaw:
    """The power laws nearest to errors (..., S) at shares (S,) of the rows, by least squares.

    Floor and scale are not negative; exponents are those of a grid from .3 to 1.2. (Of learning
    curves: Viering and Loog, IEEE Transactions on Pattern Analysis 2023.)
    """
    best: list[Floats] = []
    for exponent in _EXPONENTS:
        x = shares**-exponent
        centred = x - x.mean()
        slope = np.maximum(errors @ centred / (centred @ centred), 0.0)
        floor = errors.mean(-1) - slope * x.mean()
        below = floor < 0
        slope = np.where(below, errors @ x / (x @ x), slope)
        floor = np.where(below, 0.0, floor)
        misfit = np.square(errors - floor[..., None] - slope[..., None] * x).sum(-1)
        best.append(np.stack([misfit, floor, slope, np.full_like(floor, exponent)]))
    found = np.stack(best)  # (exponents, 4, ...)
    first = found[:, 0].argmin(0)[None, None]
    _, floor, scale, exponent = np.take_along_axis(found, first, axis=0)[0]
    return PowerLaw(floor, scale, exponent)
