"""What options say of wrong values: one plain sentence each, with what was received."""

from __future__ import annotations

import pytest

from surefoot.errors import ConfigurationError, unknown_name
from surefoot.training.config import RunConfig

POLICY = {"kind": "policy", "model": "m"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"scorer": POLICY | {"adapter": {"targets": "q_proj"}}},
            "targets of the adapter should be 'all-linear' or a list, as in [q_proj]; got 'q_proj'",
        ),
        (
            {"scorer": POLICY | {"adapter": {"targets": [1, 2]}}},
            "should be 'all-linear' or a list, each item a text; got [1, 2]",
        ),
        (
            {"scorer": POLICY, "training": {"learning_rate": -1}},
            "of a language model should be greater than 0 or 'auto'; got -1.",
        ),
        (
            {"scorer": POLICY, "training": {"learning_rate": "fast"}},
            "should be a number or 'auto'; got 'fast'.",
        ),
        (
            {"objective": {"regularisers": "reward-centring"}},
            "should be a list, as in [reward-centring]; got 'reward-centring'.",
        ),
        ({"data": {"train": []}}, "train of the section 'data' should be a list of at least 1"),
        ({"scorer": POLICY | {"adapter": 3}}, "should be options by name, as in {name: value}"),
        ({"training": {"seed": 1.5}}, "should be a whole number; got 1.5."),
        ({"training": {"bootstrap": "maybe"}}, "should be true or false; got 'maybe'."),
    ],
)
def test_a_wrong_value_is_told_in_one_plain_sentence(given, message):
    with pytest.raises(ConfigurationError) as caught:
        RunConfig(**{"data": {"train": ["x"]}, "output": "o", **given})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    for raw in ("constrained", "tuple", "literal[", "Input"):
        assert raw not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "owner"),
    [
        ({"scorer": POLICY | {"head": "linear"}}, "that is an option of scorer 'embedding'"),
        (
            {"objective": {"labels": {"kind": "slack", "flip_rate": 0.1}}},
            "of label model 'flip-corrected' and label model 'forward-corrected'",
        ),
        ({"training": {"epochs": 2}}, "of the section 'training' of a language model"),
        ({"scorer": POLICY, "training": {"bootstrap": True}}, "of a head on embeddings"),
    ],
)
def test_an_option_of_a_relative_is_not_taken_for_a_slip(given, owner):
    with pytest.raises(ConfigurationError) as caught:
        RunConfig(**{"data": {"train": ["x"]}, "output": "o", **given})
    assert owner in str(caught.value)
    assert "did you mean" not in str(caught.value)


def test_what_has_no_options_says_so():
    assert unknown_name("option of x", "y", []).endswith("It has none.")
