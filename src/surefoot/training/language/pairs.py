"""Comparisons ready for the trainer: tokens, evidence, mass, units, and the reference's figures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.utils.data import DataLoader

from surefoot.arrays import Ints
from surefoot.data.files import read_records
from surefoot.data.rendering.token_pairs import TokenPairs, tokenise
from surefoot.data.schema import Preferences
from surefoot.data.steps import StepSampler
from surefoot.data.units import unit_ids
from surefoot.errors import DataError
from surefoot.escaping import warn
from surefoot.objectives import Evidence, Objective, Outputs, Risk, ScoreKind, Units, enforce
from surefoot.objectives.risk import State
from surefoot.pretrained import Tokenizer
from surefoot.scorers.evidence import evidence_of, facts_of
from surefoot.scorers.language.scores import PolicyScores, ScoreFunction
from surefoot.training.language.step import Step


@dataclass
class TrainingPairs:
    """N comparisons, as the trainer needs them. Indexing gives back the index: steps are rows."""

    preferences: Preferences
    tokens: TokenPairs  #: of the N, and then of P reference pairs, where the objective asks
    evidence: Evidence  #: (N,)
    mass: Tensor  #: (N,) weights
    units: Units | None  #: None where each is its own
    unit_names: tuple[str, ...]
    together: Ints  #: (N,) rows of one number share a step
    encoder: bool  #: the model closes its texts with a special token
    notes: tuple[str, ...]  #: for the user
    #: Units are prompts, of which a step has few; others keep their numbers, which a stateful risk
    #: remembers.
    renumbered: bool = False
    reference: Tensor | None = None  #: (N + P, 2) log-probabilities, once they are known

    @classmethod
    def of(
        cls,
        data: Any,
        tokenizer: Tokenizer,
        objective: Objective,
        scores: ScoreKind,
        max_length: int,
        encoder: bool = False,
        learning: bool = True,
        step_size: int | None = None,
    ) -> TrainingPairs:
        """Tokenise comparisons and check them against the objective.

        `data` is what :func:`to_preferences` takes. A model may be an `encoder`, which closes its
        texts with a special token. For `learning`, pairs that teach nothing are left out: responses
        of the same tokens, weight 0. A step has `step_size` pairs; None: all of them.

        Raises:
            CompositionError: the objective does not go with the data or the scorer.
            DataError: nothing is left.
        """
        preferences = to_preferences(data, "train_dataset" if learning else "eval_dataset")
        tokens = tokenise(preferences, tokenizer, max_length, keep_end=encoder)
        cuts = tokens.cuts.notes(max_length, learning)
        if preferences is not data:  # whoever read them was warned
            cuts = [*_warnings_of_reading(preferences), *cuts]
        preferences, tokens = _kept(preferences, tokens, learning, cuts)
        units, names = _units(preferences, objective.risk)
        # Prompts are small enough to be whole in a step; sources and groups are spread over steps.
        whole = objective.risk.unit == "prompt"
        spread = None if whole else step_size
        facts = facts_of(preferences, units, spread, scores=scores, linear=False)
        if not learning:  # what has no effect, or is too noisy to learn from, can be evaluated
            facts = replace(facts, soft_labels=None, smallest_unit=None)
        notes = [*enforce(objective, facts), *cuts]
        evidence, references = evidence_of(preferences, objective)
        if references is not None:
            reference_tokens = tokenise(references, tokenizer, max_length, keep_end=encoder)
            reference_tokens.require(references)
            lost = reference_tokens.cuts.notes(max_length, left_out=False)
            notes += [f"Of the reference pairs: {one}" for one in lost]
            tokens = tokens.beside(reference_tokens)
        for note in notes:
            warn(f"{preferences.name}: {note}", stacklevel=2)
        together = units.ids.numpy() if whole and units is not None else np.arange(len(preferences))
        mass = torch.from_numpy(preferences.weights)
        known = (preferences, tokens, evidence, mass, units, names, together, encoder)
        return cls(*known, tuple(notes), renumbered=whole)

    def __len__(self) -> int:
        return len(self.mass)

    def __getitem__(self, index: int) -> int:
        return index

    def step(self, rows: Ints) -> Step:
        """The step of these rows. Prompts are numbered anew: most of them are elsewhere."""
        index = torch.from_numpy(rows)
        units = None
        if self.units is not None:
            ids, count = self.units.ids[index], self.units.count
            if self.renumbered:
                _, ids = ids.unique(return_inverse=True)
                count = int(ids.max()) + 1
            units = Units(ids, count)
        evidence, every = self.evidence[index], rows
        if self.evidence.references is not None:
            theirs = self.evidence.references.pairs_of(index).numpy()
            every = np.concatenate([rows, len(self) + theirs])
        reference = None if self.reference is None else self.reference[torch.from_numpy(every)]
        return Step(every, evidence, self.mass[index], units, reference)

    def risk_state(self, risk: Risk) -> State:
        """The state of a risk before the first step."""
        return risk.start(self.mass, self.units)

    @cached_property
    def key(self) -> str:
        """Hash of what is learnt from: tokens, evidence, mass and units."""
        digest = hashlib.blake2b(repr(self.unit_names).encode(), digest_size=16)
        for name in ("prompt", "response_a", "response_b"):
            column = self.tokens.dataset.select_columns([name]).with_format("arrow")
            for table in column.iter(1024):
                digest.update(table.column(name).combine_chunks().flatten().to_numpy())
        digest.update(self.tokens.lengths.tobytes() + self.tokens.response_lengths.tobytes())
        units = None if self.units is None else self.units.ids
        for name, tensor in (("mass", self.mass), ("units", units), *self.evidence.named()):
            digest.update(name.encode())
            digest.update(b"none" if tensor is None else tensor.numpy().tobytes())
        return digest.hexdigest()

    def loader(self, size: int, seed: int, shuffle: bool) -> StepLoader:
        """The rows of each step, about `size` of them."""
        sampler = StepSampler(self.together, size, seed, shuffle)
        # Indices are the items, and a batch is what the sampler draws at once.
        return StepLoader(self, batch_sampler=sampler, collate_fn=np.asarray)  # type: ignore[arg-type]

    def outputs(self, values: Tensor, score: ScoreFunction) -> Outputs:
        """Outputs (N + P, 2) from rewards or log-probabilities (N + P, 2)."""
        lengths = torch.from_numpy(self.tokens.response_lengths)
        if not isinstance(score, PolicyScores) or self.reference is None:
            return Outputs(values, None, lengths)
        scores = score.of_log_probs(values, self.reference.to(values), lengths)
        return Outputs(scores, values, lengths)

    def place(self, row: int) -> str:
        """Where a row came from, for messages."""
        one = self.preferences.dataset[int(row)]
        return f"{one['file']}, row {one['row']}"


class StepLoader(DataLoader[Any]):
    """A loader that tells its sampler the epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


