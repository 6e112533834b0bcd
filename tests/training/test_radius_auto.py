"""`radius: auto` in a run: chosen, used, told; refused where it would cost too much."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from surefoot.errors import ConfigurationError
from surefoot.training import RunConfig, train

_AUTO = {"kind": "kl", "radius": "auto", "unit": "group"}


@pytest.fixture
def config(small_encoder, rows, tmp_path):
    """Options of a run on 90 pairs of three groups."""
    path = tmp_path / "pairs.jsonl"
    with path.open("w") as file:
        for group, seed in (("x", 1), ("y", 2), ("z", 3)):
            for row in rows(30, seed=seed, flip_rate=0.2, group=group):
                file.write(json.dumps(row) + "\n")
    return {
        "data": {"train": str(path)},
        "scorer": {"kind": "embedding", "encoder": small_encoder, "folds": 3},
        "objective": {"risk": _AUTO},
        "output": str(tmp_path / "run"),
    }


def test_a_run_trains_at_the_size_that_it_chose(config, tmp_path):
    said = []
    run = train(RunConfig(**config), say=said.append)
    figures = json.loads((run.folder / "manifest.json").read_text())["figures"]
    chosen = figures["radius"]
    assert [one["size"] for one in chosen["curve"]] == [0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert any(line.startswith(f"radius {chosen['chosen']:g}") for line in said)
    assert (
        f"| size of the ball | radius {chosen['chosen']:g}"
        in (run.folder / "README.md").read_text()
    )
    curve = chosen["curve"][0]
    told = (
        f"sizes tried (worst held-out group, mean){{}}0: {curve['worst']:.3f}, {curve['mean']:.3f}"
    )
    assert any(line.startswith(told.format(": ")) for line in said)
    assert told.format(" | ") in (run.folder / "README.md").read_text()
    assert (
        yaml.safe_load((run.folder / "config.yaml").read_text())["objective"]["risk"]["radius"]
        == "auto"
    )
    given = config | {
        "objective": {"risk": _AUTO | {"radius": chosen["chosen"]}},
        "output": str(tmp_path / "given"),
    }
    same = train(RunConfig(**given))
    np.testing.assert_array_equal(
        run.model.parameters_["weight"].numpy(), same.model.parameters_["weight"].numpy()
    )


def test_the_cost_is_heard(config):
    for cost in (0.0, 10.0):
        run = train(RunConfig(**config, training={"mean_cost": cost}), overwrite=True)
        figures = json.loads((run.folder / "manifest.json").read_text())["figures"]
        curve = figures["radius"]["curve"]
        assert figures["radius"]["cost_allowed"] == cost
        allowed = [one["mean"] <= curve[0]["mean"] + cost for one in curve]
        assert [one["allowed"] for one in curve] == allowed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scorer": {"kind": "reward-model", "model": "default"}}, "too dear for scorer"),
        ({"objective": {}, "training": {"mean_cost": 0.1}}, "mean_cost .0.1. is for a risk whose"),
        ({"training": {"mean_cost": -1}}, "-1"),
    ],
)
def test_what_cannot_be_honoured_is_said(config, changes, message):
    with pytest.raises(ConfigurationError, match=message):
        RunConfig(**config | changes)
