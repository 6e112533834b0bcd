"""One of two processes runs out of memory, in any pass: both end where one process ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file
from short_of_memory import CASES
from test_several_processes import assert_equal_ends, launch

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parent / "short_of_memory.py"


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    return [launch(folder / str(n), n, SCRIPT) for n in (1, 2)]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_equal_one(ends, name):
    assert_equal_ends(*ends, name)


def test_they_ran_out_of_memory(ends):
    """On the first process, and on no other."""
    for name in CASES:
        told = [json.loads((ends[1] / f"figures-{r}.json").read_text())[name] for r in (0, 1)]
        assert [one["smaller"] for one in told] == [name != "an idle parameter", False]


def test_what_no_rank_uses_stays_as_it_is(ends):
    """Without a gradient: with one of zeros, weight decay would move it."""
    for folder in ends:
        assert not load_file(folder / "an idle parameter 0.safetensors")["idle"].any()
