"""The batch layout: where the tokens of some pairs lie, and which positions predict a response.

The layout is the one place that knows how texts are put side by side. What reads it (the score
functions) sees only flat positions and owners, whether a row holds one text, or a prompt once and
all responses to it as branches of a tree (Wang and Hegde 2024, "Accelerating Direct Preference
Optimization with Prefix Sharing", arXiv 2410.20305).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from surefoot.data.rendering.tokens import Tokens

#: Of a token in a tree: it is the prompt's, which every branch sees, or padding.
PROMPT, PADDING = 0, -1


@dataclass(frozen=True)
class PairBatch:
    """n pairs as 2n texts: a and b of the first pair, a and b of the second, and so on."""

    input_ids: Tensor  #: (B, T) token ids, padded on the right
    branches: Tensor  #: (B, T) 0 of a prompt's token, k of one of the row's response k, or -1
    predicts: Tensor  #: (K,) flat positions in (B, T) whose output predicts a response's token
    targets: Tensor  #: (K,) the tokens that they predict
    owners: Tensor  #: (K,) the text that each belongs to, in [0, 2n)
    lengths: Tensor  #: (n, 2) tokens of each response
    ends: Tensor  #: (n, 2) flat position of the last token of each text; -1: it has none
    prompt_ends: Tensor  #: (n, 2) that of the last token of its prompt
    #: (B, T) place of each token in its own text; None: a row holds one text, and is read in order
    places: Tensor | None = None

    def to(self, device: torch.device) -> PairBatch:
        """The batch on a device."""
        tensors = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(
            self,
            **{
                name: one.to(device, non_blocking=True)
                for name, one in tensors.items()
                if one is not None
            },
        )

    def by_response(self, values: Tensor) -> Tensor:
        """Sums (n, 2) of values (K,) over the tokens of each response."""
        sums = values.new_zeros(self.lengths.numel()).index_add(0, self.owners, values)
        return sums.view(-1, 2)

    def at(self, values: Tensor, places: Tensor) -> Tensor:
        """Values (n, 2, ...) at flat positions (n, 2), of (B, T, ...); 0 where there is none."""
        found = values.flatten(0, 1)[places.clamp_min(0)]
        there = (places >= 0).view(*places.shape, *[1] * (found.dim() - 2))
        return torch.where(there, found, torch.zeros_like(found))

    def inputs(self, model: Any, bidirectional: bool = False) -> dict[str, Tensor]:
        """What a model is given.

        One that reads in both directions would see padding without a mask. In a causal model no
        real token does, and attention without a mask is faster. A token in a tree sees what comes
        before it in its prompt and in its own branch.
        """
        if self.places is None:
            mask = {"attention_mask": (self.branches != PADDING).long()} if bidirectional else {}
            return {"input_ids": self.input_ids, **mask}
        branches, width = self.branches, self.input_ids.shape[1]
        before = torch.ones(width, width, dtype=torch.bool, device=branches.device).tril()
        own, common = branches[:, :, None] == branches[:, None, :], branches[:, None, :] == PROMPT
        seen = ((own | common) & before)[:, None]  # (B, 1, T, T)
        if getattr(model.config, "_attn_implementation", None) != "sdpa":  # eager attention adds
            seen = torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, -torch.inf)
        return {
            "input_ids": self.input_ids,
            "attention_mask": seen,
            "position_ids": self.places,
        }


def lay_out(
    pairs: Sequence[Tokens], pad_id: int, together: Sequence[Hashable] | None = None
) -> PairBatch:
    """Pairs as padded rows. An empty prompt's first response token is predicted by nothing.

    Args:
        pairs: n prompts, each with its two responses.
        pad_id: token that fills rows.
        together: (n,) pairs with equal entries, and the same prompt, share a row, in which the
            prompt stands once; None: every response has a row with its prompt.
    """
    rows: dict[Hashable, list[int]] = {}  # texts of each row, by their number in [0, 2n)
    for number in range(2 * len(pairs)):
        pair = number // 2
        key = number if together is None else (together[pair], tuple(pairs[pair][0]))
        rows.setdefault(key, []).append(number)
    texts = [(prompt, response) for prompt, *both in pairs for response in both]
    sizes = [len(texts[row[0]][0]) + sum(len(texts[i][1]) for i in row) for row in rows.values()]
    width = max(sizes, default=1) or 1
    ids = torch.full((len(rows), width), pad_id)
    branches, places = torch.full_like(ids, PADDING), torch.zeros_like(ids)
    predicts: list[Tensor] = []
    targets: list[Tensor] = []
    owners: list[Tensor] = []
    ends, prompt_ends = torch.full((2, len(texts)), -1)
    for at, row in enumerate(rows.values()):
        prompt, first = texts[row[0]][0], at * width
        start = len(prompt)
        ids[at, :start] = torch.tensor(prompt, dtype=torch.long)
        branches[at, :start], places[at, :start] = PROMPT, torch.arange(start)
        for branch, number in enumerate(row, PROMPT + 1):
            response = torch.tensor(texts[number][1], dtype=torch.long)
            end = start + len(response)
            ids[at, start:end], branches[at, start:end] = response, branch
            places[at, start:end] = torch.arange(len(response)) + len(prompt)
            before = torch.arange(start - 1, end - 1)
            before[:1] = len(prompt) - 1
            known = int(not prompt)  # nothing predicts the first token of a text
            predicts.append(first + before[known:])
            targets.append(response[known:])
            owners.append(torch.full_like(response[known:], number))
            prompt_ends[number] = first + len(prompt) - 1 if prompt else -1
            ends[number] = first + end - 1 if len(response) else prompt_ends[number]
            start = end
    return PairBatch(
        ids,
        branches,
        torch.cat(predicts),
        torch.cat(targets),
        torch.cat(owners),
        torch.tensor([len(response) for _, response in texts]).view(-1, 2),
        ends.view(-1, 2),
        prompt_ends.view(-1, 2),
        None if together is None else places,
    )
