"""`surefoot evaluate` of what a policy writes: its value on logged pairs, and win rates."""

from __future__ import annotations

import json
import re

import pytest
import torch
import yaml
from language_models import byte_tokenizer, llama, pairs
from transformers import AutoModelForCausalLM, AutoTokenizer

from surefoot.cli.app import app
from surefoot.data import Preferences
from surefoot.errors import SurefootError
from surefoot.evaluation.policy_value import policy_value
from surefoot.scorers import load_scorer


@pytest.fixture(scope="module")
def made(tmp_path_factory, small_encoder, rows):
    """A language model, a policy trained from it, a reward model, and samples of both."""
    folder = tmp_path_factory.mktemp("policies")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        llama().save_pretrained("base")
        byte_tokenizer().save_pretrained("base")
        for name, content in (("pairs", pairs(40, source="s")), ("rows", rows(120, source="s"))):
            text = "".join(json.dumps(row) + "\n" for row in content)
            (folder / f"{name}.jsonl").write_text(text)
        configurations = {
            "policy": {
                "data": {"train": "pairs.jsonl"},
                "scorer": {
                    "kind": "policy",
                    "model": "base",
                    "max_length": 96,
                    "beta": 0.2,
                    "precision": "float32",
                },
                "training": {"max_steps": 3, "pairs_per_step": 8, "learning_rate": 1e-3},
            },
            "reward": {
                "data": {"train": "rows.jsonl"},
                "scorer": {"kind": "embedding", "encoder": small_encoder},
            },
        }
        for name, config in configurations.items():
            (folder / f"{name}.yaml").write_text(yaml.safe_dump({**config, "output": name}))
            app(args=["train", f"{name}.yaml"], standalone_mode=False)
        for model in ("policy", "base"):
            config = {
                "data": {"train": "pairs.jsonl", "damaged": "keep"},
                "reference": {
                    "kind": "language-model",
                    "model": model,
                    "pairs": 1,
                    "law": {"max_new_tokens": 12},
                },
                "check": False,
                "output": f"of-{model}",
            }
            (folder / "sample.yaml").write_text(yaml.safe_dump(config))
            app(args=["sample", "sample.yaml"], standalone_mode=False)
    return folder


@pytest.fixture
def surefoot(made, monkeypatch, tmp_path):
    monkeypatch.chdir(made)

    def run(*arguments):
        output = tmp_path / "report"
        app(args=[*arguments, "--output", str(output)], standalone_mode=False)
        page = (output / "report.html").read_text()
        return json.loads((output / "evaluation.json").read_text()), page

    return run


