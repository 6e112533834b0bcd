"""The examples of CONTRIBUTING, as a stranger's package: each is one file, one test, and a page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_EXAMPLE = re.compile(
    r"<!-- example: (\S+) -->\n(`{3,})(?:python|markdown)\n(.*?)^\2$", re.MULTILINE | re.DOTALL
)
_REFERENCE = re.compile(r"^(MARGIN_LOSSES|LABEL_MODELS|RISKS)\[", re.MULTILINE)
_SHARED = (
    *("reference.py", "compositions.py", "properties.py"),
    *("test_conformance.py", "test_declared_properties.py"),
)

#: Pages of methods are complete, and their configurations construct.
_PAGES = """
from pathlib import Path

import pytest
import yaml
from surefoot_docs import methods
from surefoot_docs.mathml import mathml
from surefoot_docs.registries import parts, threats_of

from surefoot.training import RunConfig

PAGES = sorted(Path(__file__).with_name("methods").glob("*.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page(path):
    import re

    text = path.read_text()
    assert set(methods.SECTIONS) <= set(re.findall(r"^## (.+)$", text, re.MULTILINE))
    place, cls = methods.kinds()[path.stem]
    page = methods.complete(path.stem, text)
    assert "## In numbers" in page and methods.source(cls) in page
    assert f"[`{path.stem}`]" in methods.overview(place)
    (block,) = re.findall(r"```yaml\\n(.*?)```", text, re.DOTALL)
    config = RunConfig(**{"data": {"train": "x"}, "output": "y"} | yaml.safe_load(block))
    assert type(getattr(config.objective, place)) is cls
    assert "<math" in mathml(re.search(r"```{math}\\n(.*?)```", text, re.DOTALL)[1], block=True)


def test_every_reader_check_and_suite_is_documented():
    found = parts()
    assert "| winner and loser |" in found["readers"]
    assert "| both refuse |" in found["checks"]
    assert "## `sums`" in found["suites"]
"""


@pytest.mark.slow
def test_examples_join_and_pass_their_tests(root, tmp_path):
    """In a process of its own, where the package is a plugin; nothing of surefoot is edited."""
    text = (root / "CONTRIBUTING.md").read_text()
    found = {Path(name): code for name, _, code in _EXAMPLE.findall(text)}
    package, pages = tmp_path / "stranger", tmp_path / "methods"
    package.mkdir()
    pages.mkdir()
    methods = {one.stem for one in found if one.parts[0] == "docs"}
    for name, code in found.items():
        place = {"tests": tmp_path, "docs": pages}.get(name.parts[0], package)
        (place / name.name).write_text(code)
        if place is package:  # one file, one test, and a page of each method
            assert f"test_{name.stem}.py" in {one.name for one in found}
            if name.parts[0] == "objectives":
                assert name.stem.replace("_", "-") in methods
    (package / "__init__.py").write_text('"""Of a stranger."""\n')
    ruff = [sys.executable, "-m", "ruff", "check", "--config", str(root / "pyproject.toml"), "-q"]
    linted = subprocess.run([*ruff, package], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
    for path in (root / "tests" / "objectives").glob("*.py"):
        if path.name in _SHARED or _REFERENCE.search(path.read_text()):
            shutil.copy(path, tmp_path)
    (tmp_path / "test_pages.py").write_text(_PAGES)
    (tmp_path / "conftest.py").write_text("import surefoot.plugins as p\n\np.load('stranger')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow: slow\n")
    own = " or ".join([*methods, "test_pages.py", "every_member", "no_property"])
    tests = " or ".join(one.name for one in found if one.parts[0] == "tests")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    path = [tmp_path, root / "docs" / "_ext", *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [*command, "-k", f"{own} or {tests}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # The conformance suite and the measures of what is declared took each.
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 150
