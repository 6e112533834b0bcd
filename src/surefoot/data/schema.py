"""The data contract: one row is one comparison of two responses to one prompt.

Every reader ends in a :class:`Preferences`: an Arrow table on disk (memory-mapped by `datasets`)
with the columns of :data:`FEATURES`, whatever form the data came in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from datasets import Dataset, Features, List, Value, concatenate_datasets

from surefoot.columns import DECLARED, Column
from surefoot.data.reading import fields
from surefoot.data.reading.account import Fault as Fault
from surefoot.data.reading.account import Reading
from surefoot.data.text import Message, Prompt, last_turn, normalised, to_messages, to_text
from surefoot.errors import DataError, unknown_name

_MESSAGES = List(dict.fromkeys(("role", "content", "extra"), Value("string")))

#: `label_from` of a pair that has no label, and was taken all the same.
ABSENT = "absent"

#: Every column of a comparison. All are present in every table; null stands for "not given".
FEATURES = Features(
    {
        "id": Value("string"),
        "prompt": _MESSAGES,
        "response_a": _MESSAGES,
        "response_b": _MESSAGES,
        "label": Value("float64"),  # P(a preferred): 1, 0, 0.5 for a tie, or soft
        "conversational": Value("bool"),  # False: plain text, to which no chat template applies
        "tools": Value("string"),  # JSON text: the functions that the chat template is given
        "template_arguments": Value("string"),  # JSON text: other arguments of the chat template
        "votes": List({"annotator": Value("string"), "value": Value("float64")}),
        "group": Value("string"),
        "source": Value("string"),
        "cluster": Value("string"),  # of the prompt; `surefoot train` can make them
        "time": Value("float64"),
        "weight": Value("float64"),
        "auxiliary": Value("float64"),  # estimated P(a preferred)
        "references": List(_MESSAGES),  # responses drawn from the reference policy
        "reference_auxiliary": List(Value("float64")),  # the same for consecutive or all pairs
        "reference_law": Value("string"),  # how they were drawn; `pool`: they are all there are
        "score_a": Value("float64"),  # the data's own scores: evidence about the label
        "score_b": Value("float64"),
        "numbers": List({"name": Value("string"), "value": Value("float64")}),  # declared columns
        "label_from": Value("string"),  # order (chosen first), label, votes, scores or ABSENT
        "note": Value("string"),  # what the reader had to work around in this row
        "file": Value("string"),  # where the row came from, for messages
        "row": Value("int64"),
    }
)

View = Literal["prompt", "last-turn", "response", "together", "full"]


@dataclass(frozen=True)
class Preferences:
    """Comparisons under the data contract.

    Attributes:
        dataset: the rows, with the columns of :data:`FEATURES`.
        name: what messages and reports call this data.
        fingerprint: hash of the content that the rows were read from.
        faults: rows that were left out when reading, with their places.
        readings: how each file was read: what became of its columns, and how labels are coded.
    """

    dataset: Dataset
    name: str
    fingerprint: str = ""
    faults: tuple[Fault, ...] = field(default=())
    readings: tuple[Reading, ...] = field(default=(), compare=False)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], name: str = "rows") -> Preferences:
        """Make a table in memory from rows under the contract (small data: worlds and tests).

        `prompt` and the responses may be plain strings; absent columns become null.
        """
        complete = [complete_row(row, file=name, row=i) for i, row in enumerate(rows)]
        columns = {key: [row[key] for row in complete] for key in FEATURES}
        digest = hashlib.blake2b(repr(complete).encode(), digest_size=16).hexdigest()
        return cls(Dataset.from_dict(columns, features=FEATURES), name, digest)

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def labels(self) -> npt.NDArray[np.float64]:
        """P(a preferred) of each row, shape (N,)."""
        return self.numbers("label")

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """Weight of each row, shape (N,); 1 where none is given."""
        return np.nan_to_num(self.numbers("weight"), nan=1.0)

    def numbers(self, column: str) -> npt.NDArray[np.float64]:
        """A numeric column, of the contract or declared, shape (N,), with NaN where it is null."""
        if column not in FEATURES:
            given = ({n["name"]: n["value"] for n in row or ()} for (row,) in self.read("numbers"))
            return np.array([row.get(column, np.nan) for row in given], dtype=np.float64)
        return np.array(self._column(column).to_pandas(), dtype=np.float64)

    def strings(self, column: str) -> list[str | None]:
        """A text column such as `source` or `group`."""
        values: list[str | None] = self._column(column).to_pylist()
        return values

    def has(self, column: str) -> bool:
        """Whether any row gives this column."""
        if column not in FEATURES:
            return self.has("numbers") and not bool(np.isnan(self.numbers(column)).all())
        values = self._column(column)
        return bool(values.null_count < len(values))

    def _column(self, name: str) -> Any:
        """An Arrow column with the table's selection applied."""
        return self._arrow[name]

    @cached_property
    def _arrow(self) -> Dataset:
        """The table in Arrow's format, made once: changing the format copies it."""
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
        for *prompt, a, b in self.read(*Prompt._fields, *_SIDES):
            for texts, response in zip(sides, (a, b), strict=True):
                texts.append(view_text(view, Prompt(*prompt), response))
        return sides

    def prompts(self) -> Iterator[Prompt]:
        """The prompt of each row, with what a chat template is given beside it."""
        return (Prompt(*row) for row in self.read(*Prompt._fields))

    def prompt_keys(self) -> npt.NDArray[np.int64]:
        """A hash of each row's prompt, blind to case and spacing, shape (N,)."""
        return np.array(list(map(prompt_key, self.prompts())), dtype=np.int64)

    def response_keys(self) -> npt.NDArray[np.int64]:
        """A hash of each (prompt, response), shape (N, 2): equal where pairs share a response."""
        keys = [
            [key_of(Prompt(*prompt).text() + "\0" + to_text(side)) for side in (a, b)]
            for *prompt, a, b in self.read(*Prompt._fields, *_SIDES)
        ]
        return np.array(keys, dtype=np.int64).reshape(-1, 2)

    def select(self, indices: npt.ArrayLike) -> Preferences:
        """The rows at these positions, in this order."""
        rows = np.asarray(indices, dtype=np.int64)
        digest = hashlib.blake2b(rows.tobytes(), key=self.fingerprint.encode()[:64], digest_size=16)
        return replace(self, dataset=self.dataset.select(rows), fingerprint=digest.hexdigest())

    def with_labels(self, labels: npt.ArrayLike) -> Preferences:
        """A copy with other labels, shape (N,) (used to inject known flips)."""
        return self.with_columns(label=np.asarray(labels, dtype=np.float64).tolist())

    def with_columns(self, **columns: Sequence[Any]) -> Preferences:
        """A copy with some columns, N values each, in place of its own."""
        digest = hashlib.blake2b(key=self.fingerprint.encode()[:64], digest_size=16)
        dataset = self.dataset
        for name, values in columns.items():
            digest.update(json.dumps([name, list(values)]).encode())
            dataset = dataset.remove_columns(name)
            dataset = dataset.add_column(name, list(values), feature=FEATURES[name])
        return replace(self, dataset=dataset, fingerprint=digest.hexdigest())


