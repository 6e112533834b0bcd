"""Pages about policies: the value on logged pairs, and win rates."""

from __future__ import annotations

import numpy as np
import pytest
from html_checks import assert_self_contained

from surefoot.evaluation.policies.logged import LoggedValues
from surefoot.evaluation.policies.overoptimisation.choosing import BestOfN
from surefoot.evaluation.policies.overoptimisation.curve import best_of_n_curve, compare_curves
from surefoot.evaluation.policies.value import RatioOptions, policy_value
from surefoot.evaluation.policies.win_rate import Contests, win_rate
from surefoot.report import best_of_n_page, value_page, win_rate_page


def text(html):
    return " ".join("".join(assert_self_contained(html).text).split())


def value(scale=0.3, **options):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).astype(float)
    logs = scale * rng.standard_normal((200, 2)) - scale**2 / 2
    return policy_value(
        labels, rng.random(200), rng.random((200, 2)), logs, None, RatioOptions(**options)
    )


def page_of(value, *warnings):
    return text(value_page(LoggedValues("runs/p", "runs/<r>", "s.jsonl", {"one": value}, warnings)))


def test_the_value_of_a_policy_makes_a_page():
    page = page_of(value(), "Something <b>was</b> cut.")
    assert "Value of runs/p" in page
    assert "said by runs/<r>; what the policy writes is in s.jsonl" in page
    assert "Something <b>was</b> cut." in page
    assert "Effective size" in page
    assert "not clipped" in page


def test_every_kind_of_value_makes_a_page():
    assert "say nothing" in page_of(value(scale=9.0))
    page = page_of(value(scale=1.0, clip=[0.5, 2.0], self_normalise=True))
    assert "clipped to [0.5, 2]" in page
    assert "self-normalised" in page
    logs = np.zeros((200, 2))
    logs[0] = 5000.0
    none = policy_value(np.ones(200), np.ones(200), np.ones((200, 2)), logs)
    assert "no figure" in page_of(none)


def judged(seed=0, bias=0.0, shift=0.0, n=300):
    rng = np.random.default_rng(seed)
    lengths = np.exp(rng.normal(4, 0.5, (n, 2)) + np.array([shift, 0.0])).round()
    p = 1 / (1 + np.exp(-bias - 1.5 * np.log(lengths[:, 0] / lengths[:, 1])))
    votes = [(rng.random(n) < p).astype(float) for _ in range(2)]
    return Contests(votes[0], votes[1], lengths, np.arange(n))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (judged(bias=1.5), "A wins, at equal length too"),
        (judged(bias=-1.5), "B wins, at equal length too"),
        (judged(), "not distinguishable"),
        (judged(shift=0.8, bias=-0.1), "A wins; not shown that it would at equal length"),
        (judged(shift=1.2, bias=-0.9), "A wins by length"),
    ],
)
def test_the_verdict_on_a_win_rate(given, words):
    page = text(win_rate_page(win_rate(given), "a <b>.jsonl", "b.jsonl", judge="runs/reward"))
    assert words in page
    assert "a <b>.jsonl" in page
    assert "The response shown first wins" in page


def test_pages_of_win_rates_without_order_or_interval():
    one = judged(n=9)
    page = text(
        win_rate_page(win_rate(Contests(one.first, None, one.lengths, one.prompts)), "a", "b")
    )
    assert "this judge does not see it" in page
    assert "too few" in page
    three = text(win_rate_page(win_rate([judged(seed) for seed in range(3)]), "a", "b"))
    assert "3 seeds" in three


@pytest.mark.parametrize("stand_in", [None, "runs/held-out"])
def test_best_of_n_makes_a_page(stand_in):
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(30, 16))
    curves = {
        name: best_of_n_curve([gold + noise * rng.normal(size=gold.shape)], gold)
        for name, noise in (("runs/<one>", 0.3), ("runs/two", 3.0))
    }
    compared = compare_curves(*curves.values())
    page = text(best_of_n_page(BestOfN(curves, compared, stand_in, ("A caution.",))))
    assert "No over-optimisation up to n = 8" in page
    assert "Best of n by runs/<one>" in page
    assert "Against runs/two" in page
    assert "A caution." in page
    assert ("a stand-in" in page) == (stand_in is not None)
    alone = text(best_of_n_page(BestOfN({"one": best_of_n_curve([gold[:4, :4]], gold[:4, :4])})))
    assert "no law is fitted" in alone
    assert "Against" not in alone
