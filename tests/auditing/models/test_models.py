"""The audit of a reward model: sound ones are left alone, a planted fault is found and named."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from surefoot.auditing import Lacking
from surefoot.auditing.diagnosis import ask
from surefoot.auditing.document import RewardsDocument
from surefoot.auditing.models import ScoredPreferences, audit_model, compared, model_diagnostics
from surefoot.auditing.models.diagnostics.overpaid import explained
from surefoot.auditing.models.material import PARTS, Change
from surefoot.data import Preferences
from surefoot.scorers.function import RewardFunction
from surefoot.statistics.estimate import finite_only
from surefoot.worlds.models import FAULTS, planted, sound

EVERY = model_diagnostics()


def rng(seed=1):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name):
    options, named = FAULTS[name]
    diagnoses, _ = ask(EVERY.values(), planted(2000, rng(), **options))
    assert named in {one.name for one in diagnoses if one.verdict == "found"}


def test_sound_models_are_left_alone():
    """By chance .05 at most a model has a finding; of 60, eight or more have chance .01."""
    found = 0
    for seed in range(60):
        diagnoses, _ = ask(EVERY.values(), sound(600, rng(seed)))
        found += any(one.verdict == "found" for one in diagnoses)
    assert found < 8


def test_every_test_has_a_planted_fault():
    """Those of a policy's samples have worlds of their own."""
    diagnoses, _ = ask(EVERY.values(), sound(600, rng(), "parts"))
    tested = {one.diagnostic.name for one in diagnoses if one.measurement.test is not None}
    assert tested == {named.partition(":")[0] for _, named in FAULTS.values()}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    "odd",
    [
        {"rewards": np.zeros((300, 2))},
        {"rewards": np.tile([[1.0, 0.0]], (300, 1))},
        {"rewards": 1e150 * rng(3).normal(size=(300, 2))},
        {"labels": np.full(300, 0.5)},
        {"labels": np.ones(300)},
        {"contrasts": {}},
        {"contrasts": {"length": np.zeros(300)}},
        {"prompts": np.zeros(300, dtype=np.int64)},
    ],
    ids=lambda odd: next(iter(odd)),
)
def test_odd_models_say_what_is_lacking(odd):
    diagnoses, lacking = ask(EVERY.values(), replace(sound(300, rng()), **odd))
    for one in diagnoses:
        assert one.sentence
    for reason in lacking:
        assert reason.endswith(".")
    assert diagnoses or lacking


def test_three_rows_are_too_few_for_all():
    diagnoses, _ = ask(EVERY.values(), planted(3, rng()))
    assert not any(one.verdict == "found" for one in diagnoses)


ROWS = [
    {
        "prompt": f"What is {i} and one?",
        "response_a": f"It is {i + 1}, as you can see. " * (1 + i % 3),
        "response_b": "I do not know that. Ask me again some other day. " * (1 + i % 2),
        "label": float(i % 4 > 0),
    }
    for i in range(120)
]


def likes(text):
    return len(text.split()) + 10 * text.count("see")


@pytest.fixture(scope="module")
def scored():
    def reward(prompts, responses):
        return [float(likes(text)) for text in responses]

    return ScoredPreferences(Preferences.from_rows(ROWS), model=RewardFunction(reward, "likes"))


def test_what_is_scored(scored):
    """Rewards of texts, of edits beside what they were made of, and of beginnings."""
    a = np.array([likes(row["response_a"].strip()) for row in ROWS], dtype=float)
    kept = np.array([likes(row["response_a"]) for row in ROWS], dtype=float)
    assert (scored.rewards[:, 0] == kept).all() or (scored.rewards[:, 0] == a).all()
    from surefoot.auditing.models.edits import EDITS

    twice = scored.edited(next(one for one in EDITS if one.name == "said twice"))
    assert isinstance(twice, Change)
    np.testing.assert_allclose(twice.after, 2 * twice.before)
    np.testing.assert_allclose(twice.before, scored.rewards[twice.rows, twice.side])
    begun = scored.prefixes
    assert begun.rewards.shape[1:] == (2, len(PARTS) + 1)
    np.testing.assert_allclose(begun.rewards[..., -1], scored.rewards[begun.rows])
    assert (np.diff(begun.rewards[:, 1], axis=1) > 0).all()
    elsewhere = scored.elsewhere
    np.testing.assert_allclose(elsewhere.before, scored.rewards[elsewhere.rows, elsewhere.side])


def test_what_it_says_has_the_documented_form(scored):
    found = audit_model(scored, "likes")
    content, _ = finite_only(found.to_dict())
    RewardsDocument.model_validate_json(json.dumps(content))
    assert found.verdict.count("likes orders") == 1
    named = {one.diagnostic.name for one in found.diagnoses}
    for name, one in EVERY.items():
        assert one.question.endswith("?")
        starts = f"{name}: ", f"{name} ("
        assert name in named or any(reason.startswith(starts) for reason in found.lacking)


def test_two_models_side_by_side(scored):
    """Differences are of the same values; a model beside itself differs by nothing."""
    first = audit_model(scored, "likes")
    same = compared(first, first, scored)
    assert {one.name for one in same.beside} == {one.name for one in first.diagnoses}
    means = [one for one in same.beside if one.difference is not None]
    assert {"order", "worse texts: said twice"} <= {one.name for one in means}
    assert all(one.difference.difference.estimate == 0 for one in means)

    def other(prompts, responses):
        return [-float(likes(text)) for text in responses]

    turned = ScoredPreferences(scored.preferences, model=RewardFunction(other, "other"))
    both = compared(first, audit_model(turned, "other"), scored)
    order = next(one for one in both.beside if one.name == "order")
    gain = order.first.estimate - order.second.estimate
    assert order.difference.difference.estimate == pytest.approx(gain)
    content, _ = finite_only(both.to_dict())
    RewardsDocument.model_validate_json(json.dumps(content))


def test_the_ratio_of_what_length_explains():
    """A reward that is length explains all of itself; the interval holds the true ratio."""
    world = planted(4000, rng(), only_length=True, length=-0.5)
    values = world.contrasts["length"]
    found = explained(world, values)
    assert found.reward == pytest.approx(1)
    r = np.corrcoef(values, 2 * world.labels - 1)[0, 1]
    assert found.labels == pytest.approx(r**2, rel=0.1)
    low, high = found.ratio
    assert low < 1 / r**2 < high
    assert explained(world, world.contrasts["markdown"]).ratio is None  # labels do not pay for it


def test_models_of_one_reward_are_said_to_be_so():
    world = replace(sound(300, rng()), rewards=np.zeros((300, 2)))
    answers = list(EVERY["changes of form"].measure(world))
    assert all(isinstance(one, Lacking) for one in answers)
