"""Tokenised comparisons as a table, made once: audits and trainers read the same one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value, concatenate_datasets

from surefoot.arrays import Bools, Ints
from surefoot.data.keys import digest_of
from surefoot.data.rendering.notes import Cuts
from surefoot.data.rendering.tokens import VERSION, TokenReader, Tokens
from surefoot.data.schema import TURNS, Fault, Preferences
from surefoot.errors import DataError
from surefoot.pretrained import Tokenizer

_NAMED = 3  # refused rows, in messages
_COLUMNS = Features(
    {
        **dict.fromkeys(TURNS, List(Value("int32"))),
        "sizes": List(Value("int32")),  # tokens of each side
        "identical": Value("bool"),
        "marks": List(Value("string")),
        "refused": Value("string"),  # why a row cannot be used; it has no tokens then
    }
)


@dataclass(frozen=True)
class TokenPairs:
    """Tokenised comparisons."""

    dataset: Dataset
    """Prompt and both responses as token ids, one row per comparison, and what is known of it."""
    cuts: Cuts  #: what was cut, and how the texts differ from the data
    key: str  #: hash of the data, the tokenizer, its template and the cut

    def __len__(self) -> int:
        return len(self.dataset)

    def column(self, name: str) -> list[Any]:
        """What is known of every row: `sizes`, `identical`, `marks` or `refused`."""
        found = self.dataset.select_columns([name]).with_format("arrow")[:]
        return list(found.column(name).to_pylist())

    @cached_property
    def _sizes(self) -> Ints:
        return np.array(self.column("sizes"), dtype=np.int64).reshape(-1, len(TURNS))

    @cached_property
    def lengths(self) -> Ints:
        """Tokens of prompt and response together, shape (N, 2)."""
        return self._sizes[:, :1] + self._sizes[:, 1:]

    @property
    def prompt_lengths(self) -> Ints:
        """Tokens of each prompt, shape (N,)."""
        return self._sizes[:, 0]

    @property
    def response_lengths(self) -> Ints:
        """Tokens of each response, shape (N, 2)."""
        return self._sizes[:, 1:]

    @cached_property
    def identical(self) -> Bools:
        """Whether both responses are the same tokens, shape (N,)."""
        return np.array(self.column("identical"), dtype=bool)

    @cached_property
    def refused(self) -> Bools:
        """Whether a row cannot be used, shape (N,)."""
        return np.array([reason is not None for reason in self.column("refused")], dtype=bool)

    def read(self, rows: Ints) -> list[Tokens]:
        """The comparisons at these positions."""
        found = self.dataset[rows.tolist()]
        return list(zip(*(found[name] for name in TURNS), strict=True))

    def having(self, mark: str) -> Bools:
        """Whether each row has a mark of :class:`TokenRow`, shape (N,)."""
        return np.array([mark in marks for marks in self.column("marks")], dtype=bool)

    def require(self, preferences: Preferences) -> None:
        """Refuse data of which some rows cannot be read; `preferences` are where they came from.

        Raises:
            DataError: there are such rows; the message names the first.
        """
        for fault in refusals(self, preferences).values():
            raise DataError(f"{fault.file}, row {fault.row}: {fault.reason}.")

    def select(self, rows: Ints) -> TokenPairs:
        """The comparisons at these positions, in this order."""
        key = digest_of(self.key, rows.tobytes().hex())
        return TokenPairs(self.dataset.select(rows), self.cuts, key)

    def beside(self, others: TokenPairs) -> TokenPairs:
        """All comparisons of both, the others last; `cuts` are those of the first alone."""
        both = concatenate_datasets([self.dataset, others.dataset])
        return TokenPairs(both, self.cuts, digest_of(self.key, others.key))


def tokenise(
    preferences: Preferences, tokenizer: Tokenizer, max_length: int, keep_end: bool = False
) -> TokenPairs:
    """Tokenise every comparison with a model's own tokenizer, once: the table lies beside the data.

    How they are rendered and cut, by `max_length` and `keep_end`:
    :meth:`surefoot.data.rendering.tokens.TokenReader.rows`.
    """
    key = _key(preferences, tokenizer, max_length, keep_end)
    dataset = preferences.dataset.map(
        lambda rows: _columns(rows, tokenizer, max_length, keep_end),
        batched=True,
        batch_size=256,
        remove_columns=preferences.dataset.column_names,
        features=_COLUMNS,
        new_fingerprint=key,
        desc="tokenising",
    )
    found = TokenPairs(dataset, Cuts(len(dataset)), key)
    named = islice(refusals(found, preferences).values(), _NAMED)
    cuts = Cuts(
        rows=len(dataset),
        identical=int(found.identical.sum()),
        refused=int(found.refused.sum()),
        refusals=tuple(f"{one.file}, row {one.row}: {one.reason}" for one in named),
        marks=dict(sorted(Counter(chain.from_iterable(found.column("marks"))).items())),
    )
    return replace(found, cuts=cuts)


def refusals(tokens: TokenPairs, preferences: Preferences) -> dict[int, Fault]:
    """The rows that cannot be read, by their positions, and why."""
    rows = np.flatnonzero(tokens.refused)
    reasons = tokens.dataset.select(rows)["refused"]
    places = preferences.dataset.select(rows).select_columns(["file", "row"])
    faults = (Fault(**place, reason=why) for place, why in zip(places, reasons, strict=True))
    return dict(zip(rows.tolist(), faults, strict=True))


def _columns(
    rows: Mapping[str, Sequence[Any]], tokenizer: Tokenizer, max_length: int, keep_end: bool
) -> dict[str, list[Any]]:
    batch = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
    found = TokenReader(tokenizer).rows(batch, max_length, keep_end)
    return {
        **{name: [one.tokens[k] for one in found] for k, name in enumerate(TURNS)},
        "sizes": [list(map(len, one.tokens)) for one in found],
        "identical": [one.refused is None and one.tokens[1] == one.tokens[2] for one in found],
        "marks": [one.marks for one in found],
        "refused": [one.refused for one in found],
    }


def _key(preferences: Preferences, tokenizer: Tokenizer, max_length: int, keep_end: bool) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)  # some are written in Python
    return digest_of(
        preferences.fingerprint,
        backend.to_str() if backend is not None else sorted(tokenizer.get_vocab().items()),
        tokenizer.chat_template,
        tokenizer.special_tokens_map,
        [max_length, keep_end, VERSION, *_COLUMNS],
        date.today().isoformat() if "strftime_now" in str(tokenizer.chat_template) else None,
    )
