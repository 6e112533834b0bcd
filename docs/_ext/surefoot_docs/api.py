"""Reference pages: the docstrings of every public module, package by package."""

from __future__ import annotations

import importlib
import pkgutil

PACKAGES = (
    "objectives",
    "statistics",
    "data",
    "scorers",
    "training",
    "judge",
    "nuisance",
    "online",
    "evaluation",
    "worlds",
    "report",
)


def pages() -> dict[str, str]:
    """A page for each package, by its name."""
    return {name: page(f"surefoot.{name}") for name in PACKAGES}


def page(package: str) -> str:
    """One page: every module of a package that has something public."""
    lines = [f"# {package}", f"```{{eval-rst}}\n.. automodule:: {package}\n   :no-members:\n```"]
    for name in modules(package):
        lines.append(f"## {name.removeprefix(package + '.')}")
        lines.append(f"```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```")
    return "\n\n".join(lines) + "\n"


def modules(package: str) -> list[str]:
    """All modules below a package, packages that only gather others left out."""
    found = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    return [module.name for module in found if defines(module.name)]


def defines(module: str) -> bool:
    """Whether a module defines a public class or function of its own."""
    contents = vars(importlib.import_module(module)).items()
    return any(
        getattr(value, "__module__", None) == module and not name.startswith("_")
        for name, value in contents
    )
