"""Sphinx extension: the parts of the documentation that the code and the results know best.

They stand in the pages, between `<!-- generated: NAME -->` and `<!-- end -->`, so that pages read
well in the repository, too. `python docs/_ext/refresh.py` (part of `make docs`) writes them anew,
and a test checks that they are fresh. Only `docs/reference/`, a page of docstrings for each
package, is made with each build.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surefoot_docs import api, compositions, docstrings, mathml, members, methods, registries

DOCS = Path(__file__).parents[2]
_GENERATED = re.compile(r"<!-- generated: (\S+) -->(.*?)<!-- end -->", re.DOTALL)


def texts() -> dict[str, str]:
    """Every generated text, by its name."""
    found = members.parts() | methods.parts() | compositions.parts()
    return found | registries.parts() | registries.inline()


def refreshed(page: str, known: Mapping[str, str]) -> str:
    """A page with its generated parts written anew, in lines of their own or inside a sentence.

    Args:
        page: its Markdown.
        known: texts by name; other names are files of results, from the root of the repository.
    """

    def anew(found: re.Match[str]) -> str:
        name, old = found.groups()
        text = known[name] if name in known else (DOCS.parent / name).read_text(encoding="utf-8")
        between = "\n\n" if old.startswith("\n") else " "
        return f"<!-- generated: {name} -->{between}{text.strip()}{between}<!-- end -->"

    return _GENERATED.sub(anew, page)


def pages() -> list[Path]:
    """The pages written by hand, and what a command says in its help."""
    own = [path for path in sorted(DOCS.rglob("*.md")) if path.parent in (DOCS, DOCS / "methods")]
    return [*own, DOCS.parent / "src" / "surefoot" / "cli" / "options.md"]


def refresh() -> list[Path]:
    """Write generated parts anew, and say which pages changed."""
    known, changed = texts(), []
    for path in pages():
        page = path.read_text(encoding="utf-8")
        if (fresh := refreshed(page, known)) != page:
            path.write_text(fresh, encoding="utf-8")
            changed.append(path)
    return changed


def write(folder: Path) -> None:
    """Write the pages of docstrings; those that did not change keep their date."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{name}.md": text for name, text in api.pages().items()}
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
    """A page of a method gets what the code knows of it; their list names them all."""
    folder, _, kind = name.rpartition("/")
    if folder == "methods":
        tree = "\n\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
        source[0] = source[0] + tree if kind == "index" else methods.complete(kind, source[0])


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
