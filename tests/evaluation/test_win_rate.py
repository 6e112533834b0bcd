"""Win rates: ties, orders, length, clusters, seeds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit
from win_rate_coverage import share

from surefoot.errors import DataError
from surefoot.evaluation.policies.win_rate import Contests, length_controlled, win_rate


def judged(first, second=None, lengths=None, prompts=None):
    first = np.asarray(first, dtype=float)
    n = len(first)
    return Contests(
        first,
        None if second is None else np.asarray(second, dtype=float),
        np.tile([10.0, 12.0], (n, 1)) if lengths is None else np.asarray(lengths, dtype=float),
        np.arange(n) if prompts is None else np.asarray(prompts),
    )


def drawn(n=300, seed=0, intercept=0.3, slope=1.0, shift=0.5, both=True):
    """A judge who likes length; A is longer by `shift` on the log scale."""
    rng = np.random.default_rng(seed)
    lengths = np.exp(rng.normal(4.0, 0.5, (n, 2)) + np.array([shift, 0.0])).round()
    x = np.log1p(lengths[:, 0]) - np.log1p(lengths[:, 1])
    p = expit(intercept + slope * x)
    votes = [(rng.random(n) < p).astype(float) for _ in range(2)]
    return judged(votes[0], votes[1] if both else None, lengths)


def test_ties_count_half_and_orders_are_averaged():
    first = [1, 1, 0.5, 0, 1.0, 0.7]
    second = [1, 0, 0.5, 0, 0.5, 0.2]
    found = win_rate(judged(first, second))
    # won, tied with itself, tied, lost, won (3/4), lost (.45)
    assert found.win_rate.estimate == pytest.approx((1 + 0.5 + 0.5 + 0 + 1 + 0) / 6)
    assert found.ties.estimate == pytest.approx(2 / 6)
    assert found.probability.estimate == pytest.approx((1 + 0.5 + 0.5 + 0 + 0.75 + 0.45) / 6)
    wide = win_rate(judged(first, second), tie_tolerance=0.06)
    assert wide.win_rate.estimate == pytest.approx((1 + 0.5 + 0.5 + 0 + 1 + 0.5) / 6)


def test_a_judge_that_prefers_the_first_place_is_found_out():
    found = win_rate(judged(np.ones(100), np.zeros(100)))
    assert found.win_rate.estimate == 0.5
    assert found.ties.estimate == 1.0
    assert found.position.estimate == 1.0
    assert found.inconsistent.estimate == 1.0
    assert any("changes its mind" in note for note in found.notes)
    fair = win_rate(drawn(both=False))
    assert fair.position is None
    assert fair.inconsistent is None


def test_position_is_how_often_the_first_place_wins():
    first, second = [1, 1, 0, 0.5], [0, 1, 0, 0]
    found = win_rate(judged(first, second))
    assert found.position.estimate == pytest.approx(np.mean([1, 0.5, 0.5, 0.75]))
    assert found.inconsistent.estimate == pytest.approx(0.5)


def test_swapping_the_policies_swaps_the_rates():
    one = drawn()
    other = judged(1 - one.second, 1 - one.first, one.lengths[:, ::-1])
    a, b = win_rate(one), win_rate(other)
    for name in ("win_rate", "length_controlled", "probability", "longer"):
        x, y = getattr(a, name), getattr(b, name)
        assert x.estimate == pytest.approx(1 - y.estimate)
        assert (x.low, x.high) == pytest.approx((1 - y.high, 1 - y.low))
    assert a.position.estimate == pytest.approx(b.position.estimate)
    assert [e.estimate for e in a.lengths] == pytest.approx([e.estimate for e in b.lengths][::-1])


def test_the_regression_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    one = drawn(200)
    y, x = one.outcome(), one.log_length_ratio
    model = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    # A tie is half a win and half a loss.
    model.fit(
        np.concatenate([x, x])[:, None],
        np.repeat([1, 0], len(x)),
        sample_weight=np.concatenate([y, 1 - y]),
    )
    assert 0.2 < (y == 0.5).mean() < 0.8
    rate = float(expit(model.intercept_[0]))
    assert win_rate(one).length_controlled.estimate == pytest.approx(rate, abs=1e-5)


def test_length_control_takes_off_what_length_bought():
    found = win_rate(drawn(4000, intercept=0.0, shift=0.7, both=False))
    assert found.win_rate.low > 0.6
    assert found.length_controlled.low < 0.5 < found.length_controlled.high
    assert found.longer.estimate > 0.8


def test_equal_lengths_leave_the_rate_as_it_is():
    """Where the length ratio is symmetric about 0 and does not matter, both rates agree."""
    rng = np.random.default_rng(0)
    half = rng.integers(20, 60, (500, 2)).astype(float)
    won = rng.integers(0, 2, 500).astype(float)
    found = win_rate(judged(np.tile(won, 2), None, np.concatenate([half, half[:, ::-1]])))
    assert found.length_controlled.estimate == pytest.approx(found.win_rate.estimate, abs=1e-9)


@pytest.mark.parametrize(
    ("outcomes", "ratios", "reason"),
    [
        ([1.0, 0.0, 1.0], [0.2, 0.2, 0.2], "length ratio is the same"),
        ([1.0, 1.0, 1.0], [0.2, 0.1, 0.3], "one side wins every"),
        ([1.0, 1.0, 0.0], [0.2, 0.1, -0.3], "length alone tells"),
        ([1.0, 0.0, 0.0], [-0.2, 0.1, 0.3], "length alone tells"),
        ([0.5, 0.5, 0.5], [-0.2, 0.1, 0.3], "every comparison is a tie"),
    ],
)
def test_a_regression_without_a_solution_is_refused(outcomes, ratios, reason):
    found = length_controlled([np.array(outcomes)], [np.array(ratios)], [np.arange(3)])
    assert found.low is None
    assert reason in found.note


def test_few_prompts_get_no_interval():
    one = drawn(60)
    found = win_rate(judged(one.first, one.second, one.lengths, np.arange(60) % 9))
    for name in ("win_rate", "length_controlled"):
        assert getattr(found, name).low is None
        assert "too few" in getattr(found, name).note
    assert found.prompts == 9


def test_one_side_nearly_always_longer_is_an_extrapolation():
    found = win_rate(drawn(shift=3.0))
    assert any("extrapolation" in note and note.startswith("A") for note in found.notes)


def test_comparisons_of_one_prompt_are_one_cluster():
    one = drawn(200, both=False)
    ids = np.repeat(np.arange(200), 5)
    first, lengths = (np.repeat(v, 5, axis=0) for v in (one.first, one.lengths))
    clustered, once = win_rate(judged(first, None, lengths, ids)), win_rate(one)
    alone = win_rate(judged(first, None, lengths))
    for name in ("win_rate", "length_controlled"):
        a, b, c = (getattr(found, name) for found in (once, clustered, alone))
        assert b.estimate == pytest.approx(a.estimate)
        assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.03)
        assert c.high - c.low < 0.6 * (a.high - a.low)


def test_several_seeds_cover_seeds_too():
    seeds = [drawn(150, seed=s, intercept=0.3 + 0.5 * (s - 1)) for s in range(3)]
    found = win_rate(seeds)
    alone = [win_rate(one) for one in seeds]
    assert found.seeds == 3
    assert found.n == 450
    assert found.prompts == 150
    assert "seeds" in found.win_rate.covers
    mean = np.mean([one.win_rate.estimate for one in alone])
    assert found.win_rate.estimate == pytest.approx(mean)
    logits = [np.log(e / (1 - e)) for e in (one.length_controlled.estimate for one in alone)]
    assert found.length_controlled.estimate == pytest.approx(expit(np.mean(logits)))
    width = found.win_rate.high - found.win_rate.low
    assert width > max(one.win_rate.high - one.win_rate.low for one in alone)
    two = win_rate(seeds[:2])
    assert two.win_rate.low is None
    assert "2 seeds" in two.win_rate.note


def test_the_result_is_json():
    found = win_rate([drawn(100, seed=s) for s in range(3)]).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found["lengths"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([], None), "no comparisons"),
        (([0.2, 1.5], None), r"first is P\(A preferred\), in \[0, 1\]; got 1.5 in comparison 1"),
        (([0.2, 0.5], [np.nan, 0.1]), "second is .* got nan in comparison 0"),
        (([0.2, 0.5], [0.1]), r"second has shape \(2,\); got \(1,\)"),
        (([0.2, 0.5], None, [[1, 2], [3, -1]]), "lengths are not negative"),
        (([0.2, 0.5], None, None, [1]), r"prompts are ids of shape \(2,\)"),
    ],
)
def test_wrong_comparisons_are_named(given, message):
    with pytest.raises(DataError, match=message):
        judged(*given)


def test_wrong_choices_are_named():
    with pytest.raises(DataError, match="no comparisons"):
        win_rate([])
    with pytest.raises(DataError, match=r"in \[0, 1/2\); got 0.5"):
        win_rate(drawn(), tie_tolerance=0.5)
    with pytest.raises(DataError, match="1 of 2 seeds"):
        win_rate([drawn(), drawn(both=False)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "prompts"),
    [("A twice as long, five a prompt", 50), ("A twice as long, one a prompt", 100)],
)
def test_intervals_at_equal_length_hold_the_truth(world, prompts):
    held, given = share(world, prompts, 400)
    assert given >= 395
    assert 0.91 <= held <= 0.985


def test_a_judge_that_only_prefers_a_place_ties_with_itself():
    """1/2 up to rounding, in either order of the sum: every comparison is a tie."""
    x = np.random.default_rng(0).normal(size=400) * 2
    found = win_rate(
        Contests(expit(x), expit(-x), np.full((400, 2), 100.0), np.arange(400)),
    )
    assert found.win_rate.estimate == 0.5
    assert found.ties.estimate == 1
    assert found.inconsistent.estimate == 1
