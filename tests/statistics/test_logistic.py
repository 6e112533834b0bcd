"""Logistic regression with the jackknife over clusters, against scikit-learn and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, stdtrit
from sklearn.linear_model import LogisticRegression

from surefoot.statistics.logistic import (
    deviance_explained,
    logistic,
    out_of_fold,
    ridged,
    sure_slope,
)


def drawn(n: int = 600, clusters: int = 60, seed: int = 0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, clusters, n)
    x = rng.normal(size=(n, 2)) + rng.normal(size=(clusters, 2))[ids] * 0.5
    y = (rng.random(n) < expit(x @ [0.5, -0.3])).astype(float)
    return x, y, ids


def reference(x, y, weights=None):
    model = LogisticRegression(C=1e8, fit_intercept=False, tol=1e-10, max_iter=1000)
    return model.fit(x, y, sample_weight=weights).coef_[0]


def test_coefficients_are_the_likeliest():
    x, y, ids = drawn()
    weights = np.random.default_rng(1).random(len(y))
    assert logistic(x, y, ids, weights).coefficients == pytest.approx(
        reference(x, y, weights), abs=1e-4
    )


@pytest.mark.parametrize("unit", [1e-12, 1e-200, 1e200])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_the_unit_of_weights_changes_nothing(unit, scale):
    """Of coefficients about .5, and of steep ones about 5."""
    x, y, ids = drawn()
    weights = np.random.default_rng(1).random(len(y))
    one, other = (sure_slope(scale * x, y, ids, k * weights, 0.1) for k in (1.0, unit))
    assert one == pytest.approx(other, rel=1e-6)


def test_soft_labels_are_rows_on_both_sides():
    x, y, ids = drawn()
    soft = 0.8 * y + 0.1
    both = reference(np.vstack([x, x]), np.repeat([1.0, 0.0], len(y)), np.r_[soft, 1 - soft])
    assert logistic(x, soft, ids).coefficients == pytest.approx(both, abs=1e-4)


def test_leaving_a_cluster_out_is_nearly_a_fit_without_it():
    x, y, ids = drawn()
    found = logistic(x, y, ids)
    without = np.stack([reference(x[ids != c], y[ids != c]) for c in range(60)])
    assert found.replicates == pytest.approx(without, abs=0.004)
    spread = np.sqrt(((without - found.coefficients) ** 2).sum(0) * 59 / 60)
    assert found.errors == pytest.approx(spread, rel=0.02)


def test_a_cluster_twice_makes_errors_no_smaller():
    x, y, ids = drawn()
    once, twice = logistic(x, y, ids), logistic(np.vstack([x, x]), np.r_[y, y], np.r_[ids, ids])
    assert twice.errors == pytest.approx(once.errors, rel=1e-6)


def test_labels_that_a_feature_decides_have_a_finite_coefficient():
    x = np.linspace(-1, 1, 50)[:, None]
    found = logistic(x, (x[:, 0] > 0).astype(float))
    assert np.isfinite(found.coefficients).all()
    assert np.isfinite(found.errors).all()


def test_margins_are_of_fits_without_the_fold():
    x, y, ids = drawn()
    folds = ids % 3
    found = out_of_fold(x, y, np.ones(len(y)), folds)
    for fold in range(3):
        kept = folds != fold
        assert found[~kept] == pytest.approx(x[~kept] @ reference(x[kept], y[kept]), abs=1e-3)


def test_deviance_explained():
    """All of it by the truth where that is sure, none by the base, less than none by a lie."""
    y = np.array([1.0, 0.0, 1.0, 1.0])
    sure = np.where(y > 0.5, 30.0, -30.0)
    assert deviance_explained(sure, y, np.ones(4)) == pytest.approx(1)
    assert deviance_explained(np.zeros(4), y, np.ones(4)) == 0
    assert deviance_explained(-sure, y, np.ones(4)) < -10
    assert deviance_explained(sure, y, np.ones(4), sure) == pytest.approx(0)


def test_ridged_margins_are_those_of_another_solver():
    x, y, ids = drawn()
    folds, penalty = ids % 3, 0.1
    found = ridged(x, y, np.ones(len(y)), folds, [penalty])
    for fold in range(3):
        kept = folds != fold
        model = LogisticRegression(C=1 / (penalty * kept.sum()), fit_intercept=False, tol=1e-10)
        expected = x[~kept] @ model.fit(x[kept], y[kept]).coef_[0]
        assert found[~kept] == pytest.approx(expected, abs=1e-3)


def test_the_ridge_is_the_one_that_predicts():
    """Features that say nothing are held down, one that says all is let be."""
    rng = np.random.default_rng(3)
    x, folds = rng.normal(size=(300, 50)), np.arange(300) % 5
    noise = (rng.random(300) < 0.5).astype(float)
    sure = (x[:, 0] > 0).astype(float)
    margins = [ridged(x, y, np.ones(300), folds) for y in (noise, sure)]
    assert np.abs(margins[0]).max() < 0.5
    assert np.abs(margins[1]).mean() > 1.5


def test_a_slope_that_labels_nearly_follow_is_sure():
    """All but three rows: the error at the fit grows with the slope, that at the edge does not."""
    x = np.random.default_rng(4).normal(size=(600, 1))
    y = (x[:, 0] > 0).astype(float)
    y[np.argsort(-np.abs(x[:, 0]))[:3]] = 1 - y[np.argsort(-np.abs(x[:, 0]))[:3]]
    found, at_fit = sure_slope(x, y, edge=0.1), logistic(x, y)
    assert found[0] == at_fit.coefficients[0] > 1
    assert (found[0] - 0.1) / found[1] > 15
    assert found[2] > 100
    turned = sure_slope(-x, y, edge=0.1)
    assert turned == pytest.approx((-found[0], *found[1:]))


def test_the_score_at_the_edge_is_as_sure_as_the_fit_where_both_hold():
    rng = np.random.default_rng(5)
    x = np.stack([rng.normal(size=4000), np.ones(4000)], axis=1)
    y = (rng.random(4000) < expit(x @ [1.2, 0.3])).astype(float)
    value, error, _ = sure_slope(x, y, edge=0.9)
    at_fit = logistic(x, y)
    assert value == at_fit.coefficients[0]
    assert error == pytest.approx(at_fit.errors[0], rel=0.2)


def test_one_heavy_row_makes_no_slope_sure():
    """Beside a constant it has no residual, and the others turn round the point that it pins."""
    drawn = [np.random.default_rng(seed) for seed in range(40)]
    found = []
    for rng in drawn:
        x = np.stack([rng.normal(size=400), np.ones(400)], axis=1)
        weights = np.where(np.arange(400) == 0, 1e5, 1.0)
        value, error, freedom = sure_slope(x, rng.integers(0, 2, 400) * 1.0, None, weights, 0.1)
        found.append((abs(value) - 0.1) / error > stdtrit(freedom, 0.975))
    assert np.mean(found) < 0.1
