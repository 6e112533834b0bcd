"""Sphinx extension: writes the parts of the documentation that the code knows best.

Before the sources are read, `docs/reference/` is filled: `*.inc` files that pages include, and one
`*.md` page of docstrings for each package. Nothing there is edited by hand or committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surefoot_docs import api, compositions, docstrings, members, registries


def parts() -> dict[str, str]:
    """Every generated file: its name and its text."""
    included = {**members.parts(), **compositions.parts(), **registries.parts()}
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


def setup(app: Any) -> dict[str, bool]:
    """Join the build."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir) / "reference"))
    docstrings.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
