"""What every trained scorer is, and one of your own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from surefoot.data import Preferences
from surefoot.errors import ConfigurationError
from surefoot.evaluation.run import evaluate
from surefoot.scorers import EmbeddingRewardModel, LanguageModel, RewardEnsemble, TrainedScorer
from surefoot.scorers.trained import member_rewards_of, readable, rewards_of


class Short(TrainedScorer):
    """The fewer characters, the better."""

    pairwise = False

    def scores(self, preferences):
        both = zip(*preferences.texts("response"), strict=True)
        return np.array([[-float(len(text)) for text in one] for one in both])


class OfPairs(Short):
    pairwise = True


@pytest.fixture
def pairs(rows):
    return Preferences.from_rows(rows(7))


def test_scores_are_enough(pairs):
    model = Short()
    scores = model.scores(pairs)
    np.testing.assert_array_equal(model.rewards(pairs), scores)
    np.testing.assert_array_equal(model.joined(model.member_scores(pairs)), scores)
    for temperature in (1.0, 5.0):
        model.temperature_ = temperature
        expected = expit((scores[:, 0] - scores[:, 1]) / temperature)
        np.testing.assert_allclose(model.probabilities(pairs), expected.clip(1e-6, 1 - 1e-6))
    assert model.member_scores(pairs).shape[-1] == model.members == 1
    assert (model.notes(), model.reading_notes(), model.refusals(pairs)) == ([], [], {})
    assert readable([model], pairs, say=pytest.fail) is pairs
    assert (model.known_flip_rate, model.cuts, model.label()) == (None, None, "Short")


def test_of_pairs_there_are_no_rewards(pairs):
    model = OfPairs()
    with pytest.raises(ConfigurationError, match="OfPairs judges pairs: a response alone has no"):
        model.rewards(pairs)
    with pytest.raises(ConfigurationError, match="OfPairs judges pairs"):
        rewards_of(model, list(pairs.prompts())[:1], [[pairs.dataset[0]["response_a"]]])
    assert len(model.probabilities(pairs)) == 7


@pytest.mark.parametrize("missing", ["pairwise", "scores"])
def test_what_it_does_not_say_is_asked_for(missing):
    own = {name: vars(Short)[name] for name in ("pairwise", "scores") if name != missing}
    with pytest.raises(TypeError, match=missing):
        type("Half", (TrainedScorer,), own)()


def test_each_kind_is_one():
    assert all(
        issubclass(kind, TrainedScorer)
        for kind in (EmbeddingRewardModel, LanguageModel, RewardEnsemble)
    )


def test_an_evaluation_says_that_it_does_not_weigh(pairs):
    for weights, noted in ((None, False), ([0.0, *[2.0] * 6], True)):
        data = pairs if weights is None else pairs.with_columns(weight=weights)
        found = evaluate([Short()], {"set": data})
        for notes in (found.sets["set"].notes, found.to_dict()["results"]["set"]["notes"]):
            assert any("`weight` is not used" in note for note in notes) == noted


class TwoMembers(Short):
    members = 2

    def member_scores(self, preferences):
        return np.stack([self.scores(preferences), 3 - self.scores(preferences)], axis=-1)


def test_members_score_each_response(pairs):
    prompts = list(pairs.prompts())[:2]
    texts = ["a", "bb", "ccc"], ["dddd"]
    responses = [[[{"role": "assistant", "content": text}] for text in own] for own in texts]
    found = member_rewards_of(TwoMembers(), prompts, responses)
    assert [one.tolist() for one in found] == [[[-1, 4], [-2, 5], [-3, 6]], [[-4, 7]]]
    assert member_rewards_of(Short(), prompts, responses)[0].tolist() == [[-1], [-2], [-3]]
