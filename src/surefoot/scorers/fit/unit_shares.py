"""Who got the weight: the units of a risk before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class UnitShare:
    """What a risk did to a unit."""

    unit: str  #: its name
    mass: float  #: its weight before robustness; all masses sum to 1
    weight: float  #: its worst-case weight; all weights sum to 1 (estimate `dual`: about)
    loss: float  #: mean loss of its pairs, or what the adversary saw of it (`regret`)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def unit_shares(
    names: Sequence[str], mass: Tensor, weights: Tensor, losses: Tensor
) -> tuple[UnitShare, ...]:
    """One for each of U named units, from masses, weights and losses (U,); none where unnamed.

    Those whose weight grew most come first.
    """
    if not names:
        return ()
    figures = zip(names, mass.tolist(), weights.tolist(), losses.tolist(), strict=True)
    made = [UnitShare(*one) for one in figures]
    return tuple(sorted(made, key=lambda one: -one.weight / max(one.mass, 1e-12)))


def in_words(shares: Sequence[UnitShare], most: int = 3) -> str:
    """The units that gained most, on one line, as `name: mass to weight`."""
    gains = "; ".join(f"{o.unit}: {o.mass:.3f} to {o.weight:.3f}" for o in shares[:most])
    gains = gains.replace("|", "/")  # it stands in a table
    return gains + (f" (of {len(shares)} units)" if len(shares) > most else "")
