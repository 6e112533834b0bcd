"""Diagnostics of a reward model that read what a policy wrote."""

from __future__ import annotations

import itertools
import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from language_models import byte_tokenizer, llama, save

from surefoot.auditing.diagnostic import Lacking, Measurement
from surefoot.auditing.models import drawing
from surefoot.auditing.models.diagnostics import (
    flat_prompts,
    forecast,
    members_disagree,
    over_optimisation,
)
from surefoot.auditing.models.samples import policy_samples
from surefoot.data import Preferences
from surefoot.errors import DataError
from surefoot.evaluation.policies.samples import read_samples
from surefoot.scorers import TrainedScorer
from surefoot.statistics.dependence import Spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.worlds.planted_policies import LAWS, planted_policy, planted_samples

DIAGNOSTICS = [
    module.DIAGNOSTIC for module in (flat_prompts, forecast, members_disagree, over_optimisation)
]


def measured(diagnostic, world, of=""):
    (found,) = [one for one in diagnostic.measure(world) if getattr(one, "of", None) == of]
    return found


#: A fault of the size to be found, by diagnostic and what it measured.
FAULTS = {
    ("flat prompts", ""): {"flat": 0.5},
    ("forecast", "length"): {"pushed": 0.7},
    ("members disagree", ""): {"disagree": 0.4},
    ("over-optimisation", ""): {"agrees": 0.0, "hacked": 3.0},
}


@pytest.mark.parametrize("diagnostic", DIAGNOSTICS, ids=lambda one: one.name)
def test_a_fault_is_found_and_what_does_not_matter_is_not(diagnostic):
    of = "length" if diagnostic.name == "forecast" else ""
    sound = {"flat": 0.1, "pushed": 0.1, "disagree": 0.15}
    fault = sound | FAULTS[diagnostic.name, of]
    for number in range(10):
        rng = np.random.default_rng([1, number])
        fine = measured(diagnostic, planted_policy(planted_samples(150, 8, rng, **sound), rng), of)
        assert fine.test.p_value > 0.00125
        hurt = measured(diagnostic, planted_policy(planted_samples(150, 8, rng, **fault), rng), of)
        assert hurt.test.p_value < 0.00125, number


@pytest.mark.parametrize("law", LAWS)
def test_just_what_does_not_matter_is_seldom_found(law):
    """One sided at the boundary, of 60 worlds: more than nine have chance .0006 at level .05."""
    found = 0
    for number in range(60):
        rng = np.random.default_rng([2, number])
        world = planted_policy(planted_samples(60, 6, rng, law=law, flat=0.0), rng, law=law)
        found += measured(forecast.DIAGNOSTIC, world, "length").test.p_value <= 0.05
    assert found <= 9


def test_labels_may_stand_for_four_times_what_they_show():
    rng = np.random.default_rng(3)
    samples = planted_samples(100, 8, rng, flat=0.0, pushed=0.7)
    sizes = []
    for labelled in (-0.3, 0.0, 0.1, 0.3):
        one = measured(
            forecast.DIAGNOSTIC, planted_policy(samples, rng, labelled=labelled), "length"
        )
        assert one.details["labels"] == pytest.approx(labelled, abs=0.06)
        sizes.append(one.size.estimate)
        low, high = one.picture.sizes[1].low, one.picture.sizes[1].high
        assert -1 <= low <= high <= 1
    pushed = one.details["correlation"]["estimate"]
    assert pushed == pytest.approx(0.7, abs=0.05)
    assert sizes[0] == pushed  # they want the opposite
    assert sizes[1] == pytest.approx(pushed, abs=0.3)
    assert sizes[2] == pytest.approx(pushed - 0.4, abs=0.3)
    assert sizes[3] < 0


def test_a_reward_that_labels_outdo_is_no_alarm():
    """Whatever side chance gives the reward's own pull."""
    labelled = Spread(0.3, 0.02, 500.0)
    for pushed in (-0.001, 0.001, 0.1):
        assert forecast.unbacked(Spread(pushed, 0.02, 99.0), labelled).p_value > 0.9
    against = forecast.unbacked(Spread(-0.6, 0.02, 99.0), labelled)
    assert (against.value, against.p_value < 1e-6) == (0.6, True)
    opposed = forecast.unbacked(Spread(0.3, 0.02, 99.0), Spread(-0.2, 0.05, 500.0))
    plain = MinimumEffect(0.3 + 0.8, np.hypot(0.02, 0.2), 520.0, forecast.MATTERS)
    assert opposed.value == 0.3
    assert opposed.p_value == pytest.approx(plain.p_value, rel=0.05)  # as sure as beyond 4 lambda
    backed = forecast.unbacked(Spread(-0.6, 0.02, 99.0), Spread(-0.1, 0.02, 500.0))
    assert backed.value == pytest.approx(0.2)


