"""Which form a file has, its records under the names that readers know, hints where it has none."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from surefoot.data.labels.ballots import is_vote
from surefoot.data.labels.codings import as_number, word
from surefoot.data.options import ReadingOptions
from surefoot.data.readers import Reader, readers
from surefoot.data.reading.account import misspelt
from surefoot.data.reading.contract import COMMON, PROMPTS
from surefoot.data.reading.record import Account, Record
from surefoot.data.schema import FEATURES, declared
from surefoot.data.sources.tables import Numbered
from surefoot.errors import DataError, unknown_name

#: Names of the contract that a user's column cannot be mapped to: they are about the reading.
_OURS = frozenset(("file", "row", "note", "label_from", "conversational", "numbers"))


#: How the names of two columns that are to be compared end.
_ENDS = (("1", "2"), ("a", "b"), ("A", "B"), ("0", "1"), ("left", "right"), ("first", "second"))
#: What names of columns have in them of which the first is the better response.
_BETTER = (
    *(("chosen", "rejected"), ("preferred", "dispreferred"), ("preferred", "non_preferred")),
    *(("accepted", "rejected"), ("accepted", "refused"), ("preferred", "rejected")),
    *(("better", "worse"), ("winner", "loser"), ("good", "bad"), ("positive", "negative")),
    *(("y_w", "y_l"), ("response_j", "response_k")),  # j: of StackExchange's pairs
)
#: Columns of a single response.
_ONE = ("response", "completion", "answer", "output")
#: What the names of columns of one kind begin with: `Input.response_a`, `Input.prompt`.
_START = re.compile(r"[A-Za-z]+[_.]")
#: Names of columns that say something else than which response is better.
_NO_LABEL = re.compile(r"ids?$|swap|flip|revers|order", re.IGNORECASE)
_ID = re.compile(r"[\w.:/-]{0,64}")

Values = Mapping[str, list[Any]]  # of the first records, by column, without nulls


def shown(
    numbered: Numbered, options: ReadingOptions, hidden: Container[str], account: Account
) -> Record:
    """A record under the names that readers know, without the `hidden` ones of these."""
    cells, columns = numbered.record or {}, options.columns
    if not (columns or hidden):
        return Record(cells, account, numbered.row)
    moved = {name for name in columns.values() if name}
    values: dict[str, Any] = {}
    aside: dict[str, Any] = {}
    for name, value in cells.items():
        if name not in moved:
            (aside if name in columns or name in hidden else values)[name] = value
    for new, old in columns.items():
        if old and old in cells:
            (aside if new in hidden else values)[old if new in hidden else new] = cells[old]
    return Record(values, account, numbered.row, aside)


def renamed(sample: Sequence[Mapping[str, Any]], options: ReadingOptions) -> list[dict[str, Any]]:
    """Records as plain mappings under the names that readers know."""
    records = (shown(Numbered(0, one), options, (), Account()) for one in sample)
    return [{name: record.look(name) for name in record} for record in records]


def recognised(
    place: str, sample: Sequence[Mapping[str, Any]], options: ReadingOptions, unlabelled: bool
) -> Reader:
    """The reader of a file, of which these are the first records.

    Raises:
        DataError: none reads it; the message lists what is read, and how to name columns.
    """
    records = renamed(sample, options)
    names = {name for record in records for name in record}
    # Without labels only where nothing else says which response is preferred, such as votes.
    for columns in (names, names | {"label"}) if unlabelled else (names,):
        for reader in readers():
            if reader.recognises(columns, records):
                return reader
    near = [f" {name!r}: did you mean {new!r}?" for name, new in misspelt(sorted(names), known())]
    if found := _in_small_letters(names, records):
        near = [f"\nPerhaps: {found}"]
    raise DataError(
        f"{place}: its columns ({', '.join(_columns(sample))}) are none of the forms that are read."
        f"{''.join(near)}\n"
        + "".join(f"{hint}\n" for hint in _hints(sample))
        + "\n".join(f"  - {reader.name}: {reader.accepts}" for reader in readers())
        + "\nSay which of your columns holds what: --column prompt=yours, or `columns` in a "
        "configuration and in Python. Data without a prompt are read with --no-prompt."
    )


def _in_small_letters(names: Container[str], records: Sequence[Mapping[str, Any]]) -> str:
    """Options that map columns to names in small letters, where a form has these; else nothing."""
    small = [{str(name).casefold(): one[name] for name in one} for one in records]
    if not any(reader.recognises({n for one in small for n in one}, small) for reader in readers()):
        return ""
    other = {name.casefold(): name for name in _columns(records) if name.casefold() != name}
    return _columns_options({new: old for new, old in other.items() if new in known()})


def known() -> set[str]:
    """Every name that some reader takes, or that is taken beside."""
    return {*COMMON, *itertools.chain(*(reader.columns for reader in readers()))}


def require_columns(
    place: str, mapped: Mapping[str, str], sample: Sequence[Mapping[str, Any]]
) -> None:
    """Check a user's column names by the contract's.

    An empty name says that the column of that name is another thing.

    Raises:
        DataError: a name that is none of the contract's, or a column that is not there.
    """
    columns = _columns(sample)
    valid = ({*FEATURES} | known()) - _OURS
    for new, old in mapped.items():
        if old and new not in valid and declared(new) is None:
            raise DataError(unknown_name("name to map a column to:", new, valid))
        if (old or new) not in columns:
            raise DataError(f"{place}: {unknown_name('column', old or new, columns)}")


def _columns(sample: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(name) for record in sample for name in record))


def _hints(sample: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Sentences about the likely cause, from the first records of the file."""
    names = _columns(sample)
    values = {
        name: [record[name] for record in sample if record.get(name) is not None] for name in names
    }
    if numbers := [name for name in names if as_number(name) is not None]:
        shown = ", ".join(numbers[:4])
        yield f"The first line holds values ({shown}), not names: write a line of names above it."
    if names and all(_is_id(value) for column in values.values() for value in column):
        yield (
            "It holds ids or numbers and no texts: the texts are in another file. Name it (--texts "
            "FILE, with columns id and text), and the columns of ids: --column response_a=yours "
            "--column response_b=yours."
        )
    elif len(names) == 1 and (sign := next((s for s in ";|\t" if s in names[0]), "")):
        yield f"The columns are parted by {sign!r}: save it with commas, or as .tsv with tabs."
    elif sides := _better(values):
        yield f"Perhaps: {_options(values, chosen=sides[0], rejected=sides[1])}"
    elif sides := _pair(values):
        columns = {"response_a": sides[0], "response_b": sides[1]}
        votes = [name for name in names if _are_votes(values[name])]
        labels = [name for name in names if name not in sides and _is_label(name, values)]
        labels.sort(key=lambda name: not _says_which(values[name], sides))
        if labels:
            yield f"Perhaps: {_options(values, **columns, label=labels[0])}"
        elif votes:
            several = f" ({', '.join(votes)} hold votes too: take one)" if len(votes) > 1 else ""
            yield f"Perhaps: {_options(values, **columns, votes=votes[0])}{several}"
        else:
            yield (
                f"{sides[0]!r} and {sides[1]!r} may be two responses, but no column seems to say "
                "which of them is better. If one does: "
                f"{_options(values, **columns, label='yours')}"
            )
    elif any(_are_texts(values.get(name, [])) for name in _ONE):
        yield (
            "A row seems to hold one response, and a comparison needs two: put the responses to a "
            "prompt into one row, as a list `responses` with a list `scores`."
        )


