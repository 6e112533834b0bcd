"""`surefoot value` and `surefoot winrate`: a policy on logged pairs, and beside another."""

from __future__ import annotations

import json
import sys

import pytest
import torch
import yaml
from language_models import byte_tokenizer, llama, pairs
from transformers import AutoModelForCausalLM, AutoTokenizer

from surefoot.cli import main
from surefoot.cli.app import app
from surefoot.data import Preferences
from surefoot.evaluation.policies.value import policy_value
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


VALUE = ("--auxiliary", "reward", "--samples", "of-policy/references.jsonl")


@pytest.mark.slow
def test_the_value_of_a_policy(surefoot, made, capsys):
    found, page = surefoot("value", "policy", "pairs.jsonl", *VALUE)
    shown = capsys.readouterr()
    value = found["results"]["pairs.jsonl"]
    assert "effective size" in shown.out
    assert "Value of policy" in page
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
    plain, _ = surefoot("value", "policy", "pairs.jsonl", *VALUE)
    given = ("--clip", "0", "1.0001", "--self-normalise", "--overwrite")
    changed, page = surefoot("value", "policy", "pairs.jsonl", *VALUE, *given)
    a, b = (found["results"]["pairs.jsonl"] for found in (plain, changed))
    assert b["clipped"]["lowered"] > 0 == a["clipped"]["lowered"]
    assert b["ratio"] == {"clip": [0.0, 1.0001], "self_normalise": True}
    assert b["effective"] == a["effective"]
    assert b["direct"] == a["direct"]
    assert "clipped to [0, 1.0001]" in page


@pytest.mark.slow
def test_a_win_rate_by_a_reward_model(surefoot, capsys):
    sides = ("--samples", "of-policy/references.jsonl", "--against", "of-base/references.jsonl")
    found, page = surefoot("winrate", *sides, "--judge", "reward")
    rate = found["win_rate"]
    assert rate["n"] == 80
    assert rate["prompts"] == 40
    assert 0 < rate["win_rate"]["low"] < rate["win_rate"]["high"] < 1
    assert rate["position"] is None
    assert "at equal length" in capsys.readouterr().out
    assert "Win rate of A against B" in page
    turned = (sides[0], sides[3], sides[2], sides[1])
    other, _ = surefoot("winrate", *turned, "--judge", "reward", "--overwrite")
    assert other["win_rate"]["win_rate"]["estimate"] == pytest.approx(
        1 - rate["win_rate"]["estimate"]
    )


@pytest.mark.slow
def test_seeds_and_their_mismatch(surefoot):
    a, b = "of-policy/references.jsonl", "of-base/references.jsonl"
    three = ("--samples", a, "--samples", b, "--samples", a)
    found, _ = surefoot("winrate", *three, "--against", b, "--judge", "reward")
    assert found["win_rate"]["seeds"] == 3
    assert "seeds" in found["win_rate"]["win_rate"]["covers"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            ["p", "d", "--value", "--auxiliary", "r", "--samples", "s"],
            "--value is not of `surefoot evaluate`, but of `surefoot value`: "
            "surefoot value p d --auxiliary r --samples s --output o",
        ),
        (
            ["--samples", "a b", "--against", "b", "--judge", "r"],
            "surefoot winrate --samples 'a b' --against b --judge r --output o",
        ),
        (["m", "--best-of-n", "--samples=s"], "surefoot best-of-n m --samples=s --output o"),
        (["m", "d", "--clip", "0", "5"], "of `surefoot value`"),
        (["m", "--gold", "g"], "of `surefoot best-of-n`"),
        (["m", "d", "--yes"], "of `surefoot winrate`"),
        (["m", "d", "--samples", "s"], "of `surefoot value, best-of-n or winrate`"),
        (["m", "d", "--self-normalise"], "of `surefoot value`"),
    ],
)
def test_spellings_of_before_name_the_command_of_now(monkeypatch, capsys, given, says):
    monkeypatch.setattr(sys, "argv", ["surefoot", "evaluate", *given, "--output", "o"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert says in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["value", "x", "y", "--samples", "s"], "Missing option '--auxiliary'"),
        (["value", "x", "--auxiliary", "r", "--samples", "s"], "Missing argument 'data'"),
        (["winrate", "--samples", "s", "--judge", "r"], "Missing option '--against'"),
        (
            ["winrate", "--samples", "s", "--against", "t", "--judge", "r", "--column", "p=q"],
            "--column",
        ),
        (
            ["winrate", "--samples", "a", *("--against", "b") * 2, "--judge", "r"],
            "names 1 file(s), one for each seed, and --against 2: as many, or one for all",
        ),
        (
            [
                "winrate",
                *("--samples", "s", "--against", "t", "--judge", "r", "--tie-tolerance", "1"),
            ],
            "--tie-tolerance of a win rate is below 1/2; got 1",
        ),
        (["best-of-n", "x"], "Missing option '--samples'"),
        (["evaluate", "x"], "Missing argument 'data'"),
    ],
)
def test_what_a_command_lacks_is_named(tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    for name in "abrst":
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "argv", ["surefoot", *arguments, "--output", "o"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert says.casefold() in capsys.readouterr().err.casefold()
