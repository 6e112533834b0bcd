"""What may be wrong with a file whose columns are none of the forms, and how to read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: How the names of two columns that are to be compared end.
_ENDS = (("1", "2"), ("a", "b"), ("A", "B"), ("0", "1"), ("left", "right"), ("first", "second"))
_NAMES = (("better", "worse"), ("winner", "loser"), ("good", "bad"), ("accepted", "refused"))
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
    elif found := _pair(names, values):
        label = next((n for n in names if n not in found and _is_label(values[n])), "yours")
        prompt = next((n for n in names if n not in (*found, label) and _is_text(values[n])), None)
        yield (
            f"Perhaps: --column response_a={found[0]} --column response_b={found[1]} "
            f"--column label={label} "
            + ("--no-prompt" if prompt is None else f"--column prompt={prompt}")
        )


def _pair(names: Sequence[str], values: Mapping[str, list[Any]]) -> tuple[str, str] | None:
    """Two columns of texts whose names differ in their ends alone."""
    texts = [name for name in names if _is_text(values[name])]
    for first, second in _ENDS:
        for name in texts:
            other = name.removesuffix(first) + second
            if name.endswith(first) and other in texts:
                return name, other
    return next((pair for pair in _NAMES if set(pair) <= set(texts)), None)


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


def _is_label(column: Sequence[Any]) -> bool:
    """Whether a column has few different values, as labels do."""
    distinct = {str(value) for value in column if not isinstance(value, list | Mapping)}
    return 1 < len(distinct) <= 8 and len(distinct) < len(column)