def _kept(
    preferences: Preferences, tokens: TokenPairs, learning: bool, cuts: list[str]
) -> tuple[Preferences, TokenPairs]:
    """What can be read and, for `learning`, teaches something; `cuts` says what was left out."""
    weightless = (preferences.weights == 0) & ~tokens.refused
    if learning and weightless.any():
        cuts.append(f"{weightless.sum()} pairs have weight 0 and were left out.")
    left_out = tokens.refused | (learning & (tokens.identical | weightless))
    if left_out.any():
        kept = np.flatnonzero(~left_out)
        preferences, tokens = preferences.select(kept), tokens.select(kept)
    if not (preferences.weights > 0).any():
        raise DataError(f"{preferences.name}: no pair is left that has a weight. {' '.join(cuts)}")
    return preferences, tokens


def _units(preferences: Preferences, risk: Risk) -> tuple[Units | None, tuple[str, ...]]:
    """The units of a risk, with their names; none where it is over pairs."""
    if risk.unit == "pair":
        return None, ()
    ids, names = unit_ids(preferences, risk.unit)
    return Units(torch.from_numpy(ids), len(names)), tuple(names)


def _warnings_of_reading(preferences: Preferences) -> list[str]:
    """Warnings about columns, and rows that were left out."""
    found = [line for reading in preferences.readings for line in reading.warnings]
    faults = preferences.faults
    if not faults:
        return found
    named = "; ".join(f"row {one.row}: {one.reason}" for one in faults[:3])
    more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
    count = len(faults) + len(preferences)
    unreadable = f"{len(faults)} of {count} rows could not be read and are left out"
    return [f"{unreadable} ({named}{more}).", *found]


def to_preferences(data: Any, name: str) -> Preferences:
    """Preferences from preferences, a `datasets.Dataset`, or rows (called `name` in messages).

    Raises:
        DataError: something else, or rows in none of the forms.
    """
    if isinstance(data, Preferences):
        return data
    if isinstance(data, Dataset):
        return read_records(data, name, data._fingerprint)
    rows = data if isinstance(data, Sequence) and not isinstance(data, str) else []
    if rows and all(isinstance(row, Mapping) for row in rows):
        return read_records(rows, name)
    raise DataError(
        f"{name} is Preferences (surefoot.data.read_preferences), a datasets.Dataset or a list of "
        f"rows; got {type(data).__name__}."
    )
