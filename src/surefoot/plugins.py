"""Members that join by being there: of surefoot's own folders, and of packages of the user's own.

A plugin is a module, or a package of which every module is one. Its losses, label models, risks,
regularisers and heads join their slots when it is imported; a `READER`, a `SUITE` or `CHECKS` in it
stand beside those of surefoot's own files. It is imported where the user names it (`--plugin` on
the command line, :func:`load`), and where a configuration asks for a member by a name that an
installed package offers: an entry point of the group `surefoot.plugins`, called like the member.

A saved run says which plugin each of its members is from. Nothing is imported because it does.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import itertools
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from surefoot.errors import ConfigurationError, first_line

#: Group of the entry points by which an installed package offers members.
GROUP = "surefoot.plugins"

_loaded: dict[str, tuple[ModuleType, ...]] = {}


def load(name: str) -> None:
    """Import a plugin, unless that was done before.

    It is named by its module or package, or by an entry point of the group `surefoot.plugins`.

    Raises:
        ConfigurationError: it cannot be imported.
    """
    module = next((one.module for one in _offers() if one.name == name), name)
    try:
        _loaded[module] = modules_of(module)
    except Exception as error:
        raise ConfigurationError(
            f"the plugin {name!r} cannot be imported ({type(error).__name__}: {error}). It is the "
            "name of an installed module, or of one in a folder of PYTHONPATH."
        ) from error


def loaded() -> tuple[str, ...]:
    """The plugins that were named, by their modules."""
    return tuple(_loaded)


def load_offered(member: str) -> None:
    """Import the plugin that offers a member of this name, if an installed package does."""
    if any(one.name == member for one in _offers()):
        load(member)


def require(saved: Any, noun: str = "this") -> None:
    """Refuse options by name of which members say that they are from a plugin that is not there.

    The message calls them `noun`.

    Raises:
        ConfigurationError: a plugin was not named, and no installed package offers it.
    """
    for name in sorted(set(_named(saved)) - sys.modules.keys()):
        offered = [one.name for one in _offers() if f"{name}.".startswith(f"{one.module}.")]
        if not offered:
            raise ConfigurationError(
                f"{noun} needs the plugin {name!r}, which is not loaded. Where you trust it: "
                f"--plugin {name}, or surefoot.plugins.load({name!r}) in Python."
            )
        load(offered[0])


def found(package: str, attribute: str) -> list[Any]:
    """What the modules of a package of surefoot's, and those of plugins, define by one name."""
    modules = [*modules_of(package), *itertools.chain.from_iterable(_loaded.values())]
    # Once each: a package and a module of it may both have been named.
    return [getattr(one, attribute) for one in dict.fromkeys(modules) if hasattr(one, attribute)]


@functools.cache
def modules_of(name: str) -> tuple[ModuleType, ...]:
    """A module, and those in it where it is a package, without those that begin with `_`."""
    module = importlib.import_module(name)
    inner = sorted(one.name for one in pkgutil.iter_modules(getattr(module, "__path__", ())))
    inside = [importlib.import_module(f"{name}.{one}") for one in inner if one[0] != "_"]
    return (module, *inside)


def files() -> list[Path]:
    """The files of all plugins: what is made by them depends on these."""
    modules = itertools.chain.from_iterable(_loaded.values())
    return sorted({Path(one.__file__) for one in modules if one.__file__})


def plugin_of(cls: type[Any]) -> str:
    """The module that a member is from; empty for surefoot's own."""
    return "" if cls.__module__.startswith("surefoot.") else cls.__module__


def is_function(place: str | Path) -> bool:
    """Whether a place names a function: `module:function` or `file.py:function`."""
    module, _, name = str(place).rpartition(":")
    parts = module.split(".")
    return name.isidentifier() and (module.endswith(".py") or all(map(str.isidentifier, parts)))


def function_at(place: str) -> Callable[..., Any]:
    """The function that a place names, as `module:function` or `file.py:function`.

    Raises:
        ConfigurationError: the module cannot be imported, or has no such function.
    """
    name, _, function = place.rpartition(":")
    try:
        module = _of_file(Path(name)) if name.endswith(".py") else importlib.import_module(name)
    except Exception as error:
        raise ConfigurationError(
            f"{name} cannot be imported ({type(error).__name__}: {first_line(error)}). A function "
            "is named as module:function, of an installed module or one in a folder of "
            "PYTHONPATH, or as file.py:function."
        ) from error
    found = getattr(module, function, None)
    if not callable(found):
        there = sorted(n for n, one in vars(module).items() if callable(one) and n[0] != "_")
        has = ", ".join(there) or "no function at all"
        raise ConfigurationError(f"{name} has no function {function!r}; it has {has}.")
    return found


def _of_file(path: Path) -> ModuleType:
    """The module that a file is."""
    spec = importlib.util.spec_from_file_location(f"surefoot_file_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def _offers() -> EntryPoints:
    return _offers_on(tuple(sys.path))


@functools.cache
def _offers_on(path: tuple[str, ...]) -> EntryPoints:
    """Entry points of all distributions on this path, which takes a while to look through."""
    del path  # it is what `entry_points` looks at
    return entry_points(group=GROUP)


def _named(saved: Any) -> Iterator[str]:
    if isinstance(saved, Mapping):
        if "kind" in saved and isinstance(saved.get("plugin"), str):
            yield saved["plugin"]
        saved = saved.values()
    elif not isinstance(saved, list | tuple):
        return
    for one in saved:
        yield from _named(one)
