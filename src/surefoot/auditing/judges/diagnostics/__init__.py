"""Diagnostics of judges: each file here that defines `DIAGNOSTIC` is one, found by being here."""

from __future__ import annotations

from surefoot.auditing.diagnostic import Diagnostic
from surefoot.auditing.diagnostics import diagnostics_in


def judge_diagnostics() -> dict[str, Diagnostic]:
    """Every diagnostic of judges by name, those of plugins too.

    Raises:
        ConfigurationError: two have one name.
    """
    return diagnostics_in(__name__, "judge")