def test_a_tilt_is_refused_beyond_what_samples_carry():
    rng = np.random.default_rng(4)
    samples = planted_samples(50, 8, rng, flat=0.0, pushed=0.6)
    near, *_, far = forecast.tilted(samples, "length")
    assert near["moved"]["estimate"] == pytest.approx(0.6 * np.sqrt(2 * near["kl"]), abs=0.08)
    assert near["effective"] >= 4
    assert set(far) == {"kl", "refused"}


def test_the_best_of_n_is_the_mean_over_all_choices():
    rng = np.random.default_rng(5)
    samples = planted_samples(12, 4, rng, flat=0.0)
    found = over_optimisation.along(samples, samples.gold, [1, 2, 4])
    both = zip(samples.each(samples.rewards), samples.each(samples.gold), strict=True)
    for p, (r, g) in enumerate(both):
        for t, n in enumerate((1, 2, 4)):
            slow = [g[max(c, key=r.__getitem__)] for c in itertools.combinations(range(4), n)]
            assert found[p, t] == pytest.approx(np.mean(slow))


def test_the_peak_and_the_prompts_that_fall_are_said():
    rng = np.random.default_rng(6)
    samples = planted_samples(200, 16, rng, flat=0.0, agrees=0.3, hacked=1.5)
    found = measured(over_optimisation.DIAGNOSTIC, planted_policy(samples, rng))
    assert 1 < found.details["peak"] < 16
    ranked = over_optimisation.ranks(samples, samples.gold)
    top = [
        q[r.argmax()]
        for q, r in zip(samples.each(ranked), samples.each(samples.rewards), strict=True)
    ]
    assert found.details["gold_rank"][0] == pytest.approx(0.5)
    assert found.details["gold_rank"][-1] == pytest.approx(np.mean(top))
    assert found.details["fell"]["estimate"] == np.mean(np.array(top) < 0.5)
    twice = over_optimisation.ranks(samples, np.exp(samples.gold))  # whatever law it has
    assert twice.tolist() == ranked.tolist()


def test_members_are_compared_pair_by_pair():
    rewards = np.random.default_rng(7).normal(size=(5, 3))
    slow = [
        (rewards[i, a] - rewards[j, a]) * (rewards[i, b] - rewards[j, b]) < 0
        for i, j in itertools.combinations(range(5), 2)
        for a, b in itertools.combinations(range(3), 2)
    ]
    assert members_disagree.discordance(rewards) == pytest.approx(np.mean(slow))
    tied = np.array([[0.0, 1.0], [0.0, 2.0]])
    assert members_disagree.discordance(tied) == 0.5


def test_the_rows_of_the_data_that_ask_these_prompts_are_named():
    rng = np.random.default_rng(8)
    samples = planted_samples(40, 8, rng, flat=0.5)
    world = planted_policy(samples, rng)
    found = measured(flat_prompts.DIAGNOSTIC, world)
    same = [p for p, one in enumerate(samples.each(samples.rewards)) if np.ptp(one) == 0]
    named = found.rows.positions[found.rows.scores == 1]
    assert set(world.prompts[named]) == set(same) & set(world.prompts)
    assert found.details["all_alike"] == len(same) / 40


def test_a_few_huge_margins_make_nothing_look_flat():
    rng = np.random.default_rng(9)
    world = planted_policy(planted_samples(100, 8, rng, flat=0.0), rng)
    before = measured(flat_prompts.DIAGNOSTIC, world).size.estimate
    world.rewards[:3] = [[1e6, -1e6]] * 3
    assert measured(flat_prompts.DIAGNOSTIC, world).size.estimate == before


def empty(world):
    world.samples = None


def few(world):
    world.samples = planted_samples(3, 8, np.random.default_rng(0))


def alike(world):
    s = world.samples
    zero = np.zeros_like(s.rewards)
    form = dict.fromkeys(s.features, zero)
    world.samples = replace(s, rewards=zero, gold=zero, members=None, features=form)
    world.rewards = np.zeros_like(world.rewards)


