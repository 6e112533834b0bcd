"""What may be wrong with a file whose columns are none of the forms, and how to read it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from surefoot.data.labels.ballots import is_vote
from surefoot.data.labels.codings import as_number
from surefoot.data.labels.verdicts import word
from surefoot.data.reading.contract import PROMPTS

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


def hints(sample: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Sentences about the likely cause.

    Args:
        sample: the first records of the file.
    """
    names = list(dict.fromkeys(str(name) for record in sample for name in record))
    values = {
        name: [record[name] for record in sample if record.get(name) is not None] for name in names
    }
    numbers = [name for name in names if _is_number(name)]
    if numbers:
        shown = ", ".join(numbers[:4])
        yield f"The first line holds values ({shown}), not names: write a line of names above it."
    if names and all(_is_id(value) for column in values.values() for value in column):
        yield (
            "It holds ids or numbers and no texts: the texts are in another file. Join the two so "
            "that each row has the prompt, both responses and the label, and read the result."
        )
    elif len(names) == 1 and (sign := next((s for s in ";|\t" if s in names[0]), "")):
        yield f"The columns are parted by {sign!r}: save it with commas, or as .tsv with tabs."
    elif sides := _better(names, values):
        columns = {"chosen": sides[0], "rejected": sides[1]}
        yield f"Perhaps: {_columns(_with_prompt(names, values, **columns))}"
    elif sides := _pair(names, values):
        votes = [name for name in names if _are_votes(values[name])]
        labels = [n for n in names if n not in sides and _is_label(n, values[n], names)]
        labels.sort(key=lambda name: not _says_which(values[name], sides))
        columns = {"response_a": sides[0], "response_b": sides[1]}
        if label := next(iter(labels), None):
            columns["label"] = label
            yield f"Perhaps: {_columns(_with_prompt(names, values, **columns))}"
        elif votes:
            several = f" ({', '.join(votes)} hold votes too: take one)" if len(votes) > 1 else ""
            columns["votes"] = votes[0]
            yield f"Perhaps: {_columns(_with_prompt(names, values, **columns))}{several}"
        else:
            yield (
                f"{sides[0]!r} and {sides[1]!r} may be two responses, but no column seems to say "
                "which of them is better. If one does: "
                f"{_columns(_with_prompt(names, values, **columns, label='yours'))}"
            )
    elif any(_is_text(values.get(name, [])) for name in _ONE):
        yield (
            "A row seems to hold one response, and a comparison needs two: put the responses to a "
            "prompt into one row, as a list `responses` with a list `scores`."
        )


def columns_options(columns: Mapping[str, str]) -> str:
    """Options that map these columns, as a shell takes them."""
    moved = [f"{new}={old}" for new, old in columns.items() if new != old]
    return " ".join(f"--column {shlex.quote(one)}" for one in moved)


def _columns(columns: Mapping[str, str]) -> str:
    """Options that map these columns, or say that there is no prompt."""
    return columns_options(columns) + ("" if "prompt" in columns else " --no-prompt")


def _with_prompt(
    names: Sequence[str], values: Mapping[str, list[Any]], **columns: str
) -> dict[str, str]:
    """The columns, and the one that may hold the prompt: by its name, or the first with texts."""
    free = [name for name in names if name not in columns.values()]
    start = _START.match(next(iter(columns.values())))
    alike = [n for n in free if start and n.startswith(start[0]) and n.endswith(PROMPTS)]
    prompt = next((name for name in (*alike, *free) if name in (*alike, *PROMPTS)), None)
    if prompt is None and all(isinstance(v, str) for v in values[next(iter(columns.values()))]):
        prompt = next((name for name in free if _is_text(values[name])), None)
    elif prompt is None:
        prompt = "prompt"  # dialogues imply it
    return {**columns, **({} if prompt is None else {"prompt": prompt})}


def _better(names: Sequence[str], values: Mapping[str, list[Any]]) -> tuple[str, str] | None:
    """Two columns of texts or messages whose names say which of them holds the better response."""
    held = [name for name in names if _is_response(values[name])]
    for first, second in _BETTER:
        for name in held:
            other = name.replace(first, second)
            if first in name and other in held:
                return name, other
    return None


def _is_response(column: Sequence[Any]) -> bool:
    return _is_text(column) or (
        bool(column) and all(isinstance(value, list | Mapping) and value for value in column)
    )


def _pair(names: Sequence[str], values: Mapping[str, list[Any]]) -> tuple[str, str] | None:
    """Two columns of texts whose names differ in their ends alone."""
    texts = [name for name in names if _is_text(values[name])]
    for first, second in _ENDS:
        for name in texts:
            other = name.removesuffix(first) + second
            if name.endswith(first) and other in texts:
                return name, other
    return None


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _is_id(value: Any) -> bool:
    return not isinstance(value, str | list | Mapping) or (
        isinstance(value, str) and _ID.fullmatch(value) is not None
    )


def _is_text(column: Sequence[Any]) -> bool:
    return (
        bool(column)
        and all(isinstance(value, str) for value in column)
        and not all(map(_is_id, column))
    )


def _says_which(column: Sequence[Any], sides: tuple[str, str]) -> bool:
    """Whether every value is a number, or a word for one of two responses."""
    return all(as_number(v) is not None or word(str(v), sides) is not None for v in column)


def _are_votes(column: Sequence[Any]) -> bool:
    """Whether every value is a list of what several people said, one mapping for each."""
    lists = [value for value in column if isinstance(value, list)]
    votes = [vote for value in lists for vote in value]
    return len(lists) == len(column) and bool(votes) and all(map(is_vote, votes))


def _is_label(name: str, column: Sequence[Any], names: Sequence[str]) -> bool:
    """Whether a column has few different values, as labels do, and none for either response."""
    parts = re.split(r"([_\W]+)", name)
    if _NO_LABEL.search(name) or any(
        "".join(other if part == one else part for part in parts) in {*names} - {name}
        or (name.endswith(one) and name.removesuffix(one) + other in names)
        for pair in _ENDS
        for one, other in (pair, pair[::-1])
    ):
        return False
    distinct = {str(value) for value in column if not isinstance(value, list | Mapping)}
    return 1 < len(distinct) <= 8 and len(distinct) < len(column)
