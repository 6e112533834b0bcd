"""`surefoot audit --model`, from a file and samples to a folder."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from surefoot.auditing.diagnostics import diagnostics
from surefoot.auditing.document import AuditDocument
from surefoot.auditing.judges import judge_diagnostics
from surefoot.auditing.models import model_diagnostics
from surefoot.cli import main

REWARDS = """
def length(prompts, responses):
    return [float(len(text)) for text in responses]

def short(prompts, responses):
    return [-float(len(text)) for text in responses]
"""


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["surefoot", "audit", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code or 0


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Labels that do not follow length, a reward that does, and what a policy wrote."""
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rewards.py").write_text(REWARDS)

    def text():
        return " ".join(["word"] * int(rng.integers(1, 40)))

    jsonl(
        tmp_path / "pairs.jsonl",
        [
            {
                "prompt": f"question {i}",
                "response_a": text(),
                "response_b": text(),
                "label": float(rng.random() < 0.5),
            }
            for i in range(1500)
        ],
    )
    jsonl(
        tmp_path / "written.jsonl",
        [{"prompt": f"question {i}", "references": [text() for _ in range(8)]} for i in range(60)],
    )
    return tmp_path


def test_a_reward_of_length_ends_in_a_page_that_says_so(monkeypatch, places, capsys):
    arguments = ["pairs.jsonl", "--model", "rewards.py:length", "--policy", "written.jsonl"]
    out = places / "audited"
    more = ["--gold", "rewards.py:short", "--output", out, "--fail-on", "found"]
    assert run(monkeypatch, *arguments, *more) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "found forecast: length" in said
    assert "found over-optimisation" in said
    assert "rewards.py:short" in said
    content = json.loads((out / "audit.json").read_text())
    AuditDocument.model_validate_json(json.dumps(content))
    by_name = {
        one["diagnostic"] + one["of"]: one["verdict"] for one in content["rewards"]["diagnoses"]
    }
    assert by_name["flat prompts"] == "not found"
    assert by_name["forecastlength"] == "found"
    assert by_name["over-optimisation"] == "found"
    assert any("members disagree" in line for line in content["rewards"]["lacking"])
    page = (out / "report.html").read_text()
    assert "under the policy" in page
    assert "What rewards say" in page


def test_without_a_policy_it_says_what_is_needed(monkeypatch, places, capsys):
    assert run(monkeypatch, "pairs.jsonl", "--model", "rewards.py:length") == 0
    assert "--policy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "written.jsonl"], "--policy goes with --model"),
        (["--model", "rewards.py:length", "--gold", "rewards.py:short"], "--gold goes with"),
        (["--model", "rewards.py:length", "--quick"], "--quick audits data"),
        (["--model", "rewards.py:length", "--judge-column", "x"], "give one"),
        (["--model", "rewards.py:length", "--fail-on", "error"], "is for rows"),
    ],
)
def test_flags_that_do_not_go_together(monkeypatch, places, capsys, arguments, message):
    assert run(monkeypatch, "pairs.jsonl", *arguments) != 0
    assert message in " ".join(capsys.readouterr().err.split())


def test_each_diagnostic_is_asked_of_one_subject():
    names = [{*of()} for of in (diagnostics, judge_diagnostics, model_diagnostics)]
    assert all(names)
    assert {one.threat for one in model_diagnostics().values()} == {"reward model"}
    assert not names[0] & names[2]
