"""Scores of many pairs without gradient: planned by length, spread over ranks, gathered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from accelerate.utils.memory import should_reduce_batch_size
from torch import Tensor, nn
from tqdm.auto import tqdm

from surefoot.arrays import Floats, Ints
from surefoot.data.rendering.token_pairs import TokenPairs
from surefoot.data.rendering.tokens import Tokens
from surefoot.data.steps import plan
from surefoot.scorers.language.batch import PairBatch, lay_out
from surefoot.scorers.language.scores import autocast, mode, quick_attention

#: Rows planned together: enough to sort by length, few enough to hold as lists.
_BLOCK = 2048


@dataclass(frozen=True)
class Engine:
    """Where and how forward passes run."""

    device: torch.device
    pad_id: int
    pairs: int = 32  #: in a micro-batch at most
    tokens: int | None = 16_384  #: in a micro-batch at most, padding counted
    precision: torch.dtype | None = None  #: of mixed precision; None: as the model is
    #: whether a prompt is read once for all of its responses; None: not decided, so that it is not
    #: (:func:`surefoot.scorers.language.sharing.suited`)
    shared: bool | None = None
    rank: int = 0  #: of this process
    ranks: int = 1  #: processes
    #: From this process's tensor to the sum over all of them.
    sum_over_ranks: Callable[[Tensor], Tensor] = lambda tensor: tensor

    def widths(self, prompts: Ints, responses: Ints) -> Ints:
        """Tokens (N,) that pairs take, of prompts (N,) and responses (N, 2) of these lengths."""
        if self.shared:
            return np.asarray(prompts + responses.sum(axis=1))
        return np.asarray(2 * (prompts + responses.max(axis=1, initial=0)))

    def plan(self, widths: Ints, copies: int = 1) -> list[Ints]:
        """Micro-batches of this process: positions among rows that take so many tokens (N,).

        Each row stands for `copies` pairs.
        """
        return plan(widths, self.ranks, max(1, self.pairs // copies), self.tokens)[self.rank]

    def batch(
        self, tokens: TokenPairs, rows: Ints, together: Sequence[Hashable] | None = None
    ) -> PairBatch:
        """The pairs at these positions, on the device; see :meth:`lay_out`."""
        return self.lay_out(tokens.read(rows), together)

    def lay_out(
        self, pairs: Sequence[Tokens], together: Sequence[Hashable] | None = None
    ) -> PairBatch:
        """Pairs on the device; those of equal entries in `together` share their prompt, if any do.

        By default each pair is alone.
        """
        found = (together or range(len(pairs))) if self.shared else None
        return lay_out(pairs, self.pad_id, found).to(self.device)

    def autocast(self) -> torch.autocast:
        """Mixed precision."""
        return autocast(self.device, self.precision)


def over_rows(
    score: Callable[[nn.Module, PairBatch], Tensor],
    model: nn.Module,
    tokens: TokenPairs,
    rows: Ints,
    engine: Engine,
    description: str,
) -> Floats:
    """A score (n, 2) of each pair in `rows` (N,), shape (N, 2); every rank returns all of them."""
    scores = np.empty((len(rows), 2))
    shown = None if engine.rank == 0 else True
    with (
        torch.no_grad(),
        mode(model),
        quick_attention(model, engine.device, engine.precision is not None),
        tqdm(total=len(rows), desc=description, unit="pair", disable=shown, leave=False) as bar,
    ):
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            values = torch.zeros(len(block), 2, dtype=torch.float64, device=engine.device)
            widths = engine.widths(tokens.prompt_lengths[block], tokens.response_lengths[block])
            parts = [part for part in engine.plan(widths) if len(part)]
            while parts:
                part = parts.pop(0)
                try:
                    with engine.autocast():
                        batch = engine.batch(tokens, block[part])
                        values[part] = score(model, batch).double()
                    bar.update(len(part) * engine.ranks)
                except RuntimeError as error:
                    if not should_reduce_batch_size(error) or len(part) == 1:
                        raise
                    parts[:0] = np.array_split(part, 2)
            scores[start : start + len(block)] = engine.sum_over_ranks(values).cpu().numpy()
    return scores
