"""The temperature: what it is in the large, that it stays bounded, and that it is the best one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit

from surefoot.data import Preferences
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.scorers.temperature import FEWEST, LEAST, fit_temperature, to_probabilities
from surefoot.training.language import finished


def _drawn(rng, n, rate=0.0, temperature=2.5):
    """Margins, and labels by them at a temperature, of which some are flipped."""
    margins = 3 * rng.normal(size=n)
    clean = rng.random(n) < expit(margins / temperature)
    return margins, (clean ^ (rng.random(n) < rate)).astype(float)


def _loss(temperature, margins, labels, mass, rate):
    """Less the log-likelihood of the pairs and of the two more, written out."""
    p, q = expit(margins / temperature), expit(-margins / temperature)
    share = mass / mass.sum()
    n = mass.sum() ** 2 / (mass**2).sum()
    seen, not_seen = (1 - rate) * p + rate * q, (1 - rate) * q + rate * p
    seen, not_seen = np.maximum(seen, LEAST), np.maximum(not_seen, LEAST)
    own = share @ (labels * np.log(seen) + (1 - labels) * np.log(not_seen))
    most = 1000 * np.median(np.abs(margins))
    like_theirs = np.clip(margins, -most, most) / temperature
    return -(n * own + share @ (log_expit(like_theirs) + log_expit(-like_theirs)))


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_it_is_recovered(rate):
    margins, labels = _drawn(np.random.default_rng(0), 60_000, rate)
    found = fit_temperature(margins, labels, np.ones(60_000), rate)
    assert found.value == pytest.approx(2.5, rel=0.05)
    assert found.note == ""


@pytest.mark.parametrize("mass", [1.0, 0.0])
def test_pairs_without_weight_or_margin_have_no_say(mass):
    margins, labels = _drawn(np.random.default_rng(0), 4000)
    alone = fit_temperature(margins, labels, np.ones(4000))
    joined = fit_temperature(
        np.concatenate([margins, np.zeros(6000)]),
        np.concatenate([labels, np.ones(6000)]),
        np.concatenate([np.ones(4000), np.full(6000, mass)]),
    )
    assert joined.value == pytest.approx(alone.value)
    nothing = fit_temperature(np.zeros(5), np.ones(5), np.ones(5))
    assert nothing.value == 1.0
    assert "No held-out pair has a margin" in nothing.note


def test_without_flips_it_is_that_of_platts_targets():
    """Targets (n y + 1) / (n + 2) in place of the labels."""
    margins, labels = _drawn(np.random.default_rng(1), 30)
    labels[:4] = [0.5, 0.2, 0.9, 1.0]
    smooth = (30 * labels + 1) / 32

    def loss(log_slope):
        p = expit(margins * np.exp(log_slope))
        return -(smooth @ np.log(p) + (1 - smooth) @ np.log(1 - p))

    expected = np.exp(-minimize_scalar(loss, bounds=(-4, 2), method="bounded").x)
    assert fit_temperature(margins, labels, np.ones(30)).value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("n", [1, 3, 20, 110, 5000])
def test_pairs_that_are_all_in_order_leave_a_doubt(n, rate):
    """Of margins of one size, P is by the rule of succession, or below where flips are told."""
    sign = np.where(np.arange(n) % 2, -1.0, 1.0)
    found = fit_temperature(7 * sign, (sign > 0).astype(float), np.ones(n), rate)
    chance = to_probabilities(7.0, found.value)
    if rate == 0:
        assert chance == pytest.approx((n + 1) / (n + 2), rel=1e-5)
    assert 0.5 < chance <= (n + 1) / (n + 2) + 1e-6
    assert "pairs are in order" in found.note


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 60),
    rate=st.sampled_from([0.0, 0.05, 0.2, 0.45]),
    in_order=st.booleans(),
    unit=st.sampled_from([1e-3, 1.0, 1e4]),
)
def test_no_temperature_beats_it(seed, n, rate, in_order, unit):
    """Whatever the margins: against a fine grid over many powers of ten; and in any unit."""
    rng = np.random.default_rng(seed)
    margins = rng.standard_t(2, size=n) + 0.01
    labels = (margins > 0).astype(float) if in_order else rng.choice([0, 1, 0.5, 0.3], n)
    mass = rng.exponential(size=n) + 0.1
    found = fit_temperature(unit * margins, labels, mass, rate)
    assert found.value > 0
    assert np.isfinite(found.value)
    with np.errstate(all="ignore"):
        own = _loss(found.value / unit, margins, labels, mass, rate)
        grid = np.geomspace(1e-2, 1e4, 800) * np.median(np.abs(margins))
        others = np.array([_loss(t, margins, labels, mass, rate) for t in grid])
    assert own <= np.nanmin(others) + 1e-6
    chances = to_probabilities(unit * margins, found.value)
    assert (chances >= LEAST).all()
    assert (chances <= 1 - LEAST).all()


def test_the_better_of_two_optima_is_taken():
    """Two valleys: large margins that say little, and many small ones that are all in order."""
    margins = np.concatenate([np.full(20, 10.0), np.full(300, 0.1)])
    labels = np.where(np.arange(320) < 6, 0.0, 1.0)
    args = margins, labels, np.ones(320), 0.1
    grid = np.geomspace(1e-3, 1e3, 3000)
    with np.errstate(all="ignore"):
        losses = np.array([_loss(t, *args) for t in grid])
    losses = np.where(np.isfinite(losses), losses, np.inf)
    valleys = np.flatnonzero((losses[1:-1] < losses[:-2]) & (losses[1:-1] < losses[2:])) + 1
    assert len(valleys) == 2
    best = grid[valleys[losses[valleys].argmin()]]
    assert fit_temperature(*args).value == pytest.approx(best, rel=0.01)


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_many_pairs_are_not_moved(rate):
    """The two further pairs are two of n: the likeliest temperature moves by the order of 1/n."""
    for n, most in ((500, 0.05), (50_000, 0.0005)):
        margins, labels = _drawn(np.random.default_rng(2), n, rate)

        def loss(log_t, margins=margins, labels=labels):
            p = expit(margins / np.exp(log_t))
            seen = (1 - rate) * p + rate * (1 - p)
            return -(labels @ np.log(seen) + (1 - labels) @ np.log(1 - seen))

        likeliest = np.exp(minimize_scalar(loss, bounds=(-2, 4), method="bounded").x)
        found = fit_temperature(margins, labels, np.ones(n), rate).value
        assert found == pytest.approx(likeliest, rel=most)


def test_probabilities_are_bounded_and_antisymmetric():
    margins = np.array([-1e300, -40.0, -1.0, 0.0, 1.0, 40.0, 1e300])
    chances = to_probabilities(margins, 0.5)
    assert chances.min() == LEAST
    assert chances.max() == 1 - LEAST
    np.testing.assert_allclose(chances + chances[::-1], 1, atol=1e-15)
    np.testing.assert_allclose(chances[2:5], expit([-2, 0, 2]))


def test_few_pairs_are_said_to_be_few():
    margins, labels = _drawn(np.random.default_rng(0), FEWEST - 1)
    assert "rests on 49 held-out pairs" in fit_temperature(margins, labels, np.ones(49)).note
    heavy = np.where(np.arange(200) < 10, 1000.0, 1.0)
    margins, labels = _drawn(np.random.default_rng(0), 200)
    assert "rests on 10 held-out pairs" in fit_temperature(margins, labels, heavy).note
    flipped = fit_temperature(np.arange(1.0, 101), np.arange(100) % 10 > 0, np.ones(100), 0.2)
    assert "more than a flip rate of 0.2 leaves" in flipped.note


@pytest.mark.parametrize("head", ["linear", "mlp", "general-preference"])
def test_every_head_is_bounded_and_says_so(head, small_encoder):
    words = ("help", "harm", "cook", "travel", "sleep", "run")
    rows = [
        {"prompt": f"{a} {b}", "response_a": "good kind", "response_b": "bad rude", "label": 1.0}
        for a in words
        for b in words
    ]
    data = Preferences.from_rows(rows)
    scorer = EmbeddingScorer(encoder=small_encoder, head=head, folds=3)
    model = EmbeddingRewardModel(scorer).fit(data)
    assert any("100% of the 36 held-out pairs are in order" in w for w in model.report_.warnings)
    assert model.probabilities(data).max() < 0.9999


def test_language_models_too(monkeypatch):
    """What a finished run calibrates with: the same bound, and the note is handed on."""
    rows = [{"prompt": f"{i}", "response_a": "a", "response_b": "b", "label": 1} for i in range(60)]
    pairs = Preferences.from_rows(rows)
    scores = np.stack([np.full(60, 3.0), np.zeros(60)], axis=1)
    monkeypatch.setattr(finished, "_raw_scores", lambda *_: scores)

    class Held(SimpleNamespace):
        def __len__(self):
            return 60

    trainer = SimpleNamespace(eval_pairs={"held out": Held(preferences=pairs)})
    model = SimpleNamespace(std_=2.0, temperature_=1.0)
    accuracy, note = finished.calibrate(model, trainer, 0.0)
    assert accuracy.estimate == 1
    assert to_probabilities(1.5, model.temperature_) == pytest.approx(61 / 62, rel=1e-5)
    assert "100% of the 60 held-out pairs" in note


def _world(n=200, seed=0):
    rng = np.random.default_rng(seed)
    margins = rng.normal(size=n) * 3
    return margins, (rng.random(n) < expit(margins)).astype(float)


@pytest.mark.parametrize("size", [30, 1e4, 1e8, 1e300])
def test_one_pair_with_an_absurd_margin_does_not_decide(size):
    margins, labels = _world()
    usual = fit_temperature(margins, labels, np.ones(200)).value
    for label in (0.0, 1.0):
        found = fit_temperature([*margins, size], [*labels, label], np.ones(201)).value
        assert found == pytest.approx(usual, rel=0.3)


@pytest.mark.parametrize("size", [1e-300, 1e-5, 1e200])
def test_weights_count_by_their_ratios(size):
    margins, labels = _world()
    usual = fit_temperature(margins, labels, np.ones(200))
    found = fit_temperature(margins, labels, np.full(200, size))
    assert found.value == pytest.approx(usual.value, rel=1e-6)


def test_soft_labels_say_how_sure_is_too_sure():
    margins, _ = _world()
    found = fit_temperature(margins, expit(margins), np.ones(200))
    assert found.value == pytest.approx(1, rel=0.05)
    assert found.note == ""


@pytest.mark.parametrize("kind", ["turned round", "all ties", "a coin's"])
def test_pairs_in_no_order_are_said_to_be(kind):
    margins = np.repeat(_world()[0], 2)
    labels = {
        "turned round": margins < 0,
        "all ties": np.full(400, 0.5),
        "a coin's": np.tile([0, 1], 200),
    }[kind].astype(float)
    found = fit_temperature(margins, labels, np.ones(400))
    assert found.value > 100 * np.median(np.abs(margins))
    assert "no better than by chance" in found.note