def log_probability(model, tokenizer, prompt, response):
    """Of a response with its end token, one sequence at a time."""
    joint = "" if prompt.endswith((" ", "\n")) else "\n\n"
    shared = len(tokenizer(prompt + joint)["input_ids"])  # a blank line is the prompt's
    ids = tokenizer(prompt + joint + response)["input_ids"] + [tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits.double()[0].log_softmax(-1)
    return sum(float(logits[i - 1, ids[i]]) for i in range(shared, len(ids)))


VALUE = ("--value", "--auxiliary", "reward", "--samples", "of-policy/references.jsonl")


@pytest.mark.slow
def test_the_value_of_a_policy(surefoot, made, capsys):
    found, page = surefoot("evaluate", "policy", "pairs.jsonl", *VALUE)
    shown = capsys.readouterr()
    value = found["results"]["pairs.jsonl"]["value"]
    assert "effective size" in shown.out
    assert "Value of the policy" in page
    assert value["verdict"] in shown.out
    assert all(point in shown.out for point in value["points"])

    # The same figures from the models themselves, record by record.
    tokenizer = AutoTokenizer.from_pretrained("base")
    models = [AutoModelForCausalLM.from_pretrained(name) for name in ("policy", "base")]
    records = [json.loads(line) for line in (made / "pairs.jsonl").read_text().splitlines()]
    samples = {}
    for line in (made / "of-policy" / "references.jsonl").read_text().splitlines()[1:]:
        one = json.loads(line)
        samples[one["prompt"][0]["content"]] = one["references"]
    judge = load_scorer("reward")

    def g(triples):
        rows = [
            {"prompt": p, "response_a": a, "response_b": b, "label": 0.5, "source": "s"}
            for p, a, b in triples
        ]
        return judge.probabilities(Preferences.from_rows(rows))

    logs, sampled = [], []
    for record in records:
        prompt, sides = record["prompt"], [record["response_a"], record["response_b"]]
        logs.append(
            [
                log_probability(models[0], tokenizer, prompt, side)
                - log_probability(models[1], tokenizer, prompt, side)
                for side in sides
            ]
        )
        first, second = samples[prompt]
        against = [(prompt, one, side) for side in sides for one in (first, second)]
        sampled.append(g(against).reshape(2, 2).mean(1))
    auxiliary = g([(r["prompt"], r["response_a"], r["response_b"]) for r in records])
    labels = [record["label"] for record in records]
    expected = policy_value(labels, auxiliary, sampled, logs).to_dict()
    for name in ("direct", "importance", "doubly_robust", "mean_ratio"):
        assert value[name]["estimate"] == pytest.approx(expected[name]["estimate"], rel=1e-4)
    assert value["effective"]["responses"] == pytest.approx(
        expected["effective"]["responses"], rel=1e-3
    )
    assert value["direct"]["n"] == 40


@pytest.mark.slow
def test_clipping_and_self_normalising_by_choice(surefoot):
    plain, _ = surefoot("evaluate", "policy", "pairs.jsonl", *VALUE)
    given = ("--clip", "0", "1.0001", "--self-normalise", "--overwrite")
    changed, page = surefoot("evaluate", "policy", "pairs.jsonl", *VALUE, *given)
    a, b = (found["results"]["pairs.jsonl"]["value"] for found in (plain, changed))
    assert b["clipped"]["lowered"] > 0 == a["clipped"]["lowered"]
    assert b["ratio"] == {"clip": [0.0, 1.0001], "self_normalise": True}
    assert b["effective"] == a["effective"]
    assert b["direct"] == a["direct"]
    assert "clipped to [0, 1.0001]" in page


@pytest.mark.slow
def test_a_win_rate_by_a_reward_model(surefoot, capsys):
    sides = ("--samples", "of-policy/references.jsonl", "--against", "of-base/references.jsonl")
    found, page = surefoot("evaluate", *sides, "--judge", "reward")
    rate = found["win_rate"]
    assert rate["n"] == 80
    assert rate["prompts"] == 40
    assert 0 < rate["win_rate"]["low"] < rate["win_rate"]["high"] < 1
    assert rate["position"] is None
    assert "at equal length" in capsys.readouterr().out
    assert "Win rate of A against B" in page
    turned = (sides[0], sides[3], sides[2], sides[1])
    other, _ = surefoot("evaluate", *turned, "--judge", "reward", "--overwrite")
    assert other["win_rate"]["win_rate"]["estimate"] == pytest.approx(
        1 - rate["win_rate"]["estimate"]
    )


@pytest.mark.slow
def test_seeds_and_their_mismatch(surefoot):
    a, b = "of-policy/references.jsonl", "of-base/references.jsonl"
    three = ("--samples", a, "--samples", b, "--samples", a)
    found, _ = surefoot("evaluate", *three, "--against", b, "--judge", "reward")
    assert found["win_rate"]["seeds"] == 3
    assert "seeds" in found["win_rate"]["win_rate"]["covers"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "y", "--value"], "needs --auxiliary"),
        (
            ["--samples", "s", "--against", "t", "--judge", "r", "--column", "prompt=q"],
            "--column has no effect on a win rate",
        ),
        (
            ["--samples", "s", "--against", "t", "--judge", "r", "--reference", "m"],
            "--reference has no effect on a win rate",
        ),
        (["x", "y", "--value", "--auxiliary", "r"], r"0 file\(s\) of samples"),
        (["x", "y", "--samples", "s"], "--samples has no effect without --value or --judge"),
        (["x", "y", "--clip", "0", "5"], "--clip has no effect without --value"),
        (["x", "y", "--against", "s"], "--against has no effect without --judge"),
        (["--samples", "s", "--judge", "r"], "needs --samples .* --against"),
        (["x", "y", "--judge", "r", "--samples", "s", "--against", "t"], "alone"),
        (["x"], "takes a model and data"),
        ([], "takes a model and data"),
        (["x", "y", "--value", "--judge", "r"], "one at a time"),
        (
            ["--samples", "a", *("--against", "b") * 2, "--judge", "r"],
            "1 file.* as many, or one for all",
        ),
    ],
)
def test_options_that_do_not_go_together(tmp_path, arguments, message):
    output = ["--output", str(tmp_path / "x")]
    with pytest.raises(SurefootError, match=re.compile(message, re.DOTALL)):
        app(args=["evaluate", *arguments, *output], standalone_mode=False)
