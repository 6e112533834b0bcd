"""A written configuration means what was meant, and says of each option what its class says."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from surefoot.errors import ConfigurationError
from surefoot.escaping import visible
from surefoot.scorers import EmbeddingScorer
from surefoot.training import DataOptions, RunConfig, TrainingOptions
from surefoot.training.commented import Draft, Offer, first_sentence

SCORER = {"kind": "embedding"}
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@given(texts, st.dictionaries(texts, texts, max_size=2), texts)
def test_whatever_a_name_holds_it_is_read_again_and_hides_nothing(name, columns, reason):
    data = {"train": [name, "b.jsonl"], "columns": columns, "held_out": 0.25}
    draft = Draft(
        {"data": data, "scorer": SCORER},
        output=name or "run",
        head=[reason],
        reasons={("data", "train"): reason},
        offers=[Offer("data", {"codings": columns}, reason)],
    )
    assert yaml.safe_load(draft.text) == {
        "schema_version": 1,
        "data": data,
        "scorer": SCORER,
        "output": name or "run",
    }
    assert visible(draft.text) == draft.text


def test_letters_and_members_stay_readable():
    risk = {"kind": "chi-squared", "radius": 0.05, "unit": "group"}
    text = Draft({"data": {"train": ["größe.jsonl"]}, "scorer": SCORER}, "r").text
    assert "  train: [größe.jsonl]\n" in text
    text = Draft({"scorer": SCORER, "objective": {"risk": risk}}, "r").text
    assert "  risk: {kind: chi-squared, radius: 0.05, unit: group}\n" in text


def test_comments_are_the_options_own():
    options = {"data": {"held_out": 0.2}, "scorer": SCORER, "training": {"mean_cost": 0.1}}
    text = Draft(options, "r", reasons={("training", "mean_cost"): "Because."}).text
    for words in (
        first_sentence(RunConfig.help()["training"]),
        first_sentence(DataOptions.help()["held_out"]),
        first_sentence(EmbeddingScorer.__doc__),
    ):
        assert f"# {words}\n" in text
    assert "  # Because.\n  mean_cost: 0.1\n" in text
    assert first_sentence(TrainingOptions.help()["mean_cost"]) not in text


def test_an_offer_is_taken_by_its_sign():
    offer = Offer("data", {"half_life": 9.0}, "So that older rows count less")
    text = Draft({"data": {"held_out": 0.2}, "scorer": SCORER}, "r", offers=[offer]).text
    taken = text.replace("  # half_life", "  half_life")
    assert yaml.safe_load(taken)["data"] == {"held_out": 0.2, "half_life": 9.0}
    assert "half_life" not in yaml.safe_load(text)["data"]
    alone = Offer("training", {"bootstrap": True}, "So that seeds differ")
    text = Draft({"scorer": SCORER}, "r", offers=[alone]).text
    assert "training" not in yaml.safe_load(text)
    taken = text.replace("# training:", "training:").replace("  # bootstrap", "  bootstrap")
    assert yaml.safe_load(taken)["training"] == {"bootstrap": True}


def test_a_scorer_that_is_not_known_is_named():
    with pytest.raises(ConfigurationError, match="did you mean 'embedding'"):
        _ = Draft({"scorer": {"kind": "embeding"}}, "r").text
