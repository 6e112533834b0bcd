"""A judge corrected by labels: identities, worlds of known truth, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot.statistics.misclassified import misclassified
from surefoot.statistics.prediction_powered import prediction_powered


def world(rng, labelled=100, rows=1000, share=0.3, true_rate=0.9, false_rate=0.2):
    truth = (rng.random(rows) < share).astype(float)
    says = (rng.random(rows) < np.where(truth > 0.5, true_rate, false_rate)).astype(float)
    labels = np.full(rows, np.nan)
    some = rng.choice(rows, labelled, replace=False)
    labels[some] = truth[some]
    return labels, says


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_constant_proxy_leaves_the_mean_of_labels():
    labels, _ = world(rng())
    found = prediction_powered(labels, np.full(1000, 0.4))
    assert found.coefficient == 0
    assert found.corrected.estimate == pytest.approx(np.nanmean(labels), abs=1e-12)


def test_a_proxy_that_is_the_label_is_all_that_is_needed():
    labels, _ = world(rng())
    truth = np.where(np.isnan(labels), rng(1).random(1000) < 0.3, labels).astype(float)
    found = prediction_powered(labels, truth)
    assert found.corrected.estimate == pytest.approx(truth.mean(), abs=1e-9)
    assert found.coefficient == pytest.approx(1)
    assert found.labels_needed(0.05, 1000) == 59  # of 58, none might show 5 % of mistakes


def test_it_is_the_regression_estimator_with_the_slopes_of_other_folds():
    """By another way of computing: fold by fold, over all pairs of parts."""
    labels, says = world(rng(3))
    found = prediction_powered(labels, says, seed=5)
    given = np.flatnonzero(np.isfinite(labels))
    fold = np.random.default_rng(5).permutation(100) % 5
    total = 0.0
    for k in range(5):
        rest, own = given[fold != k], given[fold == k]
        slope = np.polyfit(says[rest], labels[rest], 1)[0]
        total += np.sum(labels[own] - slope * says[own]) + len(own) * slope * says.mean()
    assert found.corrected.estimate == pytest.approx(total / 100, abs=1e-12)


@pytest.mark.parametrize(("rates", "narrower"), [((0.95, 0.05), 0.6), ((0.5, 0.5), 1.1)])
def test_a_good_judge_narrows_the_interval_and_a_poor_one_does_no_harm(rates, narrower):
    labels, says = world(rng(), 200, 4000, 0.5, *rates)
    found = prediction_powered(labels, says)
    width, alone = (e.high - e.low for e in (found.corrected, found.labelled))
    assert width < narrower * alone


def coverage(make, share, of, repetitions=150):
    held, given = 0, 0
    for seed in range(repetitions):
        found = of(*make(np.random.default_rng(seed))).corrected
        if found.low is not None:
            given += 1
            held += found.low <= share <= found.high
    return held / given


@pytest.mark.parametrize("of", [prediction_powered, misclassified])
def test_intervals_hold_the_truth(of):
    """At 95 % of 150 worlds, fewer than 133 have chance .001; the whole is in the benchmark."""
    assert coverage(lambda r: world(r, 60, 1000, 0.3), 0.3, of) > 133 / 150


def test_rows_that_share_a_prompt_are_not_independent():
    labels, says = world(rng(), 100, 1000)
    alone = prediction_powered(labels, says).corrected
    tenfold = [np.repeat(one, 10) for one in (labels, says)]
    shared = prediction_powered(*tenfold, clusters=np.repeat(np.arange(1000), 10)).corrected
    assert shared.high - shared.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_weights_count_rows():
    labels, says = world(rng(), 200, 500)
    w = rng(2).integers(0, 3, 500)
    rows = np.repeat(np.arange(500), w)
    weighted = misclassified(labels, says, weights=w)
    counted = misclassified(labels[rows], says[rows], clusters=rows)
    assert weighted.corrected.estimate == pytest.approx(counted.corrected.estimate)


def test_misclassified_undoes_known_errors():
    labels, says = world(rng(), 500, 20_000, 0.3, 0.8, 0.3)
    found = misclassified(labels, says)
    tpr, fpr = found.true_rate.estimate, found.false_rate.estimate
    assert found.corrected.estimate == pytest.approx((says.mean() - fpr) / (tpr - fpr))
    assert found.raw == says.mean() > found.corrected.high
    assert found.corrected.low < 0.3 < found.corrected.high


def test_labels_picked_by_side_mislead_only_the_one_that_uses_their_share():
    """Half of the labels are wins where a tenth of all rows are."""
    drawn = rng()
    truth = (drawn.random(20_000) < 0.1).astype(float)
    says = (drawn.random(20_000) < np.where(truth > 0.5, 0.8, 0.2)).astype(float)
    labels = np.full(20_000, np.nan)
    for side in (0, 1):
        some = np.flatnonzero(truth == side)[:150]
        labels[some] = side
    found = misclassified(labels, says).corrected
    assert found.low < 0.1 < found.high
    assert prediction_powered(labels, says).corrected.low > 0.2


@pytest.mark.parametrize(("labelled", "share"), [(49, 0.5), (100, 0.02)])
def test_few_labels_are_refused(labelled, share):
    made = world(rng(), labelled, 1000, share)
    for found in (prediction_powered(*made), misclassified(*made)):
        assert found.corrected.estimate is None
        assert "50 are needed" in found.corrected.note


def test_a_judge_that_says_nothing_is_refused():
    found = misclassified(*world(rng(), 100, 1000, 0.5, 0.5, 0.5))
    assert found.corrected.estimate is None
    assert "may say nothing" in found.corrected.note
    assert found.skill.low < 0 < found.skill.high


def test_labels_needed_make_the_interval_as_narrow_as_was_asked_for():
    labels, says = world(rng(), 200, 20_000, 0.5)
    needed = prediction_powered(labels, says).labels_needed(0.03, 20_000)
    labels, says = world(rng(1), needed, 20_000, 0.5)
    found = prediction_powered(labels, says).corrected
    assert (found.high - found.low) / 2 == pytest.approx(0.03, abs=0.004)


def test_too_few_rows_never_do():
    labels, says = world(rng(), 200, 400, 0.5)
    assert prediction_powered(labels, says).labels_needed(0.01, 400) is None


@pytest.mark.parametrize("values", [[0.5, 2.0], [np.inf, 0.5], [np.nan, 0.5]])
def test_a_proxy_outside_its_range_is_refused(values):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        prediction_powered([1.0, 0.0], values)
