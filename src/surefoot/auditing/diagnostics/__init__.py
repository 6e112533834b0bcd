"""The diagnostics: each file here that defines `DIAGNOSTIC` is one, found by being here."""

from __future__ import annotations

from surefoot import plugins
from surefoot.auditing.diagnostic import Diagnostic
from surefoot.errors import ConfigurationError


def diagnostics() -> dict[str, Diagnostic]:
    """Every diagnostic of preferences by name, those of plugins too.

    Raises:
        ConfigurationError: two have one name.
    """
    return diagnostics_in(__name__, of_judges=False)


def diagnostics_in(package: str, of_judges: bool) -> dict[str, Diagnostic]:
    """The diagnostics of a package and of plugins, by name: those of judges, or all others.

    Raises:
        ConfigurationError: two have one name.
    """
    found: dict[str, Diagnostic] = {}
    for one in plugins.found(package, "DIAGNOSTIC"):
        if (one.threat == "judge") is not of_judges:
            continue
        if one.name in found:
            raise ConfigurationError(f"two diagnostics are named {one.name!r}: rename one.")
        found[one.name] = one
    return found
