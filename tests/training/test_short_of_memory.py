"""One of two processes runs out of memory, in any pass: both end where one process ends."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file
from short_of_memory import CASES
from test_several_processes import assert_equal_ends

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", CASES)
def test_two_processes_equal_one(ends, name):
    assert_equal_ends(*ends.values(), name)


def test_they_ran_out_of_memory(ends):
    """On the first process, and on no other."""
    for name in CASES:
        told = [json.loads((ends[2] / f"figures-{r}.json").read_text())[name] for r in (0, 1)]
        assert [one["smaller"] for one in told] == [name != "an idle parameter", False]


def test_what_no_rank_uses_stays_as_it_is(ends):
    """Without a gradient: with one of zeros, weight decay would move it."""
    for folder in ends.values():
        assert not load_file(folder / "an idle parameter 0.safetensors")["idle"].any()
