"""Forward-corrected labels: the likelihood of labels that may be flipped."""

from __future__ import annotations

import json
import math

import pytest
import torch

from surefoot.data import read_preferences
from surefoot.errors import CompositionError, ConfigurationError
from surefoot.objectives import Evidence, Objective, enforce
from surefoot.scorers.evidence import evidence_of, facts_of

GRID = torch.linspace(-30, 30, 601, dtype=torch.float64)


def labels(rate, loss="logistic"):
    return Objective(loss=loss, labels={"kind": "forward-corrected", "flip_rate": rate})


def ones(n=601, label=1.0):
    return Evidence(torch.full((n,), label, dtype=torch.float64))


@pytest.mark.parametrize("loss", ["logistic", "probit"])
@pytest.mark.parametrize("e", [0.05, 0.2, 0.45])
def test_both_labels_are_the_mixture_of_both_clean_ones(loss, e):
    """Chances of a label and of its opposite add to 1, and are those of flips by definition."""
    plain, mixed = Objective(loss=loss), labels(e, loss)
    kept, turned = ((-plain.pair_losses(sign * GRID, ones())).exp() for sign in (1, -1))
    found = [(-mixed.pair_losses(GRID, ones(label=y))).exp() for y in (1.0, 0.0)]
    torch.testing.assert_close(found[0], (1 - e) * kept + e * turned)
    torch.testing.assert_close(found[0] + found[1], torch.ones_like(GRID))


@pytest.mark.parametrize("e", [0.05, 0.3])
def test_the_pull_is_the_chance_that_the_label_is_right_less_sigma(e):
    margins = GRID.clone().requires_grad_()
    (slope,) = torch.autograd.grad(labels(e).pair_losses(margins, ones()).sum(), margins)
    right = (1 - e) * GRID.sigmoid()
    right = right / (right + e * (-GRID).sigmoid())
    torch.testing.assert_close(-slope, right - GRID.sigmoid())


@pytest.mark.parametrize("p", [0.1, 0.6, 0.97])
def test_its_expectation_is_least_at_the_clean_model(p):
    e = 0.2
    seen = (1 - e) * p + e * (1 - p)  # how often the first is preferred, with flips
    margins = torch.linspace(-6, 6, 120_001, dtype=torch.float64)
    losses = labels(e).pair_losses(margins, ones(len(margins), label=seen))
    assert float(margins[losses.argmin()]) == pytest.approx(math.log(p / (1 - p)), abs=1e-3)


def test_no_pair_costs_more_than_a_flip():
    losses = labels(0.1).pair_losses(1e4 * GRID, ones())
    assert float(losses.max()) == pytest.approx(-math.log(0.1))
    assert float(losses.min()) == pytest.approx(-math.log(0.9))


def read(path, **columns):
    rows = [
        {"prompt": f"Prime {i}?", "chosen": "Seven.", "rejected": "Nine."}
        | {name: values[i] for name, values in columns.items()}
        for i in range(2)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_preferences(path)


def test_every_row_has_its_own_rate(tmp_path):
    objective = labels("column")
    pairs = read(tmp_path / "pairs.jsonl", flip_rate=[0.0, 0.3])
    enforce(objective, facts_of(pairs, None))
    evidence, _ = evidence_of(pairs, objective)
    margins = evidence.label.new_tensor([-40.0, -40.0])
    found = objective.pair_losses(margins, evidence)
    assert found.tolist() == pytest.approx([40.0, -math.log(0.3)])


def test_without_the_column_it_is_refused(tmp_path):
    with pytest.raises(CompositionError, match="'flip_rate'"):
        enforce(labels("column"), facts_of(read(tmp_path / "pairs.jsonl"), None))
    assert not enforce(labels(0.1), facts_of(read(tmp_path / "pairs.jsonl"), None))


def test_a_rate_that_is_still_to_be_fitted_is_said():
    with pytest.raises(ConfigurationError, match=r"'fitted'.*give a number"):
        labels("fitted").pair_losses(GRID, ones())


@pytest.mark.parametrize("rate", [0.5, -0.1, "fited"])
def test_rates_that_are_none(rate):
    with pytest.raises(ConfigurationError, match="flip_rate"):
        labels(rate)
