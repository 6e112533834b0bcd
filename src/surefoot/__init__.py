"""Robust RLHF: diagnose preferences, train under a robust objective, prove that it helped.

The way in: `surefoot.audit(surefoot.read_preferences("pairs.jsonl"))`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.auditing.preferences import audit as audit
    from surefoot.data import read_preferences as read_preferences

#: What is here without its module being named, and where it is; imported when it is used.
_OFFERED = {"audit": "surefoot.auditing", "read_preferences": "surefoot.data"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("surefoot")
    if name in _OFFERED:
        return getattr(import_module(_OFFERED[name]), name)
    raise AttributeError(f"module 'surefoot' has no attribute {name!r}")
