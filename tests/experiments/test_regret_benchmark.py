"""The table of regrets: a small world through all of it, and what its summary says."""

from __future__ import annotations

import pytest

from benchmarks import regret
from surefoot.errors import ConfigurationError
from surefoot.worlds.planted import faults


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(regret, "PAIRS", 1000)
    monkeypatch.setattr(regret, "TEST", 500)


@pytest.mark.slow
def test_the_choice_answers_two_sources_in_conflict(small):
    row = regret.outcomes(faults()["two sources in conflict"], 1.0, [5, 0, 0])
    assert row["chosen"] == {"scorer": {"source_aware": True}}
    assert row["choice"] > row["plain"] + 0.1
    assert row["best"] == max(row[way] for way in ("plain", "choice", "default", "best"))


def test_what_is_refused_is_no_way_of_training():
    def accuracy(options):
        if options:
            raise ConfigurationError("refused.")
        return 0.6

    row = regret.compared([], {}, {"objective": {"risk": {"kind": "tv"}}}, accuracy)
    assert (row["plain"], row["default"], row["best_is"]) == (0.6, 0.6, "plain")


def test_the_summary_counts_harm_and_gain():
    rows = [
        {"name": str(i), "size": 0, "plain": 0.6, "choice": c, "default": 0.6, "best": b}
        for i, (c, b) in enumerate([(0.6, 0.6), (0.65, 0.7), (0.55, 0.605), (0.7, 0.7)] * 3)
    ]
    found = regret.summary(rows)
    assert found["harmed"]["share"] == 0.25
    assert found["with_something_to_win"] == 6
    assert found["share_of_the_best_gain"] == pytest.approx(0.15 / 0.2)
    assert found["gain"]["choice"]["estimate"] == pytest.approx(0.025)


def test_there_are_worlds_enough_of_every_fault():
    cells = list(regret.cells(1, first=1))
    assert len(cells) >= 60
    assert {name for name, *_ in cells} >= set(faults())
    assert len({(*seed, size) for _, size, _, seed in cells}) == len(cells)
