"""What is predicted without reading: by words, by form, by the prompt alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from surefoot.auditing import Lacking, diagnostics
from surefoot.auditing.blind import blind_model
from surefoot.auditing.preference_material import PreferenceMaterial
from surefoot.auditing.words import MOST_ROWS, rows_read, word_use
from surefoot.data import Preferences
from surefoot.worlds.planted.material import clean

TOPICS = ["rivers", "songs", "bread", "ships", "glass", "maps"]


def measured(name, world):
    (one,) = diagnostics()[name].measure(world)
    return one


def drawn(kind="unbalanced groups", pairs=2000, seed=1, **changes):
    return replace(clean(kind, pairs, np.random.default_rng(seed)), **changes)


def by_two_writers(rows: int = 400):
    """One writer says `indeed` and `!`, the other `surely` and `;`; the first always wins."""
    rng = np.random.default_rng(2)
    for i in range(rows):
        first, second = (
            f"{a} the {rng.choice(TOPICS)} of the {rng.choice(TOPICS)}{b} It's {rng.integers(9)}."
            for a, b in (("Indeed", "!"), ("Surely", ";"))
        )
        sides = [first, second] if i % 2 else [second, first]
        label = {"label": float(i % 2)}
        yield {"prompt": f"Question {i}?", "response_a": sides[0], "response_b": sides[1]} | label


def test_shares_of_words_are_roots_of_counts():
    use = word_use(np.arange(2), ["a b a, don't", "b"], ["c", "a a"])
    assert set(use.words) == {"a", "b", "c", ",", "don't"}
    at = use.words.index("a")
    column = np.array([np.sqrt(2 / 5), -1.0])
    assert use.values[:, at] == pytest.approx(column / np.sqrt(np.square(column).mean()))


def test_the_most_spread_words_are_kept():
    texts = [f"common x{i}" for i in range(300)]
    use = word_use(np.arange(300), texts)
    assert len(use.words) == 200
    assert use.words[0] == "common"
    assert use.values.mean(0) == pytest.approx(0, abs=1e-12)


def test_no_more_rows_are_read_than_memory_allows():
    assert len(rows_read(10 * MOST_ROWS, 0)) == MOST_ROWS
    assert rows_read(5, 0).tolist() == [0, 1, 2, 3, 4]


def test_two_writers_are_told_apart_by_words_that_are_named():
    found = measured("authorship", PreferenceMaterial(Preferences.from_rows(by_two_writers())))
    assert found.size.estimate > 0.45
    assert {"indeed", "!"} <= set(found.details["preferred"])
    assert {"surely", ";"} <= set(found.details["others"])
    assert len(found.rows.positions) > 300


def test_what_length_says_is_no_authorship():
    """Labels follow length, and one word is as frequent as a response is long."""
    world = drawn()
    length = world.contrasts["length"]
    use = world.wording
    values = np.column_stack([length[use.rows] / np.std(length), use.values])
    told = replace(use, words=("the", *use.words), values=values)
    labels = (length + 0.3 * np.random.default_rng(5).normal(size=2000) > 0).astype(float)
    found = measured("authorship", With(replace(world, labels=labels), told))
    assert found.details["accuracy"] > 0.8
    assert abs(found.size.estimate) < 0.02


class With:
    """A world with another use of words."""

    def __init__(self, world, wording):
        self.world, self.wording = world, wording

    def __getattr__(self, name):
        return getattr(self.world, name)


@pytest.mark.parametrize("apart", [0.0, 0.7])
def test_accuracy_by_words_is_what_it_is_by_their_law(apart):
    found = measured("authorship", drawn(written=apart))
    assert found.size.estimate == pytest.approx(norm.cdf(apart) - 0.5, abs=0.03)


def test_a_place_that_wins_more_often_is_seen():
    world = drawn(placed=np.ones(2000))
    labels = np.where(np.random.default_rng(3).random(2000) < 0.3, 1.0, world.labels)
    found = measured("sides", replace(world, labels=labels))
    assert found.details["first wins"] == pytest.approx(0.65, abs=0.03)
    assert found.size.estimate == pytest.approx(0.15, abs=0.03)


def test_sides_that_go_with_the_prompt_are_seen_where_both_win_alike():
    world = drawn(placed=np.ones(2000))
    labels = (world.asked.values[:, 0] > 0).astype(float)
    found = measured("sides", replace(world, labels=labels))
    assert found.details["first wins"] == pytest.approx(0.5, abs=0.05)
    assert found.size.estimate > 0.4


def test_chosen_and_rejected_have_no_sides():
    one = measured("sides", drawn(placed=np.zeros(2000), labels=np.ones(2000)))
    assert isinstance(one, Lacking)


def test_a_model_that_reads_is_compared_with_form_on_the_same_rows():
    world = drawn(pairs=3000)
    found = measured("content", world)
    assert found.size.estimate == pytest.approx(found.details["reading"] - found.details["form"])
    assert found.details["form"] == pytest.approx(0.53, abs=0.03)
    assert found.details["reading"] > 0.6
    assert found.test is None
    blind = measured("content", replace(world, vectors=np.zeros((3000, 2, 8))))
    assert blind.size.high < 0.02
    assert "judge of form" in blind.advice


def test_rows_without_a_weight_are_neither_learnt_nor_counted():
    world = drawn()
    x = np.random.default_rng(4).normal(size=(2000, 3))
    labels = (x[:, 0] > 0).astype(float)
    half = np.arange(2000) < 1000
    labels[half] = 1 - labels[half]
    world = replace(world, labels=labels, weights=np.where(half, 0.0, 1.0))
    found = blind_model(world, np.arange(2000), x)
    assert found.rows.tolist() == list(range(1000, 2000))
    assert found.accuracy(0.0).mean > 0.95


@pytest.mark.parametrize("name", ["authorship", "sides", "content"])
def test_ties_are_left_out_of_accuracies_and_counted(name):
    world = drawn(pairs=800, placed=np.ones(800), written=0.7)
    tied = np.arange(800) % 2 == 0
    with_ties = measured(name, replace(world, labels=np.where(tied, 0.5, world.labels)))
    assert "(400 ties left out)" in with_ties.seen
    assert with_ties.size.n == 400
    without = measured(name, replace(world, weights=(~tied).astype(float)))
    assert "ties" not in without.seen


@pytest.mark.parametrize("name", ["authorship", "sides", "unseen topics"])
def test_ties_are_no_clean_bill(name):
    """Every model is right on half of them."""
    world = drawn(pairs=400)
    few = np.where(np.arange(400) < 199, world.labels, 0.5)
    assert isinstance(measured(name, replace(world, labels=few)), Lacking)
    enough = np.where(np.arange(400) < 200, world.labels, 0.5)
    assert not isinstance(measured(name, replace(world, labels=enough)), Lacking)


def test_prompts_without_a_weight_do_not_make_ten():
    world = drawn(pairs=400)
    few = np.isin(world.prompts, np.unique(world.prompts)[:9]).astype(float)
    assert isinstance(measured("content", replace(world, weights=few)), Lacking)
