"""How often a model picks the longer response, and where it is right."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot.data import Preferences
from surefoot.evaluation import evaluate_rewards
from surefoot.evaluation.pairs.rulers import ruler_rewards


def pairs(sizes, labels):
    return Preferences.from_rows(
        {"prompt": f"p{i}", "response_a": "a" * a, "response_b": "b" * b, "label": label}
        for i, ((a, b), label) in enumerate(zip(sizes, labels, strict=True))
    )


SIZES = [(3, 1), (1, 3), (5, 2), (2, 5), (4, 4), (9, 1)]
LABELS = [1.0, 0.0, 0.0, 1.0, 1.0, 0.5]


def test_the_ruler_that_prefers_longer_is_right_there_and_nowhere_else():
    data = pairs(SIZES, LABELS)
    found = evaluate_rewards(ruler_rewards(data)["longer"], data).lengths
    assert found.picks_longer.estimate == 1.0
    assert found.picks_longer.n == 5  # one pair has equal lengths
    assert found.prefer_longer.estimate == 0.5  # of four: one of the five is a human tie
    assert (found.right_on_longer.estimate, found.right_on_shorter.estimate) == (1.0, 0.0)


def test_it_is_against_counting_by_hand(rows):
    drawn = np.random.default_rng(0)
    sizes = [tuple(one) for one in drawn.integers(1, 6, size=(300, 2)).tolist()]
    data = pairs(sizes, drawn.choice([0.0, 0.3, 0.5, 1.0], 300).tolist())
    rewards = drawn.integers(0, 3, size=(300, 2)).astype(float)
    found = evaluate_rewards(rewards, data).lengths
    longer_is_a = np.array([a > b for a, b in sizes])
    differ = np.array([a != b for a, b in sizes])
    picks = np.where(rewards[:, 0] == rewards[:, 1], 0.5, rewards[:, 0] > rewards[:, 1])
    picks = np.where(longer_is_a, picks, 1 - picks)
    assert found.picks_longer.estimate == pytest.approx(picks[differ].mean())
    shorter = differ & (data.labels != 0.5) & ((data.labels > 0.5) != longer_is_a)
    assert found.right_on_shorter.estimate == pytest.approx(1 - picks[shorter].mean())
    assert found.right_on_shorter.n == shorter.sum()


def test_sides_may_change_places():
    data, swapped = pairs(SIZES, LABELS), pairs([(b, a) for a, b in SIZES], [1 - x for x in LABELS])
    rewards = np.arange(12.0).reshape(6, 2) ** 2 % 7
    first, second = (
        evaluate_rewards(r, d).lengths for r, d in ((rewards, data), (rewards[:, ::-1], swapped))
    )
    assert first == second


def test_nothing_is_said_where_no_lengths_differ():
    data = pairs([(2, 2), (3, 3)], [1.0, 0.0])
    assert evaluate_rewards(np.zeros((2, 2)), data).lengths is None


def test_a_side_without_pairs_has_no_figure_and_the_sentence_stands():
    data = pairs([(3, 1), (4, 1)], [1.0, 1.0])
    found = evaluate_rewards(ruler_rewards(data)["longer"], data).lengths
    assert found.right_on_shorter.estimate is None
    assert "nan" not in found.sentence.lower()
    assert "None" not in found.sentence
