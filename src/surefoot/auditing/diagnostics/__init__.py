"""The diagnostics: each file here that defines `DIAGNOSTIC` is one, found by being here."""

from __future__ import annotations

from surefoot import plugins
from surefoot.auditing.diagnostic import Diagnostic
from surefoot.errors import ConfigurationError


def diagnostics() -> dict[str, Diagnostic]:
    """Every diagnostic by name, those of plugins too.

    Raises:
        ConfigurationError: two have one name.
    """
    found: dict[str, Diagnostic] = {}
    for one in plugins.found(__name__, "DIAGNOSTIC"):
        if one.name in found:
            raise ConfigurationError(f"two diagnostics are named {one.name!r}: rename one.")
        found[one.name] = one
    return found
