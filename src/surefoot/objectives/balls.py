"""What balls of distributions have in common: losses on one scale, and the largest of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from surefoot.objectives.sized import SizedRisk

if TYPE_CHECKING:
    from torch import Tensor


class Ball(SizedRisk):
    """The worst mean loss under any distribution over the units within a radius of the data's."""

    radius: Annotated[float, Field(ge=0)] | Literal["auto"] = 0.1
    """Size of the ball; 0 is the mean."""

    sizes = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

    @abstractmethod
    def largest_radius(self, smallest: float) -> float:
        """The radius from which the ball holds every distribution, and the risk is the maximum.

        Args:
            smallest: mass of the smallest unit, in (0, 1].
        """


def scaled(losses: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """Losses less their maximum, over their range: in [-1, 0], all 0 where all are equal.

    The weights of a ball do not change, and squares and exponentials of huge or tiny losses do not
    overflow or vanish.

    Args:
        losses: (U, ...).
        mass: (U, ...); units of mass 0 are absent, and are put at -1.

    Returns:
        The scaled losses (U, ...), and which units are present and have the largest loss (U, ...).
    """
    import torch

    present = mass > 0
    highest = losses.masked_fill(~present, -torch.inf).amax(0)
    lowest = losses.masked_fill(~present, torch.inf).amin(0)
    span = highest - lowest
    x = (losses - highest) / torch.where(span > 0, span, torch.ones_like(span))
    largest = present & (losses == highest)
    return x.masked_fill(~present, -1.0), largest


def share_of(mass: Tensor, chosen: Tensor) -> Tensor:
    """All weight (U, ...) on the chosen units, in proportion to their mass."""
    kept = mass * chosen
    return kept / kept.sum(0)
