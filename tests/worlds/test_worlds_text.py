"""The truth of a text world is what it says it is."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot.data import Preferences
from surefoot.data.checks import check
from surefoot.errors import ConfigurationError
from surefoot.worlds import TextWorld, WorldPairs
from surefoot.worlds.pool import COMMON, RARE

WORLD = TextWorld()
DRAWS = 6


@pytest.fixture(scope="module")
def draws() -> list[WorldPairs]:
    return [WORLD.training(draw) for draw in range(DRAWS)]


def _longer_is_better(pairs: WorldPairs) -> np.ndarray:
    return np.diff(pairs.rewards)[:, 0] * np.diff(pairs.lengths)[:, 0] > 0


def test_labels_are_as_often_right_as_truth_and_flip_rate_say(draws: list[WorldPairs]) -> None:
    truth = np.concatenate([d.truth for d in draws])
    labels = np.concatenate([d.observed.labels for d in draws])
    e = WORLD.flip_rate
    seen = (1 - e) * truth + e * (1 - truth)  # P(label = 1) after flips
    for low in np.arange(0, 1, 0.25):
        rows = (truth >= low) & (truth < low + 0.25)
        error = np.sqrt((seen * (1 - seen))[rows].sum()) / rows.sum()
        assert abs((labels - seen)[rows].mean()) < 4 * error


def test_flips_have_the_stated_rate_and_are_independent_of_the_truth(
    draws: list[WorldPairs],
) -> None:
    flipped = np.concatenate([d.flipped for d in draws])
    longer = np.concatenate([_longer_is_better(d) for d in draws])
    error = np.sqrt(0.2 * 0.8 / len(flipped))
    assert abs(flipped.mean() - WORLD.flip_rate) < 4 * error
    assert abs(flipped[longer].mean() - flipped[~longer].mean()) < 0.05


def test_truth_is_the_reward_of_content_and_of_brevity_in_the_rare_group() -> None:
    pairs = WORLD.training()
    margins = np.log(pairs.truth / (1 - pairs.truth))
    np.testing.assert_allclose(margins, pairs.rewards[:, 0] - pairs.rewards[:, 1], atol=1e-6)
    for prompt in WORLD.prompts["training"]:
        for i, response in enumerate(prompt.responses):
            cost = WORLD.brevity * response.filler if prompt.group == RARE else 0.0
            assert WORLD.reward(prompt, i) == response.quality - cost


def test_quality_and_length_are_independent_in_the_pool() -> None:
    responses = [r for some in WORLD.prompts.values() for p in some for r in p.responses]
    quality, filler, letters = np.array([(r.quality, r.filler, len(r.text)) for r in responses]).T
    assert abs(np.corrcoef(quality, filler)[0, 1]) < 0.06
    assert np.corrcoef(filler, letters)[0, 1] > 0.9


def test_length_goes_with_quality_in_training_and_against_it_in_deployment() -> None:
    share = (1 + WORLD.confounding) / 2
    for pairs, expected in (
        (WORLD.training(), share),
        (WORLD.test(), share),
        (WORLD.test("deployment"), 1 - share),
    ):
        ordinary = np.array(pairs.observed.strings("group")) == COMMON
        assert _longer_is_better(pairs)[ordinary].mean() == pytest.approx(expected, abs=0.01)
        assert _longer_is_better(pairs)[~ordinary].mean() < 0.3  # brevity counts, everywhere


def test_the_rare_group_has_its_share() -> None:
    for pairs, share in (
        (WORLD.training(), 0.08),
        (WORLD.test(), 0.08),
        (WORLD.groups_alike(), 0.5),
    ):
        groups = pairs.observed.strings("group")
        assert groups.count(RARE) == round(share * len(pairs))
        assert set(groups) == {COMMON, RARE}
        assert set(pairs.observed.strings("source")) == set(WORLD.topics)


def test_training_and_test_share_no_prompt() -> None:
    texts = {split: [p.text for p in some] for split, some in WORLD.prompts.items()}
    assert not set(texts["training"]) & set(texts["test"])
    assert all(len(set(some)) == len(some) for some in texts.values())


def test_a_world_is_determined_by_its_seed_and_a_draw_by_its_number() -> None:
    same, other = TextWorld().training(3).rows, TextWorld(seed=1).training(3).rows
    assert same == WORLD.training(3).rows
    assert same != other
    assert same != WORLD.training(4).rows
    assert WORLD.test().rows == TextWorld(pairs=100).test().rows


def test_clean_labels_are_the_truth() -> None:
    pairs = WORLD.test()
    np.testing.assert_array_equal(pairs.clean.labels, pairs.truth)
    assert set(pairs.observed.labels) == {0.0, 1.0}


def test_undamaged_pairs_have_no_findings_and_damage_is_found_as_planted() -> None:
    assert check(WORLD.training().observed).findings == ()
    damage = WORLD.damaged(each=5)
    report = check(Preferences.from_rows(damage.rows))
    assert {f.kind: f.count for f in report.findings} == damage.planted
    assert damage.planted["empty-response"] == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topics": ("astrology",)}, "no topic 'astrology'"),
        ({"training_prompts": 60}, "there are 50"),
        ({"flip_rate": 0.5}, "flip_rate"),
    ],
)
def test_a_world_that_cannot_be_made_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TextWorld(**options)


def test_too_many_pairs_are_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="more prompts or more responses"):
        TextWorld(pairs=100_000).training()
