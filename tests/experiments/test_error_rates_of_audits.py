"""The table of the audit's error rates: worlds through all of it, kept, counted, shown."""

from __future__ import annotations

import pytest

from benchmarks import audit as benchmark
from experiments.common import results
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import KINDS


def test_every_kind_and_every_size_of_every_fault_is_counted_once():
    of = [(cell.part, cell.kind, n) for cell in benchmark.cells(60, 30, 500) for n in cell.numbers]
    sizes = sum(len(fault.sizes) for fault in faults().values())
    assert len(set(of)) == len(of) == 60 * len(KINDS) + 30 * sizes


@pytest.mark.slow
def test_worlds_are_counted_kept_and_shown(tmp_path, monkeypatch):
    name, fault = "two sources in conflict", faults()["two sources in conflict"]
    monkeypatch.setattr(benchmark, "faults", lambda: {name: fault})
    monkeypatch.setattr(benchmark, "KINDS", KINDS[:1])
    few = [
        cell
        for cell in benchmark.cells(2, 2, 1000)
        if cell.part == benchmark.CLEAN or float(cell.kind) == fault.surely
    ]
    counted = [cell.counts() for cell in few]
    monkeypatch.setattr(benchmark, "cells", lambda *given: few)
    monkeypatch.setattr(benchmark.Cell, "counts", lambda cell: counted[few.index(cell)])
    monkeypatch.setattr(benchmark, "ProcessPoolExecutor", _Here)
    output = ["--pairs", "1000", "--output", str(tmp_path), "--work", str(tmp_path / "work")]
    benchmark.main(output)
    found = results.read(tmp_path / "audit.json")
    assert found["clean"][KINDS[0]]["worlds"] == 2
    assert found["clean"][KINDS[0]]["any finding"] == 0
    assert found["faults"][name]["found"] == {str(fault.surely): 1.0}
    assert f"**{fault.surely}: 100%**" in (tmp_path / "audit.md").read_text()
    written = (tmp_path / "audit.json").read_bytes()
    monkeypatch.setattr(benchmark.Cell, "counts", None)  # what is kept is not counted again
    benchmark.main(output)
    assert (tmp_path / "audit.json").read_bytes() == written


class _Here:
    """Runs in this process what another would."""

    def __init__(self, processes):
        assert processes

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    map = staticmethod(map)
