"""Sizes of comparisons, and the options that suit them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from surefoot.arrays import Ints
from surefoot.data import Preferences
from surefoot.data.age import DAY
from surefoot.data.apart import MOST, SHARE
from surefoot.data.schema import View
from surefoot.data.splits import dialogues, split
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


#: Why options are as they are, by section and name.
Reasons = dict[tuple[str, str], str]
Fitting = tuple[dict[str, Any], dict[str, Any], Reasons]


@dataclass(frozen=True)
class Sizes:
    """How many rows and prompts there are to train on, how long they are, and what suits them."""

    preferences: Preferences

    @cached_property
    def _dialogues(self) -> Ints:
        return dialogues(self.preferences)

    @cached_property
    def split(self) -> dict[str, Any]:
        """Options of the split; nothing is held out where that would tell nothing.

        Dialogues are kept whole where some prompts are branches of one.
        """
        rows, whole = len(self.preferences), len(np.unique(self._dialogues))
        if rows < _FEWEST or whole < _FEWEST_DIALOGUES:
            return {"held_out": 0.0}
        share = SHARE if rows * SHARE <= MOST else float(f"{MOST / rows:.1g}")
        branches = (self._dialogues != self.preferences.prompt_keys()).any()
        return {"held_out": share} | ({"split_by": "dialogue"} if branches else {})

    @cached_property
    def _training(self) -> Preferences:
        how = self.split
        if not how["held_out"]:
            return self.preferences
        return split(self.preferences, how["held_out"], how.get("split_by", "prompt"))[0]

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
        """Different pairs to train on; slow, and not asked for where there are many prompts."""
        return len(np.unique(np.sort(self._training.response_keys(), axis=1), axis=0))

    @cached_property
    def with_turns(self) -> float:
        """Share of the rows whose prompt has more than one turn."""
        return float(np.mean([len(prompt) > 1 for (prompt,) in self._training.read("prompt")]))

    @cached_property
    def days(self) -> float:
        """Days from the oldest row to the newest; 0 where some row has no time."""
        time = self.preferences.numbers("time")
        return 0.0 if np.isnan(time).any() else float(np.ptp(time)) / DAY

    def of_embeddings(self) -> Fitting:
        """Options of a head on embeddings, of its training, and why."""
        scorer: dict[str, Any] = {}
        usual = EncoderOptions.model_fields["max_length"].default
        if self._length("together") > usual:
            scorer["encoder"] = {"max_length": 2 * usual}
        folds = EmbeddingScorer.model_fields["folds"].default
        if self.prompts < folds:
            scorer |= {"fold_by": "row"} | ({"folds": self.pairs} if self.pairs < folds else {})
        return (
            scorer,
            {},
            {
                ("scorer", "encoder"): f"Many texts are longer than the usual {usual} tokens.",
                ("scorer", "fold_by"): f"{self.prompts} prompts make no {folds} folds; pairs do.",
                ("scorer", "folds"): "There are no more different pairs.",
            },
        )

    def of_language(self) -> Fitting:
        """Options of a language model, of its training, and why."""
        usual = LanguageTrainingOptions.model_fields["pairs_per_step"].default
        step = next((size for size in (usual, 16) if self.rows >= size * _STEPS), 8)
        epochs = min(_EPOCHS, math.ceil(_STEPS * step / self.rows))
        reasons = {
            ("scorer", "max_length"): "As long as most prompts with a response, at four bytes a "
            "token; longer ones are cut."
        }
        if step < usual:
            few = f"Few pairs in a step, as {self.rows:,} rows make few steps."
            reasons["training", "pairs_per_step"] = few
        training = {"epochs": epochs, "pairs_per_step": step}
        return {"max_length": self._length("full")}, training, reasons

    def _length(self, view: View) -> int:
        """The least of the lengths into which nearly all texts fit, or the largest."""
        step = -(-self.rows // _MEASURED)
        texts = self._training.select(np.arange(0, self.rows, step)).texts(view)
        sizes = [len(text.encode(errors="replace")) / _BYTES for side in texts for text in side]
        needed = float(np.quantile(sizes, _FIT))
        return next((length for length in _LENGTHS if length >= needed), _LENGTHS[-1])

    @property
    def reasons(self) -> Reasons:
        """Why data are split and read as they are, where that is not what the options mean."""
        reasons = {("data", "codings"): "How labels are read, as their values say; see above."}
        if not self.split["held_out"]:
            reasons["data", "held_out"] = (
                f"Nothing is held out: that takes {_FEWEST} rows of {_FEWEST_DIALOGUES} prompts or "
                "more. Compare on other data."
            )
        return reasons
