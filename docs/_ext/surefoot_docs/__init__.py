"""Sphinx extension: writes the parts of the documentation that the code knows best.

Before the sources are read, `docs/reference/` is filled: `*.inc` files that pages include, and one
`*.md` page of docstrings for each package. Nothing there is edited by hand or committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surefoot_docs import api, compositions, docstrings, mathml, members, methods, registries


def parts() -> dict[str, str]:
    """Every generated file: its name and its text."""
    included = members.parts() | methods.parts() | compositions.parts() | registries.parts()
    return {f"{name}.inc": text for name, text in included.items()} | {
        f"{name}.md": text for name, text in api.pages().items()
    }


def parts_of_sentences() -> dict[str, str]:
    """Texts inside sentences, which pages name in double braces."""
    return registries.inline()


def write(folder: Path) -> None:
    """Write the generated files; those that did not change keep their date."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = parts()
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def start(app: Any) -> None:
    """Before the sources are read."""
    methods.check(Path(app.srcdir) / "methods")
    write(Path(app.srcdir) / "reference")


def read(app: Any, name: str, source: list[str]) -> None:
    """A page of a method gets what the code knows of it."""
    folder, _, kind = name.rpartition("/")
    if folder == "methods" and kind != "index":
        source[0] = methods.complete(kind, source[0])


def outdated(app: Any, env: Any, *changes: set[str]) -> list[str]:
    """Pages of methods are read each time: the code may have changed."""
    return [name for name in env.found_docs if name.startswith("methods/")]


def setup(app: Any) -> dict[str, bool]:
    """Join the build."""
    app.connect("builder-inited", start)
    app.connect("source-read", read)
    app.connect("env-get-outdated", outdated)
    docstrings.setup(app)
    mathml.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
