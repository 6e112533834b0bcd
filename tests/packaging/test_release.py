"""What says the version says the same one; the oldest versions are those of the project."""

from __future__ import annotations

import datetime
import importlib.util
import tomllib
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["keywords"] == PROJECT["keywords"]
    assert isinstance(citation["date-released"], datetime.date)


def test_lower_bounds_are_tried_as_the_project_names_them():
    script = REPOSITORY / "scripts" / "lower_bounds.py"
    spec = importlib.util.spec_from_file_location("lower_bounds", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    exact = module.bounds()
    assert [one.partition("==")[0] for one in exact] == list(module.OLDEST)
    for one in exact:
        assert one.replace("==", ">=") in PROJECT["dependencies"]
    pinned = module.constraints()
    assert "numpy==" in pinned
    assert not any(line.startswith("torch==") for line in pinned.splitlines())
