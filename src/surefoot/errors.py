"""The errors that a user can cause and mend: each message says what was wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from surefoot.escaping import excerpt, visible


class SurefootError(Exception):
    """Wrong input. The command line prints the message alone and exits with code 2.

    What a message quotes from data can do nothing to the terminal that shows it, or its traceback.
    """

    def __str__(self) -> str:
        return visible(super().__str__())


class ConfigurationError(SurefootError, ValueError):
    """An option has an unknown name or a value that cannot be honoured."""


class CompositionError(ConfigurationError):
    """Members of an objective that do not go together; the message gives the reason."""


class DataError(SurefootError, ValueError):
    """Input data that cannot be read or used; the message names the file and the row."""


def first_line(error: BaseException) -> str:
    """What another library's error says, in one line: its kind, where it says nothing."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__


#: Characters of a name, and names, that are compared and listed.
_LONGEST, _MOST = 200, 200


def unknown_name(noun: str, received: object, valid: Iterable[str], elsewhere: str = "") -> str:
    """Say that a name is unknown, and whose it is (`elsewhere`) or which valid one is nearest.

    >>> unknown_name("margin loss", "logstic", ["logistic", "hinge"])
    "unknown margin loss 'logstic': did you mean 'logistic'? Valid: hinge, logistic."
    """
    names = sorted(map(str, valid))
    shown = [name if len(name) <= _LONGEST else f"{name[:20]}..." for name in names[:_MOST]]
    # The time of the comparison grows with the product of the lengths.
    comparable = isinstance(received, str) and len(received) <= _LONGEST
    near = difflib.get_close_matches(str(received), shown, 1, 0.5) if comparable else []
    hint = f": did you mean {near[0]!r}?" if near else "."
    if elsewhere:
        hint = f": that is an option of {elsewhere}."
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    known = f"Valid: {', '.join(shown)}{more}." if names else "It has none."
    return f"unknown {noun} {excerpt(received)}{hint} {known}"
