"""The errors that a user can cause and mend: each message says what was wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SurefootError(Exception):
    """Wrong input. The command line prints the message alone and exits with code 2."""


class ConfigurationError(SurefootError, ValueError):
    """An option has an unknown name or a value that cannot be honoured."""


class CompositionError(ConfigurationError):
    """Members of an objective that do not go together; the message gives the reason."""


class DataError(SurefootError, ValueError):
    """Input data that cannot be read or used; the message names the file and the row."""


def unknown_name(what: str, received: object, valid: Iterable[str], elsewhere: str = "") -> str:
    """Say that a name is unknown, and whose it is (`elsewhere`) or which valid one is nearest.

    >>> unknown_name("margin loss", "logstic", ["logistic", "hinge"])
    "unknown margin loss 'logstic': did you mean 'logistic'? Valid: hinge, logistic."
    """
    names = sorted(valid)
    near = difflib.get_close_matches(str(received), names, n=1, cutoff=0.5)
    hint = f": did you mean {near[0]!r}?" if near else "."
    if elsewhere:
        hint = f": that is an option of {elsewhere}."
    known = f"Valid: {', '.join(names)}." if names else "It has none."
    return f"unknown {what} {received!r}{hint} {known}"