_SIDES = ("response_a", "response_b")
_BATCH = 256


def concatenate(parts: Sequence[Preferences], name: str | None = None) -> Preferences:
    """Several tables as one, in the order given."""
    digest = hashlib.blake2b("".join(p.fingerprint for p in parts).encode(), digest_size=16)
    return Preferences(
        dataset=concatenate_datasets([p.dataset.select_columns(list(FEATURES)) for p in parts]),
        name=name or " + ".join(p.name for p in parts),
        fingerprint=digest.hexdigest(),
        faults=tuple(fault for p in parts for fault in p.faults),
        readings=tuple(reading for p in parts for reading in p.readings),
    )


def complete_row(values: Mapping[str, Any], file: str, row: int) -> dict[str, Any]:
    """A row with every column of the contract, from one that has at least pair and label.

    Raises:
        DataError: an unknown column, a missing one, or a value of the wrong type or range; the
            message starts with the place.
    """
    try:
        complete = filled(values)
    except DataError as error:
        raise DataError(f"{file}, row {row}: {str(error).rstrip('.')}.") from None
    return {**complete, "file": values.get("file", file), "row": values.get("row", row)}


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


#: A row in which nothing is given.
_BLANK: dict[str, Any] = dict.fromkeys(FEATURES)


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """A checked row with every column (`file` and `row` null); errors do not name the place."""
    for name in values:
        if name not in FEATURES and declared(name) is None:
            raise DataError(unknown_name("column", name, FEATURES))
    for name in ("prompt", *_SIDES, "label"):
        if values.get(name) is None:
            raise DataError(f"the column {name!r} is missing or null")
    complete = _BLANK.copy()
    for name, value in values.items():
        if fields.missing(value):
            continue
        try:
            if name in _OPTIONAL:
                complete[name] = _OPTIONAL[name](value)
            elif (column := declared(name)) is not None:
                number = fields.number(value, name, column.low, column.high)
                complete["numbers"] = [
                    *(complete["numbers"] or ()),
                    {"name": name, "value": number},
                ]
        except DataError as error:
            raise fields.MisfitError(name, error) from None
    for name, role in (("prompt", "user"), *((side, "assistant") for side in _SIDES)):
        try:
            complete[name] = to_messages(values[name], role)
        except DataError as error:
            raise DataError(f"{name!r}: {error}") from None
    try:
        complete["label"] = fields.probability(values["label"], "label")
    except DataError:
        raise DataError(f"label is P(a preferred), in [0, 1]; got {values['label']!r}") from None
    if complete["conversational"] is None:
        plain = all(isinstance(values[name], str) for name in ("prompt", *_SIDES))
        complete["conversational"] = not plain
    return complete


