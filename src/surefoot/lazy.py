"""What a package offers without its modules being named, imported when it is first used.

So that options are read and checked in a moment: torch, transformers and datasets take seconds to
import, and are needed once there is something to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def offers(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package (PEP 562) that offers names from its modules.

    Args:
        package: its `__name__`.
        modules: by name, the module that defines it, as written after the package's own name.
    """

    def attribute(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return attribute
