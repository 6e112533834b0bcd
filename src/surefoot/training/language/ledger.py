"""Who got the weight over the steps of an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from surefoot.objectives import RiskValue
from surefoot.scorers.fit.unit_shares import UnitShare, unit_shares

_PREFIX = "ledger."


@dataclass
class WeightLedger:
    """Sums over the steps since an epoch began, for units that keep their numbers.

    Attributes:
        epoch: the epoch, from 0.
        sums: (U,) of the units' `mass`, `weight` and `loss` times mass, and () of the `steps`.
    """

    epoch: int = -1
    sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, epoch: int, risk: RiskValue) -> None:
        """Note a step; the first one of an epoch begins anew."""
        if epoch != self.epoch:
            self.epoch, self.sums = epoch, {}
        found = {
            "mass": risk.unit_mass,
            "weight": risk.unit_weights,
            "loss": risk.unit_mass * risk.unit_losses,
            "steps": torch.ones((), dtype=torch.float64),
        }
        for name, value in found.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value

    @property
    def steps(self) -> int:
        """Number of steps noted."""
        return int(self.sums["steps"]) if self.sums else 0

    def shares(self, names: Sequence[str]) -> tuple[UnitShare, ...]:
        """Means over the steps of the epoch so far, by unit."""
        if not self.sums:
            return ()
        mass, weight, loss = (self.sums[name] for name in ("mass", "weight", "loss"))
        losses = loss / mass.clamp_min(torch.finfo(mass.dtype).tiny)
        return unit_shares(names, mass / self.steps, weight / self.steps, losses)

    def state(self) -> dict[str, Tensor]:
        """Tensors for a checkpoint."""
        kept = {_PREFIX + name: value for name, value in self.sums.items()}
        return kept | {f"{_PREFIX}epoch": torch.tensor(self.epoch)}

    @classmethod
    def split(cls, state: Mapping[str, Tensor]) -> tuple[WeightLedger, dict[str, Tensor]]:
        """A ledger from the tensors of a checkpoint, and the tensors that are not of it."""
        own = {n.removeprefix(_PREFIX): v for n, v in state.items() if n.startswith(_PREFIX)}
        rest = {n: v for n, v in state.items() if not n.startswith(_PREFIX)}
        return cls(int(own.pop("epoch", torch.tensor(-1))), own), rest
