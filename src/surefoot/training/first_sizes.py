"""Sizes of comparisons, and the options that suit them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from surefoot.data import Preferences
from surefoot.data.age import DAY
from surefoot.data.apart import MOST, SHARE
from surefoot.data.schema import View
from surefoot.data.splits import By, dialogues, split
from surefoot.scorers import EmbeddingScorer, EncoderOptions
from surefoot.training.options import LanguageTrainingOptions

#: Rows, and dialogues, below which none are held out: they would tell nothing.
_FEWEST, _FEWEST_DIALOGUES = 50, 10
#: Bytes of a token, about, and the lengths that are written.
_BYTES, _LENGTHS = 4, (128, 256, 512, 1024, 2048, 4096)
#: Texts that are measured at most, and the share of them that should fit.
_MEASURED, _FIT = 2000, 0.95
#: Optimiser steps that a first run should have, and epochs for that at most.
_STEPS, _EPOCHS = 60, 3


@dataclass(frozen=True)
class Sizes:
    """How many rows and prompts there are to train on, and how long they are."""

    preferences: Preferences

    @cached_property
    def held_out(self) -> float:
        """The share to hold out; 0 where what is held out would tell nothing."""
        rows, whole = len(self.preferences), np.unique(dialogues(self.preferences))
        if rows < _FEWEST or len(whole) < _FEWEST_DIALOGUES:
            return 0.0
        return SHARE if rows * SHARE <= MOST else float(f"{MOST / rows:.1g}")

    @cached_property
    def split(self) -> dict[str, Any]:
        """Options of the split."""
        found: dict[str, Any] = {"held_out": self.held_out}
        if self.held_out and self._by == "dialogue":
            found["split_by"] = self._by
        return found

    @cached_property
    def _by(self) -> By:
        """Dialogues, where some prompts are branches of one."""
        keys = self.preferences.prompt_keys()
        return "dialogue" if (dialogues(self.preferences) != keys).any() else "prompt"

    @cached_property
    def _training(self) -> Preferences:
        if not self.held_out:
            return self.preferences
        return split(self.preferences, self.held_out, self._by)[0]

    @cached_property
    def rows(self) -> int:
        """Rows to train on."""
        return len(self._training)

    @cached_property
    def prompts(self) -> int:
        """Prompts to train on."""
        return len(np.unique(self._training.prompt_keys()))

    @cached_property
    def pairs(self) -> int:
        """Different pairs to train on."""
        return len(np.unique(np.sort(self._training.response_keys(), axis=1), axis=0))

    @cached_property
    def dialogues(self) -> float:
        """Share of the rows whose prompt has more than one turn."""
        return float(np.mean([len(prompt) > 1 for (prompt,) in self._training.read("prompt")]))

    @cached_property
    def days(self) -> float:
        """Days from the oldest row to the newest; 0 where some row has no time."""
        time = self.preferences.numbers("time")
        return 0.0 if np.isnan(time).any() else float(np.ptp(time)) / DAY

    def of_embeddings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Options of a head on embeddings and of its training."""
        scorer: dict[str, Any] = {}
        usual = EncoderOptions.model_fields["max_length"].default
        if self._length("together") > usual:
            scorer["encoder"] = {"max_length": 2 * usual}
        folds = EmbeddingScorer.model_fields["folds"].default
        if self.prompts < folds:
            scorer |= {"fold_by": "row"} | ({"folds": self.pairs} if self.pairs < folds else {})
        return scorer, {}

    def of_language(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Options of a language model and of its training."""
        usual = LanguageTrainingOptions.model_fields["pairs_per_step"].default
        step = next((size for size in (usual, 16) if self.rows >= size * _STEPS), 8)
        epochs = min(_EPOCHS, math.ceil(_STEPS * step / self.rows))
        return {"max_length": self._length("full")}, {"epochs": epochs, "pairs_per_step": step}

    def _length(self, view: View) -> int:
        """The least of the lengths into which nearly all texts fit, or the largest."""
        step = -(-self.rows // _MEASURED)
        texts = self._training.select(np.arange(0, self.rows, step)).texts(view)
        sizes = [len(text.encode(errors="replace")) / _BYTES for side in texts for text in side]
        needed = float(np.quantile(sizes, _FIT))
        return next((length for length in _LENGTHS if length >= needed), _LENGTHS[-1])

    def reasons(self, language: bool) -> Mapping[tuple[str, str], str]:
        """Why options are as they are, where that is not what they mean."""
        long = "Nearly all texts fit into so many tokens, at four bytes a token."
        few = f"There are {self.prompts} prompts to train on: what stays in one fold is a pair."
        reasons = {
            ("scorer", "encoder"): f"Many texts are longer than usual. {long}",
            ("scorer", "max_length"): long,
            ("scorer", "fold_by"): few,
            ("scorer", "folds"): f"There are {self.pairs} different pairs.",
            ("training", "pairs_per_step"): f"Few pairs in a step, as {self.rows:,} rows make "
            "few steps.",
            ("data", "codings"): "How labels are read, as their values say; see above.",
        }
        if not self.held_out:
            reasons["data", "held_out"] = (
                f"Nothing is held out: that takes {_FEWEST} rows of {_FEWEST_DIALOGUES} prompts or "
                "more. Compare on other data."
            )
        if language and self.rows >= _STEPS * 32:
            del reasons["training", "pairs_per_step"]
        return reasons
