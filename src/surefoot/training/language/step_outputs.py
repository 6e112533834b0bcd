"""What the micro-batches of a step have shown, on all ranks."""

from __future__ import annotations

import torch

from surefoot.data.steps import Ints
from surefoot.objectives import Outputs
from surefoot.scorers.language.forward import Engine


class StepOutputs:
    """Outputs of a step's pairs and reference pairs, summed over ranks when asked for."""

    def __init__(self, count: int, engine: Engine) -> None:
        """Room for the outputs of so many pairs."""
        self.engine = engine
        self.table = torch.zeros(count, 7, dtype=torch.float64, device=engine.device)
        self.with_log_probs, self.with_steepness = False, False

    def take(self, part: Ints, outputs: Outputs) -> None:
        """Note the outputs of a micro-batch."""
        self.with_log_probs = outputs.log_probs is not None
        self.with_steepness = outputs.steepness is not None
        if not len(part):
            return
        if outputs.steepness is not None:
            self.table[part, -1] = outputs.steepness.detach().double()
        columns = [outputs.scores.detach(), outputs.lengths]
        if outputs.log_probs is not None:
            columns.insert(1, outputs.log_probs.detach())
        self.table[part, : 2 * len(columns)] = torch.cat([c.double() for c in columns], dim=1)

    def gather(self) -> Outputs:
        """Every pair's outputs (N, 2), on every rank, in float64 on the CPU."""
        whole = self.engine.sum_over_ranks(self.table).cpu()
        steepness = whole[:, -1] if self.with_steepness else None
        if self.with_log_probs:
            return Outputs(whole[:, :2], whole[:, 2:4], whole[:, 4:6], steepness)
        return Outputs(whole[:, :2], None, whole[:, 2:4], steepness)
