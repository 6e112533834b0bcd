"""The benchmark of the shift's test: a quick version, and what its committed figures say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import shift as benchmark
from experiments.common import results

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_clusters_of_both_sides_keep_the_level_and_those_of_one_side_do_not():
    cell = benchmark.World(), 100, 1000, 64, range(25)
    assert benchmark.rejections(*cell)["share"] <= 0.2  # 1.25 of 25 expected
    only = benchmark.rejections(*cell, benchmark.by_clusters_of_training)
    assert only["share"] >= 0.7


@pytest.mark.parametrize("repeats", [{"repeated": 200}, {"popular": 0.3}])
def test_prompts_that_come_again_and_again_keep_it_too(repeats):
    world = benchmark.World(**repeats)
    assert benchmark.rejections(world, 100, 500, 16, range(30))["share"] <= 0.15


def test_a_missing_topic_is_found():
    world = benchmark.World(missing=0.2)
    assert benchmark.rejections(world, 200, 1000, 64, range(8))["share"] >= 0.9


def test_intervals_hold_the_distance():
    found = benchmark.coverage(benchmark.World(missing=0.2), 200, 600, 16, range(15))
    assert all(one["held"] >= 0.7 and one["safe"] >= 0.7 for one in found.values())


def test_the_committed_figures():
    found = results.read(FOLDER / "results" / "shift.json")
    assert {(r["training"], r["deployment"], r["clusters"]) for r in found["size"]} == set(
        benchmark.CELLS
    )
    for row in found["size"]:
        assert row["worlds"] >= 1000
        assert row["share"] <= 0.064, row
    for row in found["coverage"]:
        for kind in benchmark.DISTANCES:
            assert row[kind]["held"] >= 0.93, row
            assert row[kind]["safe"] >= 0.93, row
    assert (FOLDER / "results" / "shift.md").read_text() == benchmark.tables(found)
