"""The experiment on over-optimisation: its world, that it runs, and what is committed."""

from __future__ import annotations

import numpy as np
import pytest
from quick import again, quick, settings_of

from experiments.overoptimisation.experiment import pairs_of_arms
from experiments.overoptimisation.runs import Arm, Checker, Settings
from experiments.overoptimisation.world import SUBJECTS, World, WorldOptions
from surefoot.data import Preferences


def _world(**options):
    return World(WorldOptions(**options), seed=100)


def test_the_gold_reward_by_hand():
    world = _world()
    first, second = world.words[:2]
    for column, subject in enumerate(SUBJECTS):
        a, b = world.values[:2, column]
        prompt = f"Tell me about the old {subject}"
        assert world.gold(prompt, f"{first} {second} {first}") == pytest.approx(a + b)
        assert world.gold(prompt, "nonsense") == 0.0


def test_what_is_rare_is_worse_and_rare():
    many = [World(WorldOptions(strange=3.0), seed).values.mean(1) for seed in range(60)]
    slope = np.polyfit(np.linspace(0, 1, many[0].size), np.mean(many, axis=0), 1)[0]
    assert slope == pytest.approx(-3.0, abs=0.5)
    world, rng = _world(), np.random.default_rng(0)
    said = " ".join(world.written(rng) for _ in range(3000)).split()
    shares = [said.count(word) / len(said) for word in world.words]
    np.testing.assert_allclose(shares, world.frequencies, atol=0.01)


def test_no_prompt_is_on_two_sides_and_subjects_are_equal():
    training, test = _world().prompts
    assert (len(set(training)), len(set(test))) == (120, 60)
    assert not set(training) & set(test)
    for subject in SUBJECTS:
        assert sum(one.endswith(subject) for one in test) == 15


def test_a_quarter_of_the_labels_is_flipped():
    world = _world(pairs=4000, steepness=50.0)
    data = world.comparisons()
    gold = Checker(world).rewards(data)
    gaps = gold[:, 0] - gold[:, 1]
    right = (gaps > 0) == (data.labels == 1)
    assert right[np.abs(gaps) > 0.2].mean() == pytest.approx(0.75, abs=0.02)


def test_the_checker_reads_both_responses():
    world = _world()
    a, b = world.words[:2]
    row = {"prompt": "Help me with my garden", "response_a": a, "response_b": b, "label": 1.0}
    found = Checker(world).rewards(Preferences.from_rows([row], "one"))
    np.testing.assert_allclose(found, [world.values[:2, 0]])


def test_the_families_are_what_was_asked_and_the_reasons():
    arms = {name: Arm(pessimism=p) for name, p in (("mean", "mean"), ("WCO", "worst-case"))}
    assert pairs_of_arms({"single": Arm(), **arms}) == {
        "question": [("WCO", "single")],
        "reasons": [("mean", "single"), ("WCO", "mean")],
    }


def test_one_model_is_each_member_in_turn():
    members = np.random.default_rng(0).normal(size=(4, 6, 3))
    alone = Arm().proxies(members)
    assert len(alone) == 3
    np.testing.assert_array_equal(alone[1], members[..., 1])
    np.testing.assert_array_equal(Arm(pessimism="worst-case").proxies(members)[0], members.min(-1))


@pytest.mark.slow
def test_the_reduced_experiment_and_that_it_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("trl", reason="online training is TRL's")
    work = tmp_path / "work"
    once = quick("overoptimisation", tmp_path)
    settings = Settings(**once.figures["settings"])
    trained = once.figures["training"]
    assert list(trained["arms"]) == list(settings.arms)
    assert list(once.figures["best_of_n"]) == list(settings.worlds)
    for one in once.figures["best_of_n"].values():
        assert one["arms"]["single"]["n"][-1] == settings.responses
        assert one["arms"]["WCO"]["gold"][-1]["covers"] == "seeds and prompts"
    for one in trained["arms"].values():
        assert len(one["gold"]) == settings.training["max_steps"]
    kept = sorted(work.glob("cells/*.npz"))
    assert len(kept) == settings.seeds * (len(settings.worlds) + len(settings.arms))
    taken = {path: path.stat().st_mtime_ns for path in kept}
    kept[-1].unlink()
    repeated = again("overoptimisation", tmp_path)
    assert repeated["training"] == trained
    assert all(path.stat().st_mtime_ns == taken[path] for path in kept[:-1])


def test_the_settings_are_those_that_were_asked_for():
    settings = settings_of("overoptimisation")
    assert (settings.seeds, settings.responses) == (5, 256)
    assert settings.worlds[settings.main].flip_rate == 0.25
