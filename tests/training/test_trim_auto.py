"""`trim: auto`: the share of wrong labels, from repeated votes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from surefoot.data import Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.objectives import Objective, Risk
from surefoot.statistics import flip_rate_of_majority
from surefoot.training import RunConfig, train
from surefoot.training.trim import with_trim

AUTO = {"kind": "mean", "trim": "auto"}


def voted(n: int, rate: float, votes: int = 3, **columns) -> Preferences:
    rng = np.random.default_rng(0)
    flips = rng.random((n, votes)) < rate
    rows = [
        {
            "prompt": f"question {i}",
            "response_a": "a good one",
            "response_b": "a bad one",
            "votes": [{"annotator": str(k), "value": float(not f)} for k, f in enumerate(one)],
            "label": float(np.mean(~one)),
            **{name: values[i % len(values)] for name, values in columns.items()},
        }
        for i, one in enumerate(flips)
    ]
    return Preferences.from_rows(rows)


@pytest.mark.parametrize("origin", ["votes", "order"])
def test_means_of_votes_are_wrong_as_often_as_majorities(origin):
    objective, found = with_trim(Objective(risk=AUTO), voted(4000, 0.2, label_from=[origin]))
    assert found.votes.estimate == pytest.approx(0.2, abs=0.02)
    assert found.share == pytest.approx(flip_rate_of_majority(0.2, 3), abs=0.02)
    assert objective.risk.trim == found.share
    assert "4000 pairs with two votes or more" in str(found)
    assert "This rate is a lower bound of the mean rate" in str(found)
    assert found.to_dict()["varying_rates"]["pairs"] == 0  # of three votes each


def test_other_labels_are_wrong_as_often_as_a_vote():
    _, found = with_trim(Objective(risk=AUTO), voted(4000, 0.2, label_from=["label"]))
    assert found.share == pytest.approx(0.2, abs=0.02)


def test_a_number_stays():
    objective = Objective(risk={"kind": "mean", "trim": 0.1})
    assert with_trim(objective, voted(4, 0.0)) == (objective, None)


def test_single_votes_bound_the_rate_only():
    with pytest.raises(DataError, match="they bound the rate"):
        with_trim(Objective(risk=AUTO), voted(20, 0.2, votes=1))


def test_elsewhere_it_has_to_be_a_number():
    risk = Risk.parse(AUTO)
    assert risk.adaptive
    assert not risk.convex
    with pytest.raises(ConfigurationError, match="here it should be a number"):
        risk(torch.ones(3))


def test_a_run(small_encoder, rows, tmp_path):
    made = []
    for i, row in enumerate(rows(80, seed=3)):
        votes = [row["label"]] * (3 if i % 4 else 2) + ([] if i % 4 else [1 - row["label"]])
        made.append(
            {**row, "votes": [{"annotator": str(k), "value": v} for k, v in enumerate(votes)]}
        )
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    config = RunConfig(
        data={"train": str(path)},
        scorer={"kind": "embedding", "encoder": small_encoder},
        objective={"risk": AUTO},
        output=str(tmp_path / "run"),
    )
    said: list[str] = []
    run = train(config, say=said.append)
    (told,) = [line for line in said if line.startswith("trim ")]
    share = run.model.objective.risk.trim
    assert told.startswith(f"trim {share:.3f}: ")
    assert 0.02 < share < 0.2
    assert RunConfig.read(run.folder / "config.yaml").objective.risk.trim == "auto"
    kept = run.report.risk.weights[:, 0]
    assert float((kept == 0).double().mean()) == pytest.approx(share, abs=1.5 / 80)
