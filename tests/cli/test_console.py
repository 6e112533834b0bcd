"""Messages of several processes."""

from __future__ import annotations

import pytest

from surefoot.cli import console


@pytest.mark.parametrize(("rank", "waits"), [("0", 0), ("3", 1)])
def test_the_first_process_tells_an_error_before_the_others(monkeypatch, capsys, rank, waits):
    waited = []
    monkeypatch.setattr(console.time, "sleep", waited.append)
    monkeypatch.setenv("RANK", rank)
    console.complain("no such file.")
    assert len(waited) == waits
    told = capsys.readouterr().err
    assert told.startswith("error: " + ("process 3: " if waits else "") + "no such file.")
