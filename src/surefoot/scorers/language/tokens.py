"""Tokenised comparisons: a shared prompt, two responses, and what had to be cut."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset, Features, List, Value, concatenate_datasets

from surefoot.data.schema import Preferences
from surefoot.errors import DataError
from surefoot.scorers.language.rendering import render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Prompt, response a and response b of one comparison.
Tokens = tuple[list[int], list[int], list[int]]

_IDS = List(Value("int32"))
_COLUMNS = Features(
    {
        **dict.fromkeys(("prompt", "response_a", "response_b"), _IDS),
        **dict.fromkeys(("prompt_cut", "response_cut", "moved"), Value("bool")),
    }
)
_VERSION = 1  # of the rules here and in rendering.py: part of every key


@dataclass(frozen=True)
class Cuts:
    """What tokenising did to N comparisons: numbers of rows.

    Attributes:
        rows: N.
        prompts: the start of the prompt was cut.
        responses: the end of a response was cut.
        identical: the two responses are the same tokens, as they are or after the cut.
        moved: prompt and response share a token, which counts as the response's.
    """

    rows: int
    prompts: int
    responses: int
    identical: int
    moved: int

    def notes(self, max_length: int, left_out: bool = True) -> list[str]:
        """Sentences for the user, for what happened at all; `left_out`: identical pairs were."""
        after = "were left out" if left_out else "count as ties"
        told = {
            f"lost the start of the prompt (max_length is {max_length} tokens)": self.prompts,
            f"lost the end of a response (max_length is {max_length} tokens)": self.responses,
            f"have two responses of the same tokens and {after}": self.identical,
            "have a token that joins prompt and response; it counts as the response's": self.moved,
        }
        return [f"{count} of {self.rows} pairs {what}." for what, count in told.items() if count]


@dataclass(frozen=True)
class TokenPairs:
    """Tokenised comparisons.

    Attributes:
        dataset: prompt and both responses as token ids, one row per comparison.
        identical: (N,) whether both responses are the same tokens.
        lengths: (N, 2) tokens of prompt and response together.
        response_lengths: (N, 2) tokens of each response.
        cuts: what had to be cut.
        key: hash of the data, the tokenizer, its template and the cut.
    """

    dataset: Dataset
    identical: npt.NDArray[np.bool_]
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

    def select(self, rows: npt.NDArray[np.int64]) -> TokenPairs:
        """The comparisons at these positions, in this order."""
        digest = hashlib.blake2b(rows.tobytes(), key=self.key.encode(), digest_size=16)
        return TokenPairs(
            self.dataset.select(rows),
            self.identical[rows],
            self.lengths[rows],
            self.response_lengths[rows],
            self.cuts,
            digest.hexdigest(),
        )

    def beside(self, others: TokenPairs) -> TokenPairs:
        """These comparisons and then others; what had to be cut is that of these."""
        digest = hashlib.blake2b(f"{self.key} {others.key}".encode(), digest_size=16)
        return TokenPairs(
            concatenate_datasets([self.dataset, others.dataset]),
            np.concatenate([self.identical, others.identical]),
            np.concatenate([self.lengths, others.lengths]),
            np.concatenate([self.response_lengths, others.response_lengths]),
            self.cuts,
            digest.hexdigest(),
        )


_SIDES = ("prompt", "response_a", "response_b")


def tokenise(
    preferences: Preferences,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    keep_end: bool = False,
) -> TokenPairs:
    """Tokenise every comparison, once: the table lies on disk beside its data.

    A pair longer than `max_length` loses the start of its prompt (the same for both responses),
    down to half of `max_length`, then the ends of its responses. A first special token stays.

    Args:
        preferences: N comparisons.
        tokenizer: the model's own, with its chat template.
        max_length: tokens of prompt and response together at most.
        keep_end: keep a last special token too (encoders: `[SEP]`).

    Raises:
        DataError: the chat template refuses a conversation; the message names the row.
    """
    key = _key(preferences, tokenizer, max_length, keep_end)

    def convert(rows: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        columns = (*_SIDES, "conversational", "file", "row")
        values = zip(*(rows[name] for name in columns), strict=True)
        batch = [dict(zip(columns, row, strict=True)) for row in values]
        return _convert(batch, tokenizer, max_length, keep_end)

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
    equal = sizes["response_a"] == sizes["response_b"]
    for row in np.flatnonzero(equal).tolist():
        one = dataset[row]
        equal[row] = one["response_a"] == one["response_b"]
    flags = {
        name: int(np.sum(dataset[name][:])) for name in ("prompt_cut", "response_cut", "moved")
    }
    cuts = Cuts(
        len(dataset), flags["prompt_cut"], flags["response_cut"], int(equal.sum()), flags["moved"]
    )
    lengths = sizes["prompt"][:, None] + responses
    return TokenPairs(dataset, equal, lengths, responses, cuts, key)


def _sizes(arrow: Any, name: str) -> npt.NDArray[np.int64]:
    import pyarrow.compute as pc

    return np.asarray(pc.list_value_length(arrow.column(name)), dtype=np.int64)


def _key(
    preferences: Preferences, tokenizer: PreTrainedTokenizerBase, max_length: int, keep_end: bool
) -> str:
    parts = [
        preferences.fingerprint,
        tokenizer.backend_tokenizer.to_str(),
        tokenizer.chat_template,
        tokenizer.eos_token,
        [max_length, keep_end, _VERSION],
    ]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _convert(
    batch: Sequence[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    keep_end: bool,
) -> dict[str, list[Any]]:
    rendered = []
    for row in batch:
        try:
            sides = [
                render(tokenizer, row["prompt"], row[side], row["conversational"])
                for side in ("response_a", "response_b")
            ]
        except Exception as error:  # a template may raise anything
            raise DataError(
                f"{row['file']}, row {row['row']}: the chat template refuses this conversation "
                f"({error})."
            ) from None
        rendered.append(sides)
    special = set(tokenizer.all_special_ids)
    prompts = _encode(tokenizer, [(sides[0][0], sides[0][2]) for sides in rendered])
    wholes = [
        _encode(tokenizer, [(sides[side][1], sides[side][2]) for sides in rendered])
        for side in (0, 1)
    ]
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for i, sides in enumerate(rendered):
        prompt, whole_a, whole_b = prompts[i], wholes[0][i], wholes[1][i]
        if not sides[0][2]:  # not a template's: the tokenizer closes a text that does not end here
            while prompt and prompt[-1] in special:
                prompt = prompt[:-1]
            whole_a, whole_b = (_ended(whole, tokenizer) for whole in (whole_a, whole_b))
        shared = min(_common(prompt, whole_a), _common(prompt, whole_b))
        one = (whole_a[:shared], whole_a[shared:], whole_b[shared:])
        fitted = _fit(one, max_length, special, keep_end)
        for name, ids in zip(_SIDES, fitted, strict=True):
            columns[name].append(ids)
        columns["prompt_cut"].append(len(fitted[0]) < len(one[0]))
        columns["response_cut"].append(any(len(fitted[k]) < len(one[k]) for k in (1, 2)))
        columns["moved"].append(shared < len(prompt))
    return columns


def _encode(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[tuple[str, bool]]
) -> list[list[int]]:
    """Token ids of texts; those that a template wrote hold their special tokens already."""
    found: list[list[int]] = [[] for _ in texts]
    for templated in (False, True):
        rows = [i for i, (_, by_template) in enumerate(texts) if by_template == templated]
        if rows:
            ids = tokenizer(
                [texts[i][0] for i in rows], add_special_tokens=not templated, verbose=False
            )["input_ids"]
            for i, one in zip(rows, ids, strict=True):
                found[i] = one
    return found


def _ended(ids: list[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    end = tokenizer.eos_token_id
    return ids if end is None or ids[-1:] == [end] else [*ids, end]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the common start."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))


def _fit(tokens: Tokens, max_length: int, special: set[int], keep_end: bool) -> Tokens:
    prompt, *responses = tokens
    room = max_length - max(map(len, responses))
    kept = min(len(prompt), max(room, max_length // 2))
    if kept < len(prompt):
        head = prompt[:1] if prompt[0] in special else []
        prompt = head + prompt[len(prompt) - kept + len(head) :]
    left = max_length - len(prompt)
    a, b = (_cut(response, left, special, keep_end) for response in responses)
    return prompt, a, b


def _cut(response: list[int], left: int, special: set[int], keep_end: bool) -> list[int]:
    if len(response) <= left:
        return response
    tail = response[-1:] if keep_end and response[-1] in special else []
    return response[: left - len(tail)] + tail
