"""A cache folder of its own for each test, and rows to make data from."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """The cache folder, which does not exist before something is stored."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SUREFOOT_CACHE", str(folder))
    return folder / "data"


@pytest.fixture
def jsonl(tmp_path):
    """Writes records as JSON lines (gzipped by name) and returns the path."""

    def write(*records, name="rows.jsonl"):
        text = "".join(json.dumps(record) + "\n" for record in records)
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write
