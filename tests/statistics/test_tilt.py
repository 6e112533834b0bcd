import numpy as np
import pytest

from surefoot.statistics.tilt import FEWEST_EFFECTIVE, tilt


def sampled(prompts, responses, seed=0):
    """Gaussian rewards and a feature with correlation .6, of which everything is known."""
    rng = np.random.default_rng(seed)
    prompt = np.repeat(np.arange(prompts), responses)
    reward, other = rng.normal(size=(2, len(prompt)))
    return prompt, reward, 0.6 * reward + 0.8 * other


@pytest.mark.parametrize("kl", [0.1, 0.5])
def test_gaussians_move_by_the_root_of_twice_the_divergence(kl):
    prompt, reward, feature = sampled(200, 64)
    found = tilt(7 * reward, prompt, kl)
    assert found.moved(feature, prompt).mean() == pytest.approx(0.6 * np.sqrt(2 * kl), rel=0.05)
    assert found.beta == pytest.approx(7 / np.sqrt(2 * kl), rel=0.1)
    assert np.bincount(prompt, found.weights) == pytest.approx(np.ones(200))


def test_the_divergence_is_the_one_that_was_asked_for():
    prompt, reward, _ = sampled(50, 32)
    w = tilt(reward, prompt, 0.3).weights
    assert pytest.approx(np.sum(w * np.log(32 * w)), rel=1e-4) == 50 * 0.3


def test_it_is_refused_where_few_responses_would_decide():
    prompt, reward, _ = sampled(50, 8)
    assert tilt(reward, prompt, 0.1).effective > FEWEST_EFFECTIVE
    assert tilt(reward, prompt, 1.0) is None  # fewer than four of eight
    assert tilt(reward, prompt, 3.0) is None  # beyond log 8


def test_a_reward_that_is_the_same_everywhere_tilts_nothing():
    prompt, _, _ = sampled(50, 8)
    assert tilt(np.ones(len(prompt)), prompt, 0.1) is None
