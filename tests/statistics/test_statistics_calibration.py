from __future__ import annotations

import json

import numpy as np
import pytest

from surefoot.statistics import brier, calibration, log_loss


def model(rng, n, slope=1.0):
    """Margins and outcomes; the model is perfect at slope 1 and overconfident below."""
    margins = 1.2 * rng.normal(size=n)
    outcomes = (rng.random(n) < 1 / (1 + np.exp(-slope * margins))).astype(float)
    return 1 / (1 + np.exp(-margins)), outcomes


def test_debiased_error_is_zero_on_average_where_the_binned_one_is_not():
    rng = np.random.default_rng(0)
    found = [calibration(*model(rng, 221)) for _ in range(300)]
    errors = np.array([c.error.estimate for c in found])
    assert abs(errors.mean()) < 3 * errors.std() / np.sqrt(300)
    binned = np.mean([c.binned.estimate for c in found])
    assert binned == pytest.approx(0.07, abs=0.01)
    promised = np.mean([float(c.binned.note.split()[-2]) for c in found])
    assert promised == pytest.approx(binned, abs=0.005)


@pytest.mark.parametrize(("n", "slope", "truth"), [(221, 1.0, 0.0), (500, 0.5, 0.0096)])
def test_interval_covers(n, slope, truth):
    """The second truth is the population value, from 400,000 pairs."""
    rng = np.random.default_rng(1)
    found = [calibration(*model(rng, n, slope)).error for _ in range(300)]
    assert np.mean([e.low <= truth <= e.high for e in found]) == pytest.approx(0.955, abs=0.035)


def test_orientation_does_not_matter():
    rng = np.random.default_rng(2)
    p, y = model(rng, 300)
    swap = rng.random(300) < 0.5
    turned = calibration(np.where(swap, 1 - p, p), np.where(swap, 1 - y, y))
    straight = calibration(p, y)
    assert turned.error.estimate == pytest.approx(straight.error.estimate)
    assert turned.binned.estimate == pytest.approx(straight.binned.estimate)
    chosen_first = calibration(np.where(y == 1, p, 1 - p), np.ones(300))
    assert chosen_first.error.estimate == pytest.approx(straight.error.estimate)


def test_overconfidence_is_signed():
    rng = np.random.default_rng(3)
    over = calibration(*model(rng, 2000, slope=0.4)).overconfidence
    under = calibration(*model(rng, 2000, slope=2.5)).overconfidence
    assert over.low > 0
    assert under.high < 0


def test_copies_in_clusters_do_not_look_miscalibrated():
    rng = np.random.default_rng(4)
    errors, naive = [], []
    for _ in range(100):
        p, y = model(rng, 200)
        ids = np.repeat(np.arange(200), 4)
        errors.append(calibration(np.repeat(p, 4), np.repeat(y, 4), ids, bins=5).error.estimate)
        naive.append(calibration(np.repeat(p, 4), np.repeat(y, 4), bins=5).error.estimate)
    assert abs(np.mean(errors)) < 3 * np.std(errors) / 10
    assert np.mean(naive) > 5 * np.std(naive) / 10


def test_reliability_table_holds_every_pair_once():
    p, y = model(np.random.default_rng(5), 221)
    found = calibration(p, y)
    assert len(found.bins) == 10
    assert sum(b.accuracy.n for b in found.bins) == 221
    assert all(0.5 <= b.low <= b.confidence <= b.high <= 1 for b in found.bins)
    assert [b.low for b in found.bins] == sorted(b.low for b in found.bins)
    assert len(calibration(p[:45], y[:45]).bins) == 4


def test_ties_of_model_and_label_count_half():
    found = calibration(np.full(40, 0.5), np.tile([1.0, 0.0, 0.5, 1.0], 10))
    assert len(found.bins) == 1
    assert found.bins[0].accuracy.estimate == 0.5
    assert found.overconfidence.estimate == 0


def test_few_clusters_are_refused_and_json_ready():
    p, y = model(np.random.default_rng(6), 40)
    found = calibration(p, y, np.repeat(np.arange(4), 10))
    assert found.error.low is None
    assert "too few clusters" in found.error.note
    assert json.dumps(found.to_dict(), allow_nan=False)
    assert json.dumps(calibration([], []).to_dict())


def test_scores_of_soft_labels_are_averages_over_votes():
    p = np.array([0.8, 0.3])
    for score in (log_loss, brier):
        soft = score(p, [0.25, 2 / 3])
        votes = [np.mean(score([0.8] * 4, [1, 0, 0, 0])), np.mean(score([0.3] * 3, [1, 1, 0]))]
        assert soft == pytest.approx(votes)
    assert log_loss([0.5], [1.0]) == pytest.approx(np.log(2))
    assert brier([0.8], [1.0]) == pytest.approx(0.04)


def test_a_wrong_certainty_is_finite():
    assert log_loss([0.0, 1.0], [1.0, 0.0]) == pytest.approx(36.04, abs=0.01)


@pytest.mark.parametrize("score", [log_loss, brier, calibration])
def test_wrong_input(score):
    with pytest.raises(ValueError, match=r"probabilities lie in \[0, 1\]; got 1.2 at 1"):
        score([0.5, 1.2], [1.0, 0.0])
    with pytest.raises(ValueError, match="labels lie in"):
        score([0.5, 0.2], [1.0, np.nan])
    with pytest.raises(ValueError, match="got"):
        score([0.5], [1.0, 0.0])
