"""The evaluation suites: each file here that defines `SUITE` is one, found by being here."""

from __future__ import annotations

import os

from surefoot import plugins
from surefoot.data.schema import Preferences
from surefoot.errors import ConfigurationError, unknown_name
from surefoot.evaluation.suite import FOLDER_VARIABLE, Suite

__all__ = ["Suite", "find_suite", "load_suite", "suites"]


def suites() -> dict[str, Suite]:
    """Every suite by name, in alphabetical order.

    Raises:
        ConfigurationError: a plugin's suite has the name of another.
    """
    found: dict[str, Suite] = {}
    for suite in plugins.found(__name__, "SUITE"):
        if suite.name in found:
            raise ConfigurationError(f"two suites are named {suite.name!r}: rename the plugin's.")
        found[suite.name] = suite
    return dict(sorted(found.items()))


def find_suite(name: str) -> Suite:
    """A suite by name.

    Raises:
        ConfigurationError: no suite has this name; the message gives the nearest.
    """
    if name not in suites():
        plugins.load_offered(name)
    if name not in suites():
        raise ConfigurationError(unknown_name("suite", name, suites()))
    return suites()[name]


def load_suite(name: str, folder: str | os.PathLike[str] | None = None) -> Preferences:
    """Load a suite from a folder, else from the one in `SUREFOOT_SUITES`, else from its origin.

    The folder holds the suites' own folders (`llmbar/natural.jsonl.gz`, ...).

    Raises:
        ConfigurationError: an unknown name.
        DataError: a missing or unreadable file, or an origin that cannot be reached.
    """
    suite = find_suite(name)
    chosen = folder if folder is not None else os.environ.get(FOLDER_VARIABLE)
    return suite.load(chosen) if chosen else suite.fetch()
