"""`surefoot best-of-n` on trained reward models, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from encoders import WORDS

from surefoot.cli.app import app
from surefoot.errors import SurefootError
from surefoot.evaluation.policies.overoptimisation.curve import best_of_n
from surefoot.evaluation.policies.samples import read_samples, sampled_rewards
from surefoot.scorers import load_scorer


@pytest.fixture(scope="module")
def made(tmp_path_factory, small_encoder, rows):
    """Three seeds of a reward model, a run of three heads as an ensemble, and samples with gold."""
    folder = tmp_path_factory.mktemp("best-of-n")
    rng = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        text = "".join(json.dumps(row) + "\n" for row in rows(150, source="s"))
        (folder / "train.jsonl").write_text(text)
        for name, members, more in (("reward", 1, ["--seeds", "3"]), ("heads", 3, [])):
            config = {
                "data": {"train": "train.jsonl"},
                "scorer": {"kind": "embedding", "encoder": small_encoder, "members": members},
                "training": {"bootstrap": members == 1},
                "output": name,
            }
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
            app(args=["train", f"{name}.yaml", *more], standalone_mode=False)
        (folder / "ensemble.yaml").write_text("members: [heads]\npessimism: worst-case\n")
        written = []
        for i in range(14):
            said = [" ".join(rng.choice(WORDS, 8)) for _ in range(9)]
            gold = [float(one.count("good") - one.count("bad") + rng.normal()) for one in said]
            written.append({"prompt": f"question {i}", "references": said, "gold": gold})
        lines = "".join(json.dumps(row) + "\n" for row in written)
        (folder / "samples.jsonl").write_text(lines)
        for row in written:
            del row["gold"]
        (folder / "plain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
    return folder


def best(*arguments):
    app(args=["best-of-n", *arguments, "--output", "report", "--overwrite"], standalone_mode=False)


def test_the_figures_are_those_of_the_rewards(made, monkeypatch, capsys):
    monkeypatch.chdir(made)
    best("reward", "--samples", "samples.jsonl")
    found = json.loads((made / "report" / "evaluation.json").read_text())
    curve = found["best_of_n"]
    assert (curve["n"], curve["seeds"], curve["prompts"]) == ([1, 2, 4, 8, 9], 3, 14)
    samples = read_samples("samples.jsonl")
    gold = [np.array(one.gold) for one in samples.written.values()]
    gains = []
    for k in range(3):
        rewards = sampled_rewards(load_scorer(f"reward/seed-{k}"), samples)
        values = np.array([best_of_n(r, g, [1, 4]) for r, g in zip(rewards, gold, strict=True)])
        gains.append((values[:, 1] - values[:, 0]).mean())
    unit = np.sqrt(np.mean([g.var(ddof=1) for g in gold]))
    assert curve["gold_gain"][2]["estimate"] == pytest.approx(np.mean(gains) / unit)
    assert curve["gold_gain"][2]["covers"] == "seeds and prompts"
    assert found["gold"] == "column"
    shown = capsys.readouterr().out
    assert "alpha" in shown
    assert "Best of n by reward" in (made / "report" / "report.html").read_text()


def test_a_stand_in_is_said_and_a_baseline_compared(made, monkeypatch, capsys):
    monkeypatch.chdir(made)
    best(
        *("ensemble.yaml", "--samples", "plain.jsonl"),
        *("--gold", "reward/seed-0", "--baseline", "heads"),
    )
    found = json.loads((made / "report" / "evaluation.json").read_text())
    assert found["gold"] == "reward/seed-0"
    assert len(found["gold_less_baseline"]) == len(found["best_of_n"]["n"])
    assert "reward/seed-0 stands in for the gold reward" in capsys.readouterr().out.replace(
        "\n", " "
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reward", "--samples", "plain.jsonl"], "14 of 14 prompts have no column"),
        (
            ["reward", "--samples", "plain.jsonl", "--gold", "reward"],
            "--gold takes one model; reward holds 3 seeds",
        ),
        (
            ["reward", "--samples", "samples.jsonl", "--baseline", "heads"],
            "a paired comparison needs the same seeds",
        ),
        (
            ["reward", "--samples", "samples.jsonl", "--baseline", "ensemble.yaml"],
            "reward holds the seeds 0, 1, 2 and the baseline one model without a seed",
        ),
        (
            ["reward", "--samples", "samples.jsonl", "--baseline", "reward"],
            "--baseline reward is the model itself",
        ),
    ],
)
def test_wrong_input(made, monkeypatch, arguments, words):
    monkeypatch.chdir(made)
    with pytest.raises(SurefootError, match=words):
        best(*arguments)


def test_a_short_gold_column_is_named(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps({"prompt": "p", "references": ["a", "b"], "gold": [1.0]}) + "\n")
    with pytest.raises(SurefootError, match=r"row 1: 'gold' holds a number for each of the 2"):
        read_samples(path)
