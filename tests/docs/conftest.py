"""The documentation's own extension, for its tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

if not (ROOT / "docs").is_dir():  # a source distribution has no documentation
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def root():
    return ROOT