def _references(value: object) -> list[list[Message]]:
    return [to_messages(r, role="assistant") for r in fields.listed(value, "references")]


def _reference_auxiliary(value: object) -> list[float]:
    name = "reference_auxiliary"
    return [fields.probability(p, name) for p in fields.listed(value, name)]


#: How each optional column is checked and converted.
_OPTIONAL: dict[str, Callable[[Any], Any]] = {
    **{name: partial(fields.name_of, name=name) for name in ("id", "group", "source", "cluster")},
    **{name: partial(fields.number, name=name) for name in ("score_a", "score_b")},
    "conversational": partial(fields.truth, name="conversational"),
    "tools": partial(fields.json_text, name="tools", kind=list),
    "template_arguments": partial(fields.json_text, name="template_arguments", kind=dict),
    "votes": fields.votes,
    "time": fields.time_of,
    "weight": partial(fields.number, name="weight", low=0.0),
    "auxiliary": partial(fields.probability, name="auxiliary"),
    "numbers": list,
    "references": _references,
    "reference_auxiliary": _reference_auxiliary,
    "reference_law": str,
    "label_from": str,
    "note": str,
}


def view_text(view: View, prompt: Prompt, response: Sequence[Message]) -> str:
    """One text to embed, for one prompt and response."""
    match view:
        case "prompt":
            return prompt.text()
        case "last-turn":
            return last_turn(prompt.prompt)
        case "response":
            return to_text(response)
        case "together":
            return f"{last_turn(prompt.prompt)}\n\n{to_text(response)}"
        case "full":
            return f"{prompt.text()}\n\n{to_text(response)}"


def prompt_key(prompt: Prompt) -> int:
    """A hash of a prompt, blind to case and spacing; what a chat template is given counts."""
    arguments = prompt.template_arguments
    return key_of(prompt.text() + (f"\0{arguments}" if arguments else ""))


def opening_key(prompt: Sequence[Message]) -> int:
    """A hash of what the user says first, which the branches of one dialogue share."""
    return key_of(next((turn["content"] for turn in prompt if turn["role"] == "user"), ""))


def key_of(text: str) -> int:
    """A 64-bit hash of a text, blind to case and spacing."""
    digest = hashlib.blake2b(normalised(text).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
