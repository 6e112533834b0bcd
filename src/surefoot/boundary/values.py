"""Values of options: what no option takes is refused before anything looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot.boundary import limits
from surefoot.errors import ConfigurationError
from surefoot.escaping import excerpt


def check_values(entry: Any, place: str = "", depth: int = 0) -> None:
    """Refuse names that are no text, numbers and texts that are too long, and deep nesting.

    In options by name, as a user wrote them, or in a value inside, at this place.

    Raises:
        ConfigurationError: the message says where and why.
    """
    here = place or "an option"
    if depth > limits.DEPTH:
        raise ConfigurationError(f"{here}: {limits.TOO_DEEP}.")
    if isinstance(entry, str):
        _check_text(entry, here, "text", limits.OPTION_TEXT_LENGTH)
    elif isinstance(entry, int) and abs(entry) > limits.LARGEST_NUMBER:
        raise ConfigurationError(
            f"{here} is larger than any option takes ({limits.LARGEST_NUMBER:,}); got "
            f"{excerpt(entry, 30)}."
        )
    elif isinstance(entry, Mapping):
        for name, value in entry.items():
            if not isinstance(name, str):
                raise ConfigurationError(
                    f"{here}: the name of an option should be a text; got {excerpt(name, 60)}."
                )
            _check_text(name, here, "name", limits.NAME_LENGTH)
            check_values(value, f"{place}.{name}" if place else name, depth + 1)
    elif isinstance(entry, list | tuple | set | frozenset):
        for value in entry:
            check_values(value, place, depth + 1)


def _check_text(text: str, here: str, noun: str, most: int) -> None:
    if len(text) > most:
        raise ConfigurationError(f"{here}: a {noun} of {len(text):,} characters; at most {most:,}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{here}: text that is not valid Unicode.") from None
    if "\0" in text:
        raise ConfigurationError(f"{here}: a text with a null character in it.")
