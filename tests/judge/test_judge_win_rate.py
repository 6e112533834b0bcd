"""Win rates by a judge at an endpoint: both orders, as `surefoot winrate` asks them."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import yaml
from judge_server import Endpoint, judging

from surefoot.cli.app import app
from surefoot.errors import SurefootError


@pytest.fixture
def contest(tmp_path, monkeypatch):
    """Two policies with known worth on 30 prompts, and a judge; runs the command."""
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    worth = np.random.default_rng(0).normal([0.8, 0.0], 1.0, (30, 2)).round(2)
    worth[0, 1] = worth[0, 0]  # the same text: not asked
    for side, name in enumerate(("a", "b")):
        rows = (
            {"prompt": f"question {i}", "references": [f"worth {worth[i, side]}"]}
            for i in range(30)
        )
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(text)

    def run(endpoint, *arguments, **options):
        options = {"base_url": endpoint.url, "model": "m", "key_variable": None, **options}
        (tmp_path / "judge.yaml").write_text(yaml.safe_dump(options))
        app(
            args=[
                "winrate", "--samples", str(tmp_path / "a.jsonl"),
                "--against", str(tmp_path / "b.jsonl"), "--judge", str(tmp_path / "judge.yaml"),
                "--output", str(tmp_path / "report"), "--overwrite", *arguments,
            ],
            standalone_mode=False,
        )  # fmt: skip
        return json.loads((tmp_path / "report" / "evaluation.json").read_text())["win_rate"]

    return worth, run


def test_a_fair_judge_in_both_orders(contest):
    worth, run = contest
    with Endpoint(judging()) as endpoint:
        found = run(endpoint, "--yes")
    gap = worth[:, 0] - worth[:, 1]
    assert (gap == 0).any()
    assert len(endpoint.bodies) == 2 * (gap != 0).sum()
    wins = np.where(gap == 0, 0.5, gap > 0)
    assert found["win_rate"]["estimate"] == pytest.approx(wins.mean())
    chances = 1 / (1 + np.exp(-gap))
    assert found["probability"]["estimate"] == pytest.approx(chances.mean(), abs=1e-6)
    assert found["position"]["estimate"] == pytest.approx(0.5)
    assert found["inconsistent"]["estimate"] == 0
    assert found["ties"]["estimate"] == pytest.approx((gap == 0).mean())


def test_a_judge_with_a_taste_for_the_first_place(contest):
    worth, run = contest
    with Endpoint(judging(bias=1.0)) as endpoint:
        found = run(endpoint, "--yes")
    gap = worth[:, 0] - worth[:, 1]
    first, second = gap > -1, gap > 1  # A wins, shown first and shown second
    assert found["position"]["estimate"] == pytest.approx(
        (np.where(gap == 0, 1, first + 1.0 - second) / 2).mean()
    )
    assert found["position"]["low"] > 0.5
    fair = ((gap > 0) + 0.5 * (gap == 0)).mean()
    assert found["win_rate"]["estimate"] == pytest.approx(fair)  # averaged over both orders


def test_what_got_no_judgment_is_left_out_and_told(contest, capsys):
    _, run = contest
    fair = judging()

    def behave(body, number):
        reply = fair(body, number)
        if "question 3\n" in body["messages"][0]["content"]:
            reply.body["choices"][0]["message"]["content"] = "I cannot say."
        return reply

    with Endpoint(behave) as endpoint:
        found = run(endpoint, "--yes", answer="text", on_error="skip")
    assert found["n"] == 29
    assert "1 comparisons got no judgment" in capsys.readouterr().err


def test_nothing_is_sent_unless_confirmed(contest, monkeypatch):
    import typer

    _, run = contest
    monkeypatch.setattr(typer, "confirm", lambda *given, **options: False)
    for somebody, message in ((True, "nothing was sent"), (False, "pass --yes")):
        monkeypatch.setattr(sys.stdin, "isatty", lambda: somebody, raising=False)  # noqa: B023
        with Endpoint(judging()) as endpoint, pytest.raises(SurefootError, match=message):
            run(endpoint)
        assert endpoint.bodies == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a list", "holds no judge"),
        ("kind: fitted", "holds no judge"),
        ("model: m", "base_url"),
        (": :", "is not valid YAML"),
    ],
)
def test_a_file_that_names_no_judge(contest, tmp_path, content, message):
    _, run = contest
    (tmp_path / "other.yaml").write_text(content)
    with Endpoint(judging()) as endpoint, pytest.raises(SurefootError, match=message):
        run(endpoint, "--judge", str(tmp_path / "other.yaml"))
