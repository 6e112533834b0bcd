"""The data contract: one row is one comparison of two responses to one prompt.

Every reader ends in a :class:`Preferences`: an Arrow table on disk (memory-mapped by `datasets`)
with the columns of :data:`FEATURES`, whatever form the data came in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from datasets import Dataset, Features, List, Value, concatenate_datasets

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.columns import DECLARED, Column
from surefoot.data.keys import connected, digest_of, key_of, opening_key, prompt_key
from surefoot.data.reading import fields
from surefoot.data.reading.account import Fault as Fault
from surefoot.data.reading.account import Reading
from surefoot.data.text import (
    Message,
    Prompt,
    last_turn,
    messages,
    to_messages,
    to_text,
)
from surefoot.errors import DataError, unknown_name

_MESSAGES = List(dict.fromkeys(("role", "content", "extra"), Value("string")))

#: `label_from` of a pair that has no label, and was taken all the same.
ABSENT = "absent"
#: `label_from` of a pair whose sides say nothing of who judged: the better response stands first
#: because its form says so (of several votes, the one that the first of them prefers), or where a
#: suite drew it.
ORDER = "order"

_TEXT, _NUMBER = Value("string"), Value("float64")


def _references(value: Any, name: str) -> list[list[Message]]:
    return [to_messages(one, role="assistant") for one in fields.listed(value, name)]


def _probabilities(value: Any, name: str) -> list[float]:
    return [fields.probability(one, name) for one in fields.listed(value, name)]


#: Columns that may be null: what they hold, and how a value is checked and converted.
_OPTIONAL: dict[str, tuple[Any, Callable[[Any, str], Any]]] = {
    "id": (_TEXT, fields.name_of),
    "conversational": (Value("bool"), fields.truth),  # False: text, to which no template applies
    # JSON text: the functions that the chat template is given, and its other arguments
    "tools": (_TEXT, partial(fields.json_text, kind=list)),
    "template_arguments": (_TEXT, partial(fields.json_text, kind=dict)),
    "votes": (List({"annotator": _TEXT, "value": _NUMBER}), lambda value, _: fields.votes(value)),
    "group": (_TEXT, fields.name_of),
    "source": (_TEXT, fields.name_of),
    "cluster": (_TEXT, fields.name_of),  # of the prompt; `surefoot train` can make them
    "model_a": (_TEXT, fields.name_of),  # what wrote the responses
    "model_b": (_TEXT, fields.name_of),
    "time": (_NUMBER, lambda value, _: fields.time_of(value)),
    "weight": (_NUMBER, partial(fields.number, low=0.0)),
    "auxiliary": (_NUMBER, fields.probability),  # estimated P(a preferred)
    "references": (List(_MESSAGES), _references),  # responses drawn from the reference policy
    "reference_auxiliary": (List(_NUMBER), _probabilities),  # of consecutive or all pairs of them
    "reference_law": (_TEXT, lambda value, _: str(value)),  # `pool`: they are all there are
    "score_a": (_NUMBER, fields.number),  # the data's own scores: evidence about the label
    "score_b": (_NUMBER, fields.number),
    "numbers": (List({"name": _TEXT, "value": _NUMBER}), lambda value, _: list(value)),  # declared
    "label_from": (_TEXT, lambda value, _: str(value)),  # order, label, votes, scores or ABSENT
    "note": (_TEXT, lambda value, _: str(value)),  # what the reader had to work around
}

#: The columns of turns, which may be null in no row.
TURNS = ("prompt", "response_a", "response_b")

#: Every column of a comparison. All are present in every table; null stands for "not given".
FEATURES = Features(
    {
        "id": _TEXT,
        **dict.fromkeys(TURNS, _MESSAGES),
        "label": _NUMBER,  # P(a preferred): 1, 0, 0.5 for a tie, or soft
        **{name: kind for name, (kind, _) in _OPTIONAL.items()},
        "file": _TEXT,  # where the row came from, for messages
        "row": Value("int64"),
    }
)

View = Literal["prompt", "last-turn", "response", "together", "full"]
_VIEWS: dict[View, Callable[[Prompt, Sequence[Message]], str]] = {
    "prompt": lambda prompt, _: prompt.text(),
    "last-turn": lambda prompt, _: last_turn(prompt.prompt),
    "response": lambda _, response: to_text(response),
    "together": lambda prompt, response: f"{last_turn(prompt.prompt)}\n\n{to_text(response)}",
    "full": lambda prompt, response: f"{prompt.text()}\n\n{to_text(response)}",
}


@dataclass(frozen=True)
class Preferences:
    """Comparisons under the data contract."""

    dataset: Dataset  #: the rows, with the columns of :data:`FEATURES`
    name: str  #: what messages and reports call this data
    fingerprint: str = ""  #: hash of the content that the rows were read from
    faults: tuple[Fault, ...] = ()  #: rows that were left out when reading, with their places
    readings: tuple[Reading, ...] = field(default=(), compare=False)
    """How each file was read: what became of its columns, and how labels are coded."""

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], name: str = "rows") -> Preferences:
        """Make a table in memory from rows under the contract (small data: worlds and tests).

        `prompt` and the responses may be plain strings; absent columns become null.

        Raises:
            DataError: an unknown column, a missing one, or a value of the wrong type or range; the
                message starts with the place.
        """
        complete = []
        for i, row in enumerate(rows):
            place = {"file": row.get("file", name), "row": row.get("row", i)}
            try:
                complete.append(filled(row) | place)
            except DataError as error:
                raise DataError(f"{name}, row {i}: {str(error).rstrip('.')}.") from None
        columns = {key: [row[key] for row in complete] for key in FEATURES}
        return cls(Dataset.from_dict(columns, features=FEATURES), name, digest_of(complete))

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def labels(self) -> Floats:
        """P(a preferred) of each row, shape (N,)."""
        return self.numbers("label")

    @property
    def weights(self) -> Floats:
        """Weight of each row, shape (N,); 1 where none is given."""
        return np.nan_to_num(self.numbers("weight"), nan=1.0)

    def numbers(self, column: str) -> Floats:
        """A numeric column, of the contract or declared, shape (N,), with NaN where it is null."""
        if column not in FEATURES:
            given = ({n["name"]: n["value"] for n in row or ()} for (row,) in self.read("numbers"))
            return np.array([row.get(column, np.nan) for row in given], dtype=np.float64)
        return np.array(self._arrow[column].to_pandas(), dtype=np.float64)

    def strings(self, column: str) -> list[str | None]:
        """A text column such as `source` or `group`."""
        return list(self._arrow[column].to_pylist())

    def has(self, column: str) -> bool:
        """Whether any row gives this column."""
        if column not in FEATURES:
            return self.has("numbers") and not bool(np.isnan(self.numbers(column)).all())
        values = self._arrow[column]
        return bool(values.null_count < len(values))

    @cached_property
    def _arrow(self) -> Any:
        """Arrow columns by name, selection applied; made once, as changing the format copies."""
        return self.dataset.with_format("arrow")

    def read(self, *columns: str) -> Iterator[tuple[Any, ...]]:
        """Values of some columns, row by row, with only a few rows in memory at a time."""
        for batch in self.dataset.select_columns(list(columns)).iter(_BATCH):
            yield from zip(*(batch[name] for name in columns), strict=True)

    def texts(self, view: View) -> tuple[list[str], list[str]]:
        """Text of every row as seen with response a and with response b.

        Views: `prompt` (tools and all turns), `last-turn` (the last one only), `response`,
        `together` (last turn and response), `full` (tools, all turns and response).
        """
        sides: tuple[list[str], list[str]] = ([], [])
        for *prompt, a, b in self.read(*Prompt._fields, "response_a", "response_b"):
            for texts, response in zip(sides, (a, b), strict=True):
                texts.append(_VIEWS[view](Prompt(*prompt), response))
        return sides

    def prompts(self) -> Iterator[Prompt]:
        """The prompt of each row, with what a chat template is given beside it."""
        return (Prompt(*row) for row in self.read(*Prompt._fields))

    def prompt_keys(self) -> Ints:
        """A hash of each row's prompt, blind to case and spacing, shape (N,).

        Rows without a prompt have a key in common where they are connected by responses.
        """
        keys = np.array(list(map(prompt_key, self.prompts())), dtype=np.int64)
        without = np.flatnonzero(keys == key_of(""))
        if len(without):
            keys[without] = connected(self.select(without).response_keys())
        return keys

    def opening_keys(self) -> Ints:
        """A hash of what the user says first, shape (N,): branches of one dialogue share it."""
        return np.array([opening_key(one) for (one,) in self.read("prompt")], dtype=np.int64)

    def response_keys(self) -> Ints:
        """A hash of each (prompt, response), shape (N, 2): equal where pairs share a response."""
        keys = [
            [key_of(Prompt(*prompt).text() + "\0" + to_text(side)) for side in (a, b)]
            for *prompt, a, b in self.read(*Prompt._fields, "response_a", "response_b")
        ]
        return np.array(keys, dtype=np.int64).reshape(-1, 2)

    def select(self, indices: ArrayLike) -> Preferences:
        """The rows at these positions, in this order."""
        rows = np.asarray(indices, dtype=np.int64)
        fingerprint = digest_of(self.fingerprint, rows.tobytes().hex())
        return replace(self, dataset=self.dataset.select(rows), fingerprint=fingerprint)

    def with_labels(self, labels: ArrayLike) -> Preferences:
        """A copy with other labels, shape (N,) (used to inject known flips)."""
        return self.with_columns(label=np.asarray(labels, dtype=np.float64).tolist())

    def with_columns(self, **columns: Sequence[Any]) -> Preferences:
        """A copy with some columns, N values each, in place of its own."""
        dataset, given = self.dataset, {name: list(values) for name, values in columns.items()}
        for name, values in given.items():
            dataset = dataset.remove_columns(name)
            dataset = dataset.add_column(name, values, feature=FEATURES[name])
        return replace(self, dataset=dataset, fingerprint=digest_of(self.fingerprint, given))


_BATCH = 256


def concatenate(parts: Sequence[Preferences], name: str | None = None) -> Preferences:
    """Several tables as one, in the order given."""
    return Preferences(
        dataset=concatenate_datasets([p.dataset.select_columns(list(FEATURES)) for p in parts]),
        name=name or " + ".join(p.name for p in parts),
        fingerprint=digest_of(*(p.fingerprint for p in parts)),
        faults=tuple(fault for p in parts for fault in p.faults),
        readings=tuple(reading for p in parts for reading in p.readings),
    )


def declared(name: str) -> Column | None:
    """The column of this name that a member reads beside those of the contract, if one does."""
    if name in FEATURES:
        return None
    if f'"{name}"' in _sources_of_members():
        import surefoot.objectives  # noqa: F401  # heavy: it needs torch

    return DECLARED.get(name)


@cache
def _sources_of_members() -> str:
    """The code of surefoot's own members, in which a column that one declares is named."""
    folder = Path(__file__).parents[1] / "objectives"
    return "".join(one.read_text(encoding="utf-8") for one in sorted(folder.rglob("*.py")))


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """A checked row with every column (`file` and `row` null); errors do not name the place."""
    for name in values:
        if name not in FEATURES and declared(name) is None:
            raise DataError(unknown_name("column", name, FEATURES))
    for name in (*TURNS, "label"):
        if values.get(name) is None:
            raise DataError(f"the column {name!r} is missing or null")
    complete: dict[str, Any] = dict.fromkeys(FEATURES)
    for name, value in values.items():
        if fields.missing(value):
            continue
        try:
            if name in _OPTIONAL:
                complete[name] = _OPTIONAL[name][1](value, name)
            elif (column := declared(name)) is not None:
                number = fields.number(value, name, column.low, column.high)
                known = complete["numbers"] or ()
                complete["numbers"] = [*known, {"name": name, "value": number}]
        except DataError as error:
            raise fields.MisfitError(name, error) from None
    for name in TURNS:
        role = "user" if name == "prompt" else "assistant"
        complete[name] = messages(values[name], role, name)
    try:
        complete["label"] = fields.probability(values["label"], "label")
    except DataError:
        raise DataError(f"label is P(a preferred), in [0, 1]; got {values['label']!r}") from None
    if complete["conversational"] is None:
        complete["conversational"] = not all(isinstance(values[name], str) for name in TURNS)
    return complete
