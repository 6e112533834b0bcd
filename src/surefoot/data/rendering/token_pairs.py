"""Tokenised comparisons as a table, made once: audits and trainers read the same one."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset, Features, List, Value, concatenate_datasets

from surefoot.data.rendering.notes import Cuts
from surefoot.data.rendering.tokens import VERSION, TokenReader, Tokens
from surefoot.data.schema import Fault, Preferences
from surefoot.data.text import Prompt
from surefoot.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SIDES = ("prompt", "response_a", "response_b")
_NAMED = 3  # refused rows, in messages
_COLUMNS = Features(
    {
        **dict.fromkeys(_SIDES, List(Value("int32"))),
        "marks": List(Value("string")),
        "refused": Value("string"),
    }
)


@dataclass(frozen=True)
class TokenPairs:
    """Tokenised comparisons.

    Attributes:
        dataset: prompt and both responses as token ids, one row per comparison.
        identical: (N,) whether both responses are the same tokens.
        refused: (N,) whether a row cannot be used; it has no tokens then.
        lengths: (N, 2) tokens of prompt and response together.
        response_lengths: (N, 2) tokens of each response.
        cuts: what was cut, and how the texts differ from the data.
        key: hash of the data, the tokenizer, its template and the cut.
    """

    dataset: Dataset
    identical: npt.NDArray[np.bool_]
    refused: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]
    response_lengths: npt.NDArray[np.int64]
    cuts: Cuts
    key: str

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, rows: npt.NDArray[np.int64]) -> list[Tokens]:
        """The comparisons at these positions."""
        found = self.dataset[rows.tolist()]
        return list(zip(*(found[name] for name in _SIDES), strict=True))

    def having(self, mark: str) -> npt.NDArray[np.bool_]:
        """Whether each row has a mark of :class:`TokenRow`, shape (N,)."""
        return np.array([mark in marks for marks in self.dataset["marks"]], dtype=bool)

    def require(self, preferences: Preferences) -> None:
        """Refuse data of which some rows cannot be read; `preferences` are where they came from.

        Raises:
            DataError: there are such rows; the message names the first.
        """
        for fault in refusals(self, preferences).values():
            raise DataError(f"{fault.file}, row {fault.row}: {fault.reason}.")

    def select(self, rows: npt.NDArray[np.int64]) -> TokenPairs:
        """The comparisons at these positions, in this order."""
        digest = hashlib.blake2b(rows.tobytes(), key=self.key.encode(), digest_size=16)
        return TokenPairs(
            self.dataset.select(rows),
            self.identical[rows],
            self.refused[rows],
            self.lengths[rows],
            self.response_lengths[rows],
            self.cuts,
            digest.hexdigest(),
        )

    def beside(self, others: TokenPairs) -> TokenPairs:
        """All comparisons of both, the others last; `cuts` are those of the first alone."""
        digest = hashlib.blake2b(f"{self.key} {others.key}".encode(), digest_size=16)
        return TokenPairs(
            concatenate_datasets([self.dataset, others.dataset]),
            np.concatenate([self.identical, others.identical]),
            np.concatenate([self.refused, others.refused]),
            np.concatenate([self.lengths, others.lengths]),
            np.concatenate([self.response_lengths, others.response_lengths]),
            self.cuts,
            digest.hexdigest(),
        )


def tokenise(
    preferences: Preferences,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    keep_end: bool = False,
) -> TokenPairs:
    """Tokenise every comparison, once: the table lies on disk beside its data.

    How they are rendered and cut: :class:`surefoot.data.rendering.tokens.TokenReader`.

    Args:
        preferences: N comparisons.
        tokenizer: the model's own, with its chat template.
        max_length: tokens of prompt and response together at most.
        keep_end: keep a last special token too (encoders: `[SEP]`).
    """
    key = _key(preferences, tokenizer, max_length, keep_end)

    def convert(rows: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        columns = (*Prompt._fields, "response_a", "response_b")
        values = zip(*(rows[name] for name in columns), strict=True)
        batch = [dict(zip(columns, row, strict=True)) for row in values]
        return _columns(batch, tokenizer, max_length, keep_end)

    dataset = preferences.dataset.map(
        convert,
        batched=True,
        batch_size=256,
        remove_columns=preferences.dataset.column_names,
        features=_COLUMNS,
        new_fingerprint=key,
        desc="tokenising",
    )
    arrow = dataset.with_format("arrow")[:]
    sizes = {name: _sizes(arrow, name) for name in _SIDES}
    responses = np.stack([sizes["response_a"], sizes["response_b"]], axis=1)
    refused = np.array(arrow.column("refused").is_valid(), dtype=bool)
    equal = (sizes["response_a"] == sizes["response_b"]) & ~refused
    for row in np.flatnonzero(equal).tolist():
        one = dataset[row]
        equal[row] = one["response_a"] == one["response_b"]
    marks = Counter(mark for row in arrow.column("marks").to_pylist() for mark in row)
    named = _faults(dataset, preferences, np.flatnonzero(refused)[:_NAMED])
    cuts = Cuts(
        rows=len(dataset),
        identical=int(equal.sum()),
        refused=int(refused.sum()),
        refusals=tuple(f"{one.file}, row {one.row}: {one.reason}" for one in named),
        marks=dict(sorted(marks.items())),
    )
    lengths = sizes["prompt"][:, None] + responses
    return TokenPairs(dataset, equal, refused, lengths, responses, cuts, key)


def refusals(tokens: TokenPairs, preferences: Preferences) -> dict[int, Fault]:
    """The rows that cannot be read, by their positions, and why."""
    rows = np.flatnonzero(tokens.refused)
    return dict(zip(rows.tolist(), _faults(tokens.dataset, preferences, rows), strict=True))


def _faults(
    dataset: Dataset, preferences: Preferences, rows: npt.NDArray[np.int64]
) -> tuple[Fault, ...]:
    if not len(rows):
        return ()
    reasons = dataset.select(rows)["refused"]
    places = preferences.dataset.select(rows).select_columns(["file", "row"])
    return tuple(
        Fault(place["file"], place["row"], reason)
        for place, reason in zip(places, reasons, strict=True)
    )


def _columns(
    batch: Sequence[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    keep_end: bool,
) -> dict[str, list[Any]]:
    found = TokenReader(tokenizer).rows(batch, max_length, keep_end)
    ids = zip(_SIDES, zip(*(one.tokens for one in found), strict=True), strict=True)
    columns: dict[str, list[Any]] = {name: list(side) for name, side in ids}
    for name in ("marks", "refused"):
        columns[name] = [getattr(one, name) for one in found]
    return columns


def _sizes(arrow: Any, name: str) -> npt.NDArray[np.int64]:
    import pyarrow.compute as pc

    return np.asarray(pc.list_value_length(arrow.column(name)), dtype=np.int64)


def _key(
    preferences: Preferences, tokenizer: PreTrainedTokenizerBase, max_length: int, keep_end: bool
) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)  # some are written in Python
    parts = [
        preferences.fingerprint,
        backend.to_str() if backend is not None else sorted(tokenizer.get_vocab().items()),
        tokenizer.chat_template,
        tokenizer.special_tokens_map,
        [max_length, keep_end, VERSION],
        date.today().isoformat() if "strftime_now" in str(tokenizer.chat_template) else None,
    ]
    text = json.dumps(parts, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
