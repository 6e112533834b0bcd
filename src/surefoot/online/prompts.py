"""Prompts to train on, from comparisons or alone, as TRL's trainers take them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from surefoot.data.prompts import left_out
from surefoot.data.rendering.messages import opening
from surefoot.data.rendering.tokens import TokenReader
from surefoot.data.schema import Preferences
from surefoot.data.text import said
from surefoot.data.units import unit_ids
from surefoot.errors import DataError
from surefoot.objectives import Risk
from surefoot.objectives.risks.mean import Mean
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.scorers.embeddings.encoder import EncoderOptions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class PromptSet:
    """P prompts, each once.

    Attributes:
        preferences: a comparison of each prompt; of prompts alone, with empty responses.
        groups: (P,) group of each.
        names: of the groups.
        ids: token ids after which a response is written.
        alone: whether the data have no responses.
        notes: sentences for the user.
        clusters: of the prompts, where the risk is over such.
    """

    preferences: Preferences
    groups: Tensor
    names: tuple[str, ...]
    ids: list[list[int]]
    alone: bool
    notes: tuple[str, ...]
    clusters: PromptClusters | None = None

    def __len__(self) -> int:
        return len(self.preferences)

    @property
    def mass(self) -> Tensor:
        """Prompts of each group, shape (U,)."""
        return torch.bincount(self.groups, minlength=len(self.names)).double()

    def dataset(self, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """What TRL's trainers are given: the prompt as text, its token ids, its place `row`."""
        texts = [opening(tokenizer, prompt)[0] for prompt in self.preferences.prompts()]
        rows = list(range(len(self)))
        return Dataset.from_dict({"prompt": texts, "opening": self.ids, "row": rows})


def prompt_set(
    preferences: Preferences,
    alone: bool,
    tokenizer: PreTrainedTokenizerBase,
    risk: Risk,
    room: int,
    folder: Path | None = None,
) -> PromptSet:
    """Each prompt once, with its group and its tokens.

    Args:
        preferences: comparisons.
        alone: whether their responses are no data.
        tokenizer: the policy's.
        risk: whose unit the groups are; the mean needs none.
        room: tokens that a prompt may have.
        folder: of a run that is resumed, whose clusters are taken.

    Raises:
        DataError: no prompt is left, a column is missing, or the tokenizer cannot be used.
    """
    name = preferences.name
    _, first = np.unique(preferences.prompt_keys(), return_index=True)
    once = preferences.select(np.sort(first))
    ids, kept, long, empty = [], [], 0, 0
    refused: list[str] = []
    reader = TokenReader(tokenizer)
    for place, prompt in enumerate(once.prompts()):
        if not any(said(turn).strip() for turn in prompt.prompt):
            empty += 1
            continue
        try:
            opening = reader.opening(prompt)
        except DataError as error:
            refused.append(str(error))
            continue
        if len(opening) > room:
            long += 1
        else:
            kept.append(place)
            ids.append(opening)
    notes = [left_out(preferences)] if preferences.faults else []
    if long:
        notes.append(
            f"{name}: {long} of {len(once)} prompts have more than {room} tokens, which leaves no "
            "room for a response (scorer.max_length less objective.max_new_tokens): left out."
        )
    if refused:
        notes.append(
            f"{name}: {len(refused)} of {len(once)} prompts cannot be written: {refused[0]}: left "
            "out."
        )
    if empty:
        notes.append(f"{name}: {empty} of {len(once)} prompts are empty: left out.")
    if not kept:
        raise DataError(f"{name}: no prompt is left. {' '.join(notes)}")
    once = once.select(np.array(kept))
    if isinstance(risk, Mean) and risk.unit == "pair":
        return PromptSet(
            once, torch.zeros(len(once), dtype=torch.long), ("all",), ids, alone, tuple(notes)
        )
    clusters = PromptClusters.for_risk(risk, once, EncoderOptions(), 0, folder, notes.append)
    if clusters is not None:
        once = clusters.beside(once)
    groups, names = unit_ids(once, risk.unit)
    if risk.unit != "prompt" and clusters is None:
        belongs = set(
            zip(preferences.prompt_keys().tolist(), preferences.strings(risk.unit), strict=True)
        )
        if several := len(belongs) - len({key for key, _ in belongs}):
            notes.append(
                f"{name}: prompts occur in more than one {risk.unit} ({several} times): the first "
                "one counts."
            )
    units = torch.from_numpy(groups)
    return PromptSet(once, units, tuple(names), ids, alone, tuple(notes), clusters)
