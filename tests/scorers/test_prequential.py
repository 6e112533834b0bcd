"""Margins by heads that saw earlier folds only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from surefoot.objectives import Evidence, Objective
from surefoot.scorers.fit.prequential import forward_margins
from surefoot.scorers.head import Problem, margins_of
from surefoot.scorers.heads.linear import Linear


def problem(rows: int, seed: int = 0, slope: float = 1.0, dimension: int = 3) -> Problem:
    drawn = np.random.default_rng(seed)
    x = drawn.normal(size=(rows, 2, dimension))
    chance = 1 / (1 + np.exp(-slope * (x[:, 0] - x[:, 1]).sum(1)))
    labels = (drawn.random(rows) < chance).astype(float)
    return Problem(
        features=torch.from_numpy(x).float(),
        objective=Objective(),
        evidence=Evidence(torch.from_numpy(labels)),
        mass=torch.ones(rows, 1, dtype=torch.float64),
        l2=torch.ones(1, dtype=torch.float64),
        seeds=(0,),
    )


def test_a_fold_is_predicted_from_those_before_it():
    given, fold = problem(300), np.arange(300) % 3
    found = forward_margins(given, fold)
    assert np.isnan(found[fold == 0]).all()
    # Of the first fold that is predicted nothing says which penalty did best: the strongest.
    strongest = torch.tensor([max(Linear().candidates)], dtype=torch.float64)
    alone = replace(given, mass=torch.from_numpy((fold < 1)[:, None].astype(float)), l2=strongest)
    margins = margins_of(given.scores(Linear(), Linear().fit(alone).parameters))[:, 0].numpy()
    assert found[fold == 1] == pytest.approx(margins[fold == 1], abs=0.01)  # near its optimum
    assert np.corrcoef(found[fold == 1], margins[fold == 1])[0, 1] > 0.998


def test_later_labels_change_nothing():
    given, fold = problem(300), np.arange(300) % 3
    turned = given.evidence.label.clone()
    turned[fold == 2] = 1 - turned[fold == 2]
    other = forward_margins(replace(given, evidence=Evidence(turned)), fold)
    assert np.array_equal(forward_margins(given, fold), other, equal_nan=True)


def test_the_penalty_that_did_best_before_is_taken():
    """Where much can be learnt, weak penalties win from the second fold on."""
    given, fold = problem(900, slope=3.0), np.arange(900) % 3
    found = np.abs(forward_margins(given, fold))
    assert found[fold == 2].mean() > 3 * found[fold == 1].mean()


def test_where_nothing_is_to_be_learnt_the_rows_show_the_true_error():
    """Each fold from all others would give sums with twice the variance that the rows show."""
    sums = []
    for seed in range(150):
        given, fold = problem(200, seed, slope=0.0, dimension=8), np.arange(200) % 4
        margins = forward_margins(given, fold)
        tried = np.isfinite(margins)
        terms = margins[tried] * (given.evidence.label.numpy()[tried] - 0.5)
        sums.append(terms.sum() / np.sqrt(np.square(terms).sum()))
    assert np.square(sums).mean() == pytest.approx(1, abs=0.35)  # deviation .12; 2 would fail
