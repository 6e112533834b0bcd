"""Trimming: the pairs that fit worst are left out (Rousseeuw 1984; Shen and Sanghavi 2019)."""

from __future__ import annotations

import torch
from torch import Tensor


def trimmed(losses: Tensor, mass: Tensor, share: float, units: Tensor | None = None) -> Tensor:
    """What is left of each pair's mass (N, ...), without the `share` of largest losses of its unit.

    Pairs of equal loss lose in proportion, so that nothing depends on their order; the pairs at the
    boundary lose a part.

    Args:
        losses: (N, ...).
        mass: (N, ...).
        share: of each unit's mass, in [0, 1).
        units: (N,) unit of each pair; None: all pairs are one.
    """
    ids = torch.zeros(len(losses), dtype=torch.int64) if units is None else units
    order = losses.argsort(dim=0, descending=True)
    order = order.gather(0, ids.to(losses.device)[order].argsort(dim=0, stable=True))
    unit, loss, own = ids.to(losses.device)[order], losses.gather(0, order), mass.gather(0, order)
    begins = torch.ones_like(unit, dtype=torch.bool)
    begins[1:] = unit[1:] != unit[:-1]
    ties = begins.clone()
    ties[1:] |= loss[1:] != loss[:-1]
    up_to = own.cumsum(0)
    before = up_to - own

    def first(starts: Tensor) -> Tensor:
        """Mass before the run that each row is in."""
        return before.gather(0, _place(starts).cummax(0).values)

    def last(starts: Tensor) -> Tensor:
        """Mass up to the end of the run that each row is in."""
        ends = torch.ones_like(starts)
        ends[:-1] = starts[1:]
        backwards = _place(ends.flip(0)).cummax(0).values
        return up_to.gather(0, (len(losses) - 1 - backwards).flip(0))

    larger = first(ties) - first(begins)
    equal = (last(ties) - first(ties)).clamp_min(torch.finfo(mass.dtype).tiny)
    lost = ((share * (last(begins) - first(begins)) - larger) / equal).clamp(0, 1)
    return torch.zeros_like(mass).scatter(0, order, own * (1 - lost))


def _place(marked: Tensor) -> Tensor:
    """The position (N, ...) of each marked row, 0 for the others."""
    positions = torch.arange(len(marked), device=marked.device)
    return positions.view(-1, *[1] * (marked.dim() - 1)) * marked
