"""Where tests find real data: `$SUREFOOT_SUITES`, or `shared/data` beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def real_data(name: str) -> Path:
    """The path of a file such as `hh_rlhf/helpful-base.test.jsonl.gz`; skips where it is not."""
    folder = Path(os.environ.get("SUREFOOT_SUITES") or _BESIDE)
    path = folder / name
    if not path.exists():
        pytest.skip(f"real data {name} is not in {folder}; SUREFOOT_SUITES names another folder")
    return path


def case(name: str) -> Path:
    """The path of an input that was read wrongly once; skips where the cases are not."""
    path = _BESIDE.parent / "cases" / "data" / name
    if not path.exists():
        pytest.skip(f"the case {name} is not in {path.parent}, beside the repository")
    return path
