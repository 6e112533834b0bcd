"""Which pairs share an optimiser step, and how a step is cut into micro-batches."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.data.steps import OVERHEAD, StepSampler, plan

UNITS = st.lists(st.integers(0, 12), min_size=1, max_size=60).map(np.array)
LENGTHS = st.lists(st.tuples(*[st.integers(1, 400)] * 2), min_size=1, max_size=24).map(np.array)


def _epoch(units, size, seed=0, epoch=0):
    return [rows.tolist() for rows in StepSampler(np.asarray(units), size, seed, epoch=epoch)]


class TestStepSampler:
    @given(UNITS, st.integers(1, 20), st.integers(0, 3))
    @settings(deadline=None)
    def test_an_epoch_holds_every_row_once(self, units, size, epoch):
        steps = _epoch(units, size, epoch=epoch)
        assert sorted(itertools.chain(*steps)) == list(range(len(units)))
        assert all(steps)
        assert len(steps) == len(StepSampler(units, size, 0))

    @given(UNITS, st.integers(1, 20))
    @settings(deadline=None)
    def test_a_unit_is_never_torn_apart(self, units, size):
        step_of = {row: i for i, rows in enumerate(_epoch(units, size)) for row in rows}
        for unit in np.unique(units):
            assert len({step_of[row] for row in np.flatnonzero(units == unit)}) == 1

    @given(UNITS, st.integers(1, 20))
    @settings(deadline=None)
    def test_steps_differ_by_the_largest_unit_at_most(self, units, size):
        sizes = [len(rows) for rows in _epoch(units, size)]
        assert max(sizes) - min(sizes) <= np.bincount(units).max()

    @pytest.mark.parametrize(("rows", "size"), [(10, 4), (9, 8), (7, 7), (100, 16), (3, 8)])
    def test_single_rows_fill_steps_evenly(self, rows, size):
        sizes = [len(step) for step in _epoch(np.arange(rows), size)]
        assert len(sizes) == math.ceil(rows / size)
        assert max(sizes) <= size
        assert max(sizes) - min(sizes) <= 1

    @pytest.mark.parametrize("seed", range(8))
    def test_small_units_fill_up_what_large_ones_leave(self, seed):
        units = np.repeat(np.arange(20), [6, 4, *[1] * 18])
        assert [len(step) for step in _epoch(units, 7, seed)] == [7] * 4

    def test_one_unit_is_one_step(self):
        assert [sorted(step) for step in _epoch(np.zeros(9, dtype=int), 2)] == [list(range(9))]

    def test_seed_and_epoch_decide(self):
        units = np.arange(40)
        assert _epoch(units, 8, seed=1, epoch=2) == _epoch(units, 8, seed=1, epoch=2)
        drawn = [_epoch(units, 8, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
        assert all(one != other for one, other in itertools.combinations(drawn, 2))

    def test_epochs_differ_in_who_meets_whom(self):
        sampler = StepSampler(np.arange(40), 8, seed=0)
        first = {frozenset(rows.tolist()) for rows in sampler}
        sampler.set_epoch(1)
        assert first.isdisjoint({frozenset(rows.tolist()) for rows in sampler})

    @given(UNITS, st.integers(1, 20))
    @settings(deadline=None)
    def test_in_order_where_nothing_is_shuffled(self, units, size):
        steps = [rows.tolist() for rows in StepSampler(units, size, 0, shuffle=False)]
        rows = list(itertools.chain(*steps))
        assert sorted(rows) == list(range(len(units)))
        appears = [list(units).index(units[row]) for row in rows]
        assert appears == sorted(appears)
        assert all(
            {units[r] for r in one}.isdisjoint({units[r] for r in other})
            for one, other in itertools.combinations(steps, 2)
        )
        assert len(steps) == len(StepSampler(units, size, 0, shuffle=False))
        if len(set(units.tolist())) == len(units):
            assert rows == sorted(rows)
            assert {len(step) for step in steps[:-1]} <= {size}

    def test_every_row_is_as_likely_in_every_step(self):
        """Steps are no queue: over many seeds a row is in the first step as often as in others."""
        first = np.zeros(12)
        for seed in range(600):
            first[_epoch(np.arange(12), 4, seed)[0]] += 1
        assert first.sum() == 600 * 4
        expected, deviation = 200, math.sqrt(600 * (1 / 3) * (2 / 3))
        assert np.abs(first - expected).max() < 4.5 * deviation


class TestPlan:
    @given(LENGTHS, st.integers(1, 5), st.integers(1, 8), st.none() | st.integers(1, 3000))
    @settings(deadline=None)
    def test_every_rank_has_as_many_and_every_pair_is_in_one(self, lengths, ranks, pairs, tokens):
        planned = plan(2 * lengths.max(1), ranks, pairs, tokens)
        assert len(planned) == ranks
        assert len({len(parts) for parts in planned}) == 1
        rows = np.concatenate([part for parts in planned for part in parts])
        assert sorted(rows.tolist()) == list(range(len(lengths)))

    @given(LENGTHS, st.integers(1, 5), st.integers(1, 8), st.integers(1, 3000))
    @settings(deadline=None)
    def test_caps_hold(self, lengths, ranks, pairs, tokens):
        for part in itertools.chain(*plan(2 * lengths.max(1), ranks, pairs, tokens)):
            assert len(part) <= pairs
            if len(part) > 1:
                assert 2 * len(part) * lengths[part].max() <= tokens

    @given(LENGTHS, st.integers(2, 5), st.integers(1, 8))
    @settings(deadline=None)
    def test_a_rank_idles_only_where_pairs_are_few(self, lengths, ranks, pairs):
        parts = list(itertools.chain(*plan(2 * lengths.max(1), ranks, pairs)))
        empty = sum(not len(part) for part in parts)
        assert empty < ranks
        if empty:
            assert max(map(len, parts)) == 1

    def test_the_longest_come_first(self):
        lengths = np.array([[3, 4], [90, 8], [40, 41], [5, 50]])
        (parts,) = plan(2 * lengths.max(1), 1, 2, overhead=0)
        assert np.concatenate(parts).tolist() == [1, 3, 2, 0]

    @pytest.mark.parametrize("overhead", [0, 30, OVERHEAD])
    @pytest.mark.parametrize("tokens", [None, 300])
    @pytest.mark.parametrize("seed", range(6))
    def test_no_cut_of_the_sorted_pairs_is_cheaper(self, seed, tokens, overhead):
        """Brute force over all 2^7 cuts of 8 pairs."""
        pairs, cap = 8, 4
        lengths = np.random.default_rng(seed).integers(5, 100, (pairs, 2))
        longest = np.sort(lengths.max(1))[::-1]

        def cost(sizes):
            starts = np.cumsum([0, *sizes[:-1]])
            padded = [2 * size * int(longest[s]) for size, s in zip(sizes, starts, strict=True)]
            if max(sizes) > cap:
                return math.inf
            if tokens and any(p > tokens for p, s in zip(padded, sizes, strict=True) if s > 1):
                return math.inf
            return sum(padded) + overhead * len(sizes)

        def all_cuts():
            for marks in itertools.product([False, True], repeat=pairs - 1):
                ends = [i + 1 for i, mark in enumerate(marks) if mark]
                yield np.diff([0, *ends, pairs]).tolist()

        (parts,) = plan(2 * lengths.max(1), 1, cap, tokens, overhead)
        assert cost([len(part) for part in parts]) == min(map(cost, all_cuts()))

    def test_a_long_pair_alone_may_exceed_the_tokens(self):
        (parts,) = plan(np.array([1000, 6]), 1, 4, tokens=100)
        assert [part.tolist() for part in parts] == [[0], [1]]

    def test_one_pair_on_three_ranks(self):
        planned = plan(np.array([18]), 3, 8)
        assert [[part.tolist() for part in parts] for parts in planned] == [[[0]], [[]], [[]]]
