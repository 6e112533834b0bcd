"""Best-of-n against enumeration, the law against curves made from it, intervals against drawing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from surefoot.errors import DataError
from surefoot.evaluation.policies.overoptimisation.choosing import verdict
from surefoot.evaluation.policies.overoptimisation.curve import (
    best_of_n,
    best_of_n_curve,
    compare_curves,
    kl_of_best_of,
)
from surefoot.evaluation.policies.overoptimisation.law import fit_law, terms


def enumerated(proxy, gold, n):
    """The mean over all subsets, ties drawn among."""
    found = []
    for some in map(list, itertools.combinations(range(len(proxy)), n)):
        best = proxy[some].max()
        found.append(np.mean([gold[i] for i in some if proxy[i] == best]))
    return np.mean(found)


@pytest.mark.parametrize("tied", [False, True])
def test_the_estimate_is_the_mean_over_all_subsets(tied):
    rng = np.random.default_rng(0)
    proxy = rng.integers(0, 4, 8).astype(float) if tied else rng.normal(size=8)
    gold = rng.normal(size=8)
    sizes = list(range(1, 9))
    np.testing.assert_allclose(
        best_of_n(proxy, gold, sizes), [enumerated(proxy, gold, n) for n in sizes], rtol=1e-11
    )


def test_the_ends_of_the_curve():
    rng = np.random.default_rng(1)
    proxy, gold = rng.normal(size=(2, 300))
    one, all_of_them = best_of_n(proxy, gold, [1, 300])
    assert one == pytest.approx(gold.mean())
    assert all_of_them == pytest.approx(gold[proxy.argmax()])


def test_kl_is_that_of_the_best_of_n_where_responses_are_equally_likely():
    """The best of n of many distinct responses: rank i has chance (i/N)^n - ((i-1)/N)^n."""
    total = 200_000
    ranks = np.arange(total + 1) / total
    for n in (2, 16, 256):
        chances = np.diff(ranks**n)
        kept = chances > 0
        kl = (chances[kept] * np.log(chances[kept] * total)).sum()
        assert float(kl_of_best_of(n)) == pytest.approx(kl, rel=1e-3)


@pytest.mark.parametrize("by", ["best-of-n", "training"])
def test_the_law_is_recovered(by):
    rng = np.random.default_rng(0)
    kl = np.array([0.2, 0.6, 1.2, 2.5, 4.0])
    alphas, betas = rng.normal(2.0, 0.3, 60), rng.normal(0.7, 0.2, 60)
    curves = np.stack([alphas, betas], 1) @ terms(kl, by).T
    law = fit_law(kl, [curves], by)
    assert law.alpha.estimate == pytest.approx(alphas.mean())
    assert law.beta.estimate == pytest.approx(betas.mean())
    assert law.r2 == pytest.approx(1.0)
    step = 1e-5
    end = law.at([(law.last - step) ** 2, law.last**2])
    assert law.slope.estimate == pytest.approx(float(np.diff(end)[0]) / step, rel=1e-3)
    around = law.at(np.square(law.peak * np.array([0.99, 1.0, 1.01])))
    assert around.argmax() == 1


def test_the_laws_intervals_cover():
    kl, hits = np.array([0.2, 0.6, 1.2, 2.5]), []
    rng = np.random.default_rng(3)
    for _ in range(300):
        noise = rng.normal(0, 1, (40, 1)) * kl + rng.normal(0, 0.5, (40, 4))
        law = fit_law(kl, [terms(kl, "best-of-n") @ [1.5, 0.4] + noise], "best-of-n")
        hits.append(law.beta.low <= 0.4 <= law.beta.high)
    assert 0.90 <= np.mean(hits) <= 0.99


def test_seeds_widen_the_intervals_where_seeds_differ():
    rng = np.random.default_rng(0)
    gold = [rng.normal(size=16) for _ in range(30)]
    alike = [[g + rng.normal(size=16) for g in gold] for _ in range(4)]
    differ = [[s * g + rng.normal(size=16) for g in gold] for s in (0.0, 0.5, 1.0, 3.0)]
    widths = [
        (lambda e: e.high - e.low)(best_of_n_curve(one, gold).gold[-1]) for one in (alike, differ)
    ]
    assert widths[1] > 1.5 * widths[0]
    curve = best_of_n_curve(alike, gold)
    assert curve.seeds == 4
    assert curve.gold[-1].covers == "seeds and prompts"


@pytest.fixture(scope="module")
def exploited():
    """A proxy that is right on most responses, and enthusiastic about some that are bad."""
    rng = np.random.default_rng(0)
    gold, proxy, right = [], [], []
    for _ in range(60):
        g = rng.normal(size=64)
        trap = rng.random(64) < 0.06
        gold.append(np.where(trap, g - 3, g))
        right.append(g + rng.normal(0, 0.5, 64))
        proxy.append(np.where(trap, 2.5 + g, right[-1]))
    return gold, proxy, [r - 3 * (g < -2) for r, g in zip(right, gold, strict=True)]


def test_over_optimisation_is_told(exploited):
    gold, proxy, _ = exploited
    curve = best_of_n_curve([proxy], gold)
    assert curve.gold[1].low > 0  # at first it helps
    assert curve.law.slope.high < 0
    said = verdict(curve)
    assert said.tone == "bad"
    assert said.sentence.startswith("Over-optimised: at n = 32")
    assert all(a.estimate < b.estimate for a, b in itertools.pairwise(curve.proxy))


def test_a_good_proxy_is_told_and_compared(exploited):
    gold, proxy, better = exploited
    ours, theirs = best_of_n_curve([better], gold), best_of_n_curve([proxy], gold)
    assert verdict(ours).tone == "good"
    compared = compare_curves(ours, theirs)
    assert compared[-1].difference.low > 0
    gap = ours.gold[-1].estimate - theirs.gold[-1].estimate
    assert compared[-1].difference.estimate == pytest.approx(gap)


def test_a_gold_proxy_promises_what_it_gives(exploited):
    gold, *_ = exploited
    curve = best_of_n_curve([gold], gold)
    np.testing.assert_allclose(
        [e.estimate for e in curve.gold], [e.estimate for e in curve.proxy], rtol=1e-12
    )


def test_units_take_scale_and_offset_away(exploited):
    gold, proxy, _ = exploited
    curve = best_of_n_curve([proxy], gold)
    moved = best_of_n_curve(
        [[7 * p + i for i, p in enumerate(proxy)]], [100 - 0 * g + 5 * g for g in gold]
    )
    np.testing.assert_allclose(
        [e.estimate for e in moved.gold], [e.estimate for e in curve.gold], atol=1e-9
    )
    assert moved.gold_unit == pytest.approx(5 * curve.gold_unit)
    assert moved.proxy_unit[0] == pytest.approx(7 * curve.proxy_unit[0])


def test_few_responses_have_no_law_and_few_prompts_no_interval():
    rng = np.random.default_rng(0)
    curve = best_of_n_curve([rng.normal(size=(4, 5))], rng.normal(size=(4, 5)))
    assert curve.n == (1, 2, 4, 5)
    assert curve.law is None
    assert curve.gold[-1].low is None
    assert "too few" in curve.gold[-1].note
    assert "no law is fitted" in verdict(curve).sentence


def test_prompts_of_different_numbers_go_to_the_fewest():
    rng = np.random.default_rng(0)
    gold = [rng.normal(size=n) for n in [9, 20, 33] * 5]
    curve = best_of_n_curve([gold], gold)
    assert curve.n[-1] == 9
    told = "Prompts have 9 to 33 responses: the curve ends at the fewest."
    assert told in verdict(curve).points


def test_two_points_are_met_whatever_they_are():
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(12, 9))
    law = best_of_n_curve([gold], gold).law  # n = 2 and 4
    assert (law.points, law.r2) == (2, None)


@pytest.mark.parametrize(
    ("proxy", "gold", "words"),
    [
        ([[1.0, 2.0]], [[1.0, np.nan]], "gold reward is not finite for a response to prompt 0"),
        ([[1.0, np.inf]], [[1.0, 2.0]], "proxy 0 is not finite for a response to prompt 0"),
        ([[1.0]], [[1.0]], "prompt 0 has 1 response"),
        ([[1.0, 1.0]], [[1.0, 2.0]], "proxy 0 is the same for all responses"),
        ([[2.0, 1.0]], [[1.0, 1.0]], "gold reward is the same for all responses"),
        ([[1.0, 2.0, 3.0]], [[1.0, 2.0]], "not of the same responses"),
        ([], [], "no responses to choose from"),
    ],
)
def test_wrong_input(proxy, gold, words):
    with pytest.raises(DataError, match=words):
        best_of_n_curve([proxy], gold)


def test_curves_of_different_data_or_seeds_are_not_compared(exploited):
    gold, proxy, _ = exploited
    whole, part = best_of_n_curve([proxy], gold), best_of_n_curve([proxy[:30]], gold[:30])
    with pytest.raises(DataError, match="on the same responses"):
        compare_curves(whole, part)
    with pytest.raises(DataError, match="as many seeds; got 1 and 2"):
        compare_curves(whole, best_of_n_curve([proxy, proxy], gold))


def test_the_law_needs_two_distances():
    with pytest.raises(DataError, match="two different distances above 0"):
        fit_law([0.5, 0.5], [np.ones((3, 2))], "best-of-n")


def test_rewards_equal_up_to_rounding_share_their_gold():
    proxy = np.array([0.3, 0.1 + 0.2, 0.1])
    exact = best_of_n([1.0, 1.0, 0.0], [4.0, 2.0, 0.0], [1, 2, 3])
    assert best_of_n(proxy, [4.0, 2.0, 0.0], [1, 2, 3]) == pytest.approx(exact)
    noise = [1.0 + 1e-9 * np.arange(4.0)] * 12
    with pytest.raises(DataError, match="the same for all responses"):
        best_of_n_curve([noise], [np.arange(4.0)] * 12)
