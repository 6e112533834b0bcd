"""A run whose reference lies elsewhere now."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from language_models import llama

from surefoot.cli.inputs import reference_of
from surefoot.data import read_preferences
from surefoot.errors import ConfigurationError
from surefoot.scorers import load_scorer
from surefoot.training import train


@pytest.mark.parametrize("adapter", [None, {"rank": 2}])
def test_the_new_place_of_a_reference_is_named_and_checked(configure, policy, tmp_path, adapter):
    run = train(configure({"kind": "policy", "model": policy, "adapter": adapter}))
    rows = read_preferences(tmp_path / "run" / "held-out.jsonl")
    expected = run.model.rewards(rows)
    moved = Path(policy).rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match=r"the reference of \S*run, .* --reference"):
        load_scorer(tmp_path / "run")
    found = load_scorer(tmp_path / "run", str(moved))
    np.testing.assert_allclose(found.rewards(rows), expected, atol=1e-5)
    llama(seed=5).save_pretrained(moved)
    with pytest.raises(ConfigurationError, match="not the reference"):
        load_scorer(tmp_path / "run", str(moved))


def test_only_policies_have_a_reference(configure, tmp_path, policy):
    train(configure({"kind": "reward-model", "model": policy}))
    with pytest.raises(ConfigurationError, match=r"holds no policy .*has no reference"):
        load_scorer(tmp_path / "run", policy)


def test_of_two_models_the_reference_is_for_the_one_that_needs_it(tmp_path):
    places = {}
    for name, kind in (("policy", "policy"), ("reward", "reward-model"), ("foreign", None)):
        places[name] = str(tmp_path / name)
        (tmp_path / name).mkdir()
        if kind:
            rest = {"objective": {}, "seed": 0, "temperature": 1.0, "surefoot": "0"}
            rest |= {"rewards": {"mean": 0.0, "std": 1.0}, "reference_key": None}
            text = json.dumps({"schema_version": 1, "scorer": {"kind": kind}, **rest})
            (tmp_path / name / "surefoot.json").write_text(text)

    def given(place: str, beside: str) -> bool:
        return reference_of(places[place], "r", places[beside]) == "r"

    assert given("foreign", "policy")
    assert not given("policy", "foreign")
    assert given("policy", "reward")
    assert not given("reward", "policy")
    assert given("policy", "policy")
    assert given("reward", "reward")  # which is then refused
