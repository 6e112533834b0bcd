"""`surefoot audit --judge-column` and `--judge`, from a file to a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from judge_server import Endpoint, Reply, completion
from realdata import real_data

from surefoot.auditing.document import AuditDocument
from surefoot.auditing.judges.logged import judge_in, verdicts_of
from surefoot.cli import main
from surefoot.data import read_preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.training import RunConfig


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["surefoot", "audit", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code or 0


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(n=300, labelled=150, right=0.8, flips=0.0):
    rng = np.random.default_rng(0)
    for i in range(n):
        truth = rng.random() < 0.5
        says = truth if rng.random() < right else not truth
        turned = not says if rng.random() < flips else says
        yield {
            "prompt": f"question {i}",
            "response_a": f"one {i}",
            "response_b": f"another {i} of them",
            "label": float(truth) if i < labelled else None,
            "judge": "ab"[not says],
            "turned": "ab"[not turned],
        }


@pytest.fixture
def file(tmp_path):
    return written(tmp_path / "pairs.jsonl", rows())


def test_a_good_judge_ends_in_a_folder_that_trains(monkeypatch, tmp_path, file, capsys):
    out = tmp_path / "judged"
    assert run(monkeypatch, file, "--judge-column", "judge", "--output", out) == 0
    content = json.loads((out / "audit.json").read_text())
    AuditDocument.model_validate_json(json.dumps(content))
    by_name = {one["diagnostic"]: one for one in content["verdicts"]["diagnoses"]}
    size = by_name["accuracy"]["size"]
    assert size["low"] < 0.8 < size["high"]
    assert "Verdicts:" in capsys.readouterr().out
    page = (out / "report.html").read_text()
    assert "What verdicts say" in page
    assert "damage" not in page.lower()
    assert "Train plainly" not in page
    asked = [json.loads(line) for line in (out / "label-next.jsonl").read_text().splitlines()]
    assert len(asked) == 150
    assert {one["row"] for one in asked} == set(range(151, 301))
    trained = read_preferences(out / "auxiliary.jsonl")
    assert len(trained) == 300
    assert np.isfinite(trained.numbers("auxiliary")).all()
    labels, known = trained.labels, trained.numbers("auxiliary")
    assert set(labels[:150]) == {0.0, 1.0}
    assert (labels[150:] == known[150:]).all()  # no ties that nobody saw
    assert not trained.has("votes")  # although people who vote are called `judge`, too
    config = RunConfig.read(out / "auxiliary.yaml")
    assert config.objective.labels.kind == "conditional-expectation"
    assert Path(config.data.train[0]) == out / "auxiliary.jsonl"


def test_both_orders_are_read(monkeypatch, tmp_path, capsys):
    file = written(tmp_path / "pairs.jsonl", rows(flips=0.5))
    flags = ["--judge-column", "judge", "--judge-column-turned", "turned"]
    assert run(monkeypatch, file, *flags, "--fail-on", "found") == 1
    assert "found order flips" in capsys.readouterr().out


def test_chosen_first_is_turned_by_the_names_of_responses(tmp_path):
    path = written(
        tmp_path / "pairs.jsonl",
        [
            {"prompt": f"p{i}", "chosen": f"x{i}", "rejected": f"y{i}", "judge": name}
            for i, name in enumerate(["chosen", "rejected"] * 10)
        ],
    )
    pairs = read_preferences(path, unlabelled=True)
    lines, found = verdicts_of([str(path)], "judge", pairs, {})
    assert found.tolist() == [1.0, 0.0] * 10
    assert any("judge" in line for line in lines)


def test_codings_of_the_judge_are_the_users(tmp_path, file):
    numbers = [row | {"judge": "12"[row["judge"] == "b"]} for row in rows()]
    path = written(tmp_path / "coded.jsonl", numbers)
    pairs = read_preferences(path, unlabelled=True)
    words = verdicts_of([str(file)], "judge", pairs_of(file), {})[1]
    coded = verdicts_of([str(path)], "judge", pairs, {"codings": {"judge": "first-is-1"}})[1]
    assert (coded == words).all()


def pairs_of(file):
    return read_preferences(file, unlabelled=True)


def test_a_column_that_is_not_there_is_named(file):
    with pytest.raises(DataError, match="gpt5"):
        verdicts_of([str(file)], "gpt5", pairs_of(file), {})


@pytest.mark.parametrize(
    ("value", "said"), [("banana", "--coding 'judge=banana:"), (None, "no row has a value")]
)
def test_a_column_without_verdicts_is_refused_with_what_to_do(tmp_path, value, said):
    path = written(tmp_path / "pairs.jsonl", [row | {"judge": value} for row in rows(30, 30)])
    pairs = read_preferences(path, columns={"judge": ""}, unlabelled=True)
    with pytest.raises(DataError, match="holds no verdicts") as refused:
        verdicts_of([str(path)], "judge", pairs, {"columns": {"judge": ""}})
    assert said in str(refused.value)


def test_rows_without_a_verdict_have_none(tmp_path):
    given = [row | {"judge": None if i % 3 else "a"} for i, row in enumerate(rows(60, 60))]
    path = written(tmp_path / "pairs.jsonl", given)
    found = verdicts_of([str(path)], "judge", pairs_of(path), {})[1]
    assert np.isnan(found).sum() == 40


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--judge-name", "x"], "goes with --judge or --judge-column"),
        (["--judge-column-turned", "turned"], "go with --judge-column"),
        (["--judge-column", "judge", "--quick"], "--quick audits data"),
        (["--judge-column", "judge", "--yes"], "--yes goes with --judge"),
        (["--judge-column", "judge", "--judge", __file__], "give one"),
        (["--judge-column", "judge", "--fail-on", "error"], "for rows"),
    ],
)
def test_flags_that_do_not_go_together(monkeypatch, file, capsys, flags, said):
    assert run(monkeypatch, file, *flags) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_judge_is_asked_in_both_orders(monkeypatch, tmp_path, capsys):
    """One that always answers A: every verdict flips with the order, and that is said."""
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    file = written(tmp_path / "pairs.jsonl", rows(60, 0))
    with Endpoint(lambda request, number: Reply(completion("A"))) as endpoint:
        judge = {"base_url": endpoint.url, "model": "weak", "key_variable": None, "answer": "text"}
        path = tmp_path / "judge.yaml"
        path.write_text(yaml.safe_dump({"auxiliary": {"kind": "judge", **judge}, "output": "x"}))
        assert run(monkeypatch, file, "--judge", path, "--yes") == 0
        assert len(endpoint.bodies) == 120
    said = " ".join(capsys.readouterr().out.split())
    assert "Do not rely on this judge: it says nothing." in said


def test_what_is_no_judge_is_refused(tmp_path):
    path = tmp_path / "judge.yaml"
    path.write_text("modle: x\nbase_url: http://localhost:1/v1\n")
    with pytest.raises(ConfigurationError, match="did you mean 'model'"):
        judge_in(path)
    path.write_text("kind: fitted\n")
    with pytest.raises(ConfigurationError, match="no judge"):
        judge_in(path)


def test_gpt3_takes_the_first_on_llmfao(monkeypatch, capsys):
    """It says a in 69.5 % of its decisions, where people do in 53.3 %."""
    file = real_data("llmfao/pairs.jsonl.gz")
    assert run(monkeypatch, file, "--judge-column", "gpt3", "--fail-on", "found") == 1
    assert "found slot preference" in capsys.readouterr().out


def test_one_column_is_not_two_runs(monkeypatch, file, capsys):
    both = ("--judge-column", "judge", "--judge-column-turned", "judge")
    assert run(monkeypatch, file, *both) == 2
    assert "never wavers" in capsys.readouterr().err