@pytest.mark.parametrize("diagnostic", DIAGNOSTICS, ids=lambda one: one.name)
@pytest.mark.parametrize("damage", [empty, few, alike])
def test_what_is_lacking_is_said(diagnostic, damage):
    rng = np.random.default_rng(10)
    world = planted_policy(planted_samples(30, 8, rng), rng, pairs=60)
    damage(world)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = list(diagnostic.measure(world))
    assert [type(one) for one in found] == [Lacking]
    assert found[0].reason.startswith(f"{diagnostic.name}: ")


@pytest.mark.parametrize("diagnostic", DIAGNOSTICS, ids=lambda one: one.name)
def test_odd_labels_and_rewards_end_in_no_warning(diagnostic):
    rng = np.random.default_rng(11)
    for labels in (np.ones(60), np.full(60, 0.5), rng.integers(0, 3, 60) / 2):
        world = planted_policy(planted_samples(30, 8, rng, law="counts"), rng, pairs=60)
        world.labels = labels
        world.rewards = np.round(world.rewards)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for one in diagnostic.measure(world):
                if isinstance(one, Measurement):
                    assert 0 <= one.test.p_value <= 1


class Characters(TrainedScorer):
    """Two members: the characters, and half as many; the gold is what is written as such."""

    pairwise = False
    members = 2

    def scores(self, preferences):
        return self.joined(self.member_scores(preferences))

    def member_scores(self, preferences):
        both = zip(*preferences.texts("response"), strict=True)
        lengths = np.array([[float(len(text)) for text in one] for one in both])
        return np.stack([lengths, lengths / 2], axis=-1)


def test_samples_are_scored_response_by_response(tmp_path):
    rows = [
        {"prompt": "Q", "references": ["a", "bb", "- c\n- dd"], "gold": [1, 2, 3]},
        {"prompt": "R", "references": ["I am sorry.", "e"], "gold": [4, 5]},
        {"prompt": "S", "references": ["alone"], "gold": [6]},
        {"law": {"temperature": 0.5}},
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = []
    found = policy_samples(Characters(), read_samples(path), say=said.append)
    assert found.members.tolist() == [[1, 0.5], [2, 1], [8, 4], [11, 5.5], [1, 0.5]]
    assert found.rewards.tolist() == [0.75, 1.5, 6, 8.25, 0.75]
    assert found.gold.tolist() == [1, 2, 3, 4, 5]
    assert found.counts.tolist() == [3, 2]
    assert found.features["lists"].tolist() == [0, 0, np.log1p(2), 0, 0]
    assert found.features["refusal"].tolist() == [0, 0, 0, np.log1p(1), 0]
    assert "1 prompts with one response are left out" in said[0]
    assert "'temperature': 0.5" in found.cautions[0]
    stand_in = policy_samples(Characters(), read_samples(path), Characters(), "runs/other")
    assert stand_in.gold.tolist() == found.rewards.tolist()
    assert stand_in.gold_name == "runs/other"


def test_samples_without_two_responses_to_a_prompt_are_refused(tmp_path):
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps({"prompt": "Q", "references": ["a"]}) + "\n")
    with pytest.raises(DataError, match="no prompt has two responses"):
        policy_samples(Characters(), read_samples(path))


def test_a_language_model_writes_to_some_prompts_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(drawing, "PROMPTS", 12)
    place = save(tmp_path / "policy", llama(), byte_tokenizer())
    data = Preferences.from_rows(
        {"prompt": f"question {i}", "response_a": "x", "response_b": "y", "label": 1.0}
        for i in range(20)
    )
    said = []
    first = drawing.samples_of(place, data, say=said.append)
    assert said[0] == f"policy: 8 responses of {place} to each of 12 prompts"
    assert set(first.written) < set(data.prompt_keys().tolist())
    assert {len(one.responses) for one in first.written.values()} == {8}
    (kept,) = (tmp_path / "cache" / "policy-samples").iterdir()
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join(lines[:5]) + "\n")  # as if it had been killed
    again = drawing.samples_of(place, data, say=said.append)
    assert kept.read_text().splitlines() == lines
    assert again.written == first.written
    kept.rename(tmp_path / "references.jsonl")  # as in the folder of a surefoot sample
    (tmp_path / "policy").rename(tmp_path / "elsewhere")
    assert drawing.samples_of(str(tmp_path), data, say=pytest.fail).written == first.written