def _columns_options(columns: Mapping[str, str]) -> str:
    """Options that map these columns, as a shell takes them."""
    moved = [f"{new}={old}" for new, old in columns.items() if new != old]
    return " ".join(f"--column {shlex.quote(one)}" for one in moved)


def _options(values: Values, **columns: str) -> str:
    """Options that map these columns and the prompt: one with its name, or the first of texts."""
    first = next(iter(columns.values()))
    free = [name for name in values if name not in columns.values()]
    start = _START.match(first)
    alike = [n for n in free if start and n.startswith(start[0]) and n.endswith(PROMPTS)]
    prompt = next((name for name in (*alike, *free) if name in (*alike, *PROMPTS)), None)
    if prompt is None and not all(isinstance(value, str) for value in values[first]):
        return _columns_options(columns)  # dialogues imply it
    prompt = prompt or next((name for name in free if _are_texts(values[name])), None)
    if prompt is None:
        return f"{_columns_options(columns)} --no-prompt"
    return _columns_options({**columns, "prompt": prompt})


def _better(values: Values) -> tuple[str, str] | None:
    """Two columns of texts or messages whose names say which of them holds the better response."""
    held = [name for name in values if _are_responses(values[name])]
    return _first_pair(held, ((n, n.replace(a, b)) for a, b in _BETTER for n in held if a in n))


def _pair(values: Values) -> tuple[str, str] | None:
    """Two columns of texts whose names differ in their ends alone."""
    held = [name for name in values if _are_texts(values[name])]
    ends = ((n, a, b) for a, b in _ENDS for n in held if n.endswith(a))
    return _first_pair(held, ((n, n.removesuffix(a) + b) for n, a, b in ends))


def _first_pair(held: list[str], pairs: Iterator[tuple[str, str]]) -> tuple[str, str] | None:
    return next((pair for pair in pairs if pair[1] in held), None)


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return _ID.fullmatch(value) is not None
    return not isinstance(value, list | Mapping)


def _are_texts(column: Sequence[Any]) -> bool:
    texts = bool(column) and all(isinstance(value, str) for value in column)
    return texts and not all(map(_is_id, column))


def _are_responses(column: Sequence[Any]) -> bool:
    nested = bool(column) and all(isinstance(value, list | Mapping) and value for value in column)
    return nested or _are_texts(column)


def _says_which(column: Sequence[Any], sides: tuple[str, str]) -> bool:
    """Whether every value is a number, or a word for one of two responses."""
    return all(as_number(v) is not None or word(str(v), sides) is not None for v in column)


def _are_votes(column: Sequence[Any]) -> bool:
    """Whether every value is a list of what several people said, one mapping for each."""
    lists = [value for value in column if isinstance(value, list)]
    votes = [vote for value in lists for vote in value]
    return len(lists) == len(column) and bool(votes) and all(map(is_vote, votes))


def _is_label(name: str, values: Values) -> bool:
    """Whether a column has few different values, as labels do, and none for either response."""
    parts = re.split(r"([_\W]+)", name)
    if _NO_LABEL.search(name) or any(
        "".join(other if part == one else part for part in parts) in values.keys() - {name}
        or (name.endswith(one) and name.removesuffix(one) + other in values)
        for pair in _ENDS
        for one, other in (pair, pair[::-1])
    ):
        return False
    column = values[name]
    distinct = {str(value) for value in column if not isinstance(value, list | Mapping)}
    return 1 < len(distinct) <= 8 and len(distinct) < len(column)
