"""Diagnostics of reward models: each file here that defines `DIAGNOSTIC` is one."""

from __future__ import annotations

from surefoot.auditing.diagnostic import Diagnostic
from surefoot.auditing.diagnostics import diagnostics_in


def model_diagnostics() -> dict[str, Diagnostic]:
    """Every diagnostic of reward models by name, those of plugins too.

    Raises:
        ConfigurationError: two have one name.
    """
    return diagnostics_in(__name__, "reward model")
