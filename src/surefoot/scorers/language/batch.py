"""The batch layout: where the tokens of some pairs lie, and which positions predict a response.

The layout is the one place that knows how sequences are put side by side. What reads it (the score
functions) sees only flat positions and owners, so that packed sequences or prompts shared by both
responses can come as other layouts without changing anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from surefoot.data.rendering.tokens import Tokens


@dataclass(frozen=True)
class PairBatch:
    """n pairs as 2n sequences: a and b of the first pair, a and b of the second, and so on."""

    input_ids: Tensor  #: (B, T) token ids, padded on the right
    attention_mask: Tensor  #: (B, T) 1 where there is a token
    predicts: Tensor  #: (K,) flat positions in (B, T) whose output predicts a response's token
    targets: Tensor  #: (K,) the tokens that they predict
    owners: Tensor  #: (K,) the sequence that each belongs to, in [0, 2n)
    lengths: Tensor  #: (n, 2) tokens of each response

    def to(self, device: torch.device) -> PairBatch:
        """The batch on a device."""
        moved = {f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        return replace(self, **moved)

    def by_response(self, values: Tensor) -> Tensor:
        """Sums (n, 2) of values (K,) over the tokens of each response."""
        sums = values.new_zeros(self.lengths.numel()).index_add(0, self.owners, values)
        return sums.view(-1, 2)


def pad(pairs: Sequence[Tokens], pad_id: int) -> PairBatch:
    """Pairs as padded sequences. An empty prompt's first response token is predicted by nothing."""
    sequences = [(prompt, response) for prompt, *both in pairs for response in both]
    width = max((len(p) + len(r) for p, r in sequences), default=1)
    ids = torch.full((len(sequences), max(width, 1)), pad_id)
    mask = torch.zeros_like(ids)
    predicts, targets, owners = [], [], []
    for row, (prompt, response) in enumerate(sequences):
        end = len(prompt) + len(response)
        ids[row, :end] = torch.tensor(prompt + response)
        mask[row, :end] = 1
        start = max(len(prompt), 1)
        predicted = max(end - start, 0)  # nothing of an empty response
        predicts.append(torch.arange(predicted) + start - 1 + row * ids.shape[1])
        targets.append(ids[row, start:end])
        owners.append(torch.full((predicted,), row))
    lengths = torch.tensor([len(response) for _, response in sequences]).view(-1, 2)
    return PairBatch(ids, mask, torch.cat(predicts), torch.cat(targets), torch.cat(owners), lengths)
