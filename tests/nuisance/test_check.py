"""The reference check: two samples that are alike, and two that are not."""

from __future__ import annotations

import numpy as np
import pytest
from encoders import WORDS

from surefoot.data import Preferences
from surefoot.nuisance.check import ReferenceCheck, _against_references, check_references
from surefoot.statistics import Estimate


def _data(own: str, theirs: str, prompts: int = 150) -> Preferences:
    """Random words, with one word that the data's responses have and one of the references'."""
    rng = np.random.default_rng(0)

    def said(word: str) -> str:
        return " ".join([*rng.choice(WORDS, 5), word])

    rows = [
        {
            "prompt": f"question {i} {WORDS[i % len(WORDS)]}",
            "response_a": said(own),
            "response_b": said(own),
            "label": 0.5,
            "references": [said(theirs) for _ in range(4)],
        }
        for i in range(prompts)
    ]
    return Preferences.from_rows(rows)


def test_it_tells_apart_what_differs_and_nothing_else(small_encoder):
    wrong = check_references(_data("good", "bad"), small_encoder)
    assert wrong.auc.low > 0.9
    assert wrong.auc.n == 300
    assert "plainly do not all come" in wrong.verdict
    right = check_references(_data("good", "good"), small_encoder)
    assert right.auc.low < 0.5
    assert "cannot be distinguished" in right.verdict
    assert right.longer.low < 0.5 < right.longer.high


def test_each_response_stands_against_one_reference_that_is_not_the_same():
    rows = [
        {
            "prompt": "p",
            "response_a": "one",
            "response_b": "two",
            "label": 1.0,
            "references": ["three", "two", "four", "five"],
        },
        {
            "prompt": "q",
            "response_a": "six",
            "response_b": "seven",
            "label": 0.0,
            "references": ["eight"],
        },
    ]
    pairs = _against_references(Preferences.from_rows(rows))
    compared = list(zip(*pairs.texts("response"), strict=True))
    assert compared == [("one", "three"), ("six", "eight")]
    assert pairs.labels.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.71, 0.75, "plainly do not all come"),
        (0.56, 0.72, "differ from this"),
        (0.51, 0.54, "may not come from this"),
        (0.51, 0.69, "may not come from this"),
        (0.40, 0.55, "cannot be distinguished from this"),
        (0.40, 0.62, "the interval reaches 0.62"),
    ],
)
def test_what_it_says(low, high, said):
    auc = Estimate((low + high) / 2, low, high, n=300, covers="training pairs, out of fold")
    assert said in ReferenceCheck(auc, auc).verdict


def test_without_an_interval_it_says_nothing():
    refused = Estimate(0.9, None, None, n=4, covers="test items", note="4 prompts are too few")
    assert ReferenceCheck(refused, refused).verdict == (
        "Nothing can be said: 4 prompts are too few"
    )
