"""Names and docstrings of the package: each class has a name of its own, each docstring says it."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import surefoot

ROOT = Path(surefoot.__file__).parent
TREES = {file.relative_to(ROOT): ast.parse(file.read_text("utf-8")) for file in ROOT.rglob("*.py")}
DESCRIBED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
#: Beginnings of docstrings that send the reader elsewhere instead of saying what the thing is.
LEANING = ("As ", "See ", "Same as", "The same", "Those ", "That ", "It is.", "It gives", "Ditto")


def _docstrings() -> Iterator[tuple[str, str]]:
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, DESCRIBED) and (text := ast.get_docstring(node)):
                yield f"{file}:{getattr(node, 'lineno', 1)}", text


def test_no_two_public_classes_share_a_name():
    places = defaultdict(list)
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{file}:{node.lineno}")
    assert len(places) > 200
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_docstring_leans_on_another():
    texts = list(_docstrings())
    assert len(texts) > 1000
    assert [f"{place}: {text}" for place, text in texts if text.startswith(LEANING)] == []


def test_few_files_are_called_run():
    """What a training run and an evaluation do from end to end; more would say nothing."""
    assert {file.parent.as_posix() for file in TREES if file.name == "run.py"} == {
        "evaluation",
        "training",
    }


def test_no_value_is_called_told():
    """A variable says what it holds; persons are told."""
    found = [
        f"{file}:{node.lineno}"
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if getattr(node, "id", getattr(node, "arg", "")) == "told"
    ]
    assert found == []


def test_differences_are_distinguishable_and_not_told_apart():
    """Only persons are told something: what the pages and results say of figures says so."""
    repository = Path(__file__).parents[2]
    texts = [repository / "README.md", *ROOT.rglob("*.py"), *ROOT.rglob("*.jinja")]
    texts += (repository / "docs").rglob("*.md")
    for kind in ("md", "py", "json", "yaml"):
        texts += (repository / "experiments").glob(f"[!r]*/*.{kind}")
        texts += (repository / "experiments").glob(f"r[!u]*/*.{kind}")  # but for runs
    assert len(texts) > 400
    assert [str(one) for one in texts if "told apart" in one.read_text("utf-8").lower()] == []
