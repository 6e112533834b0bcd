"""The diagnostics: each file here that defines `DIAGNOSTIC` is one, found by being here."""

from __future__ import annotations

from surefoot import plugins
from surefoot.auditing.diagnostic import Diagnostic, Threat
from surefoot.errors import ConfigurationError

#: What is audited in place of preferences.
_APART: tuple[Threat, ...] = ("judge", "reward model")


def diagnostics() -> dict[str, Diagnostic]:
    """Every diagnostic of preferences by name, those of plugins too.

    Raises:
        ConfigurationError: two have one name.
    """
    return diagnostics_in(__name__, None)


def diagnostics_in(package: str, threat: Threat | None) -> dict[str, Diagnostic]:
    """The diagnostics of a package and of plugins, by name.

    Args:
        package: where they are.
        threat: `judge` or `reward model`, which are audited apart; None: those of preferences.

    Raises:
        ConfigurationError: two have one name.
    """
    found: dict[str, Diagnostic] = {}
    for one in plugins.found(package, "DIAGNOSTIC"):
        if (one.threat if one.threat in _APART else None) != threat:
            continue
        if one.name in found:
            raise ConfigurationError(f"two diagnostics are named {one.name!r}: rename one.")
        found[one.name] = one
    return found
