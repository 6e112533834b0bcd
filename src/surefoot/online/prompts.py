"""Prompts to train on, from comparisons or alone, as TRL's trainers take them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from surefoot.data.checks import DamageReport
from surefoot.data.prompts import left_out
from surefoot.data.rendering.messages import opening
from surefoot.data.rendering.tokens import TokenReader
from surefoot.data.schema import Preferences
from surefoot.data.text import said
from surefoot.data.units import unit_ids
from surefoot.errors import DataError
from surefoot.objectives import Risk
from surefoot.objectives.risks.mean import Mean
from surefoot.pretrained import Tokenizer
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.scorers.embeddings.options import EncoderOptions
from surefoot.training.data import TrainingData


@dataclass(frozen=True)
class PromptSet:
    """P prompts, each once."""

    preferences: Preferences  #: a comparison of each; of prompts alone, with empty responses
    groups: Tensor  #: (P,)
    names: tuple[str, ...]  #: of the groups
    ids: list[list[int]]  #: token ids after which a response is written
    alone: bool  #: the data have no responses
    notes: tuple[str, ...]  #: for the user
    clusters: PromptClusters | None = None  #: where the risk is over such

    def __len__(self) -> int:
        return len(self.preferences)

    @property
    def mass(self) -> Tensor:
        """Prompts of each group, shape (U,)."""
        return torch.bincount(self.groups, minlength=len(self.names)).double()

    def as_data(self) -> TrainingData:
        """Prompts in the form in which other runs have their comparisons."""
        said = ("pairs: prompts are all that was used",)
        undamaged = DamageReport(self.preferences.name, len(self), (), said)
        return TrainingData(self.preferences, None, undamaged, 0, self.clusters)

    def dataset(self, tokenizer: Tokenizer) -> Dataset:
        """What TRL's trainers are given: the prompt as text, its token ids, its place `row`."""
        texts = [opening(tokenizer, prompt)[0] for prompt in self.preferences.prompts()]
        rows = list(range(len(self)))
        return Dataset.from_dict({"prompt": texts, "opening": self.ids, "row": rows})


def prompt_set(
    preferences: Preferences,
    alone: bool,
    tokenizer: Tokenizer,
    risk: Risk,
    room: int,
    folder: Path | None = None,
) -> PromptSet:
    """Each prompt once, with its tokens, and its group where a risk is over such.

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
    notes = [left_out(preferences)] if preferences.faults else []
    once, ids = _writable(once, tokenizer, room, notes)
    if isinstance(risk, Mean) and risk.unit == "pair":
        none = torch.zeros(len(once), dtype=torch.long)
        return PromptSet(once, none, ("all",), ids, alone, tuple(notes))
    clusters = PromptClusters.for_risk(risk, once, EncoderOptions(), 0, folder, notes.append)
    if clusters is not None:
        once = clusters.beside(once)
    groups, names = unit_ids(once, risk.unit)
    if risk.unit != "prompt" and clusters is None:
        units = preferences.strings(risk.unit)
        belongs = set(zip(preferences.prompt_keys().tolist(), units, strict=True))
        if several := len(belongs) - len({key for key, _ in belongs}):
            notes.append(
                f"{name}: prompts occur in more than one {risk.unit} ({several} times): the first "
                "one counts."
            )
    known = (once, torch.from_numpy(groups), tuple(names), ids, alone, tuple(notes))
    return PromptSet(*known, clusters)


def _writable(
    once: Preferences, tokenizer: Tokenizer, room: int, notes: list[str]
) -> tuple[Preferences, list[list[int]]]:
    """The prompts that leave room for a response, with their tokens; `notes` tells of others."""
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
    for count, why in (
        (
            long,
            f"have more than {room} tokens, which leaves no room for a response "
            "(scorer.max_length less objective.max_new_tokens)",
        ),
        (len(refused), f"cannot be written: {next(iter(refused), '')}"),
        (empty, "are empty"),
    ):
        if count:
            notes.append(f"{once.name}: {count} of {len(once)} prompts {why}: left out.")
    if not kept:
        raise DataError(f"{once.name}: no prompt is left. {' '.join(notes)}")
    return once.select(np.array(kept)), ids
