"""Results are written before they are drawn, as strict JSON; what is no number ends in an error.

Diverged models are made by scores that are not finite.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import yaml
from encoders import WORDS
from hypothesis import given
from hypothesis import strategies as st

from surefoot.cli import results
from surefoot.cli.app import app
from surefoot.errors import DataError, SurefootError
from surefoot.evaluation.pairs.metrics import EvaluationResult
from surefoot.runs import claim
from surefoot.scorers.embeddings.reward_model import EmbeddingRewardModel
from surefoot.statistics.estimate import finite_only


@pytest.fixture(scope="module")
def made(tmp_path_factory, small_encoder, rows):
    """A reward model, test pairs, and samples of two policies with gold rewards."""
    folder = tmp_path_factory.mktemp("kept")
    for name, n, seed in (("train", 120, 1), ("test", 60, 2)):
        text = "".join(json.dumps(row) + "\n" for row in rows(n, seed=seed, source="s"))
        (folder / f"{name}.jsonl").write_text(text)
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        written = [
            {
                "prompt": f"question {i}",
                "references": [" ".join(rng.choice(WORDS, 8)) for _ in range(8)],
                "gold": [float(k) for k in range(8)],
            }
            for i in range(12)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in written))
    config = {
        "data": {"train": "train.jsonl"},
        "scorer": {"kind": "embedding", "encoder": small_encoder},
        "output": "model",
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        app(args=["train", "model.yaml"], standalone_mode=False)
    return folder


COMMANDS = {
    "evaluate": ("evaluate", "model", "test.jsonl"),
    "win rate": ("winrate", "--samples", "a.jsonl", "--against", "b.jsonl", "--judge", "model"),
    "best of n": ("best-of-n", "model", "--samples", "a.jsonl"),
}
PAGES = ("evaluation_page", "win_rate_page", "best_of_n_page")


def run(*arguments):
    app(args=[*arguments, "--output", "report", "--overwrite"], standalone_mode=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_failure_in_drawing_loses_no_figure(made, monkeypatch, name):
    monkeypatch.chdir(made)

    def fails(*_, **__):
        raise RuntimeError("no space on the screen")

    for module in ("evaluate", "winrate", "best_of_n"):
        monkeypatch.setattr(f"surefoot.cli.{module}.table", fails)
    with pytest.raises(RuntimeError, match="no space"):
        run(*COMMANDS[name])
    assert json.loads((made / "report" / "evaluation.json").read_text())["schema_version"] == 1


@pytest.mark.parametrize(("name", "page"), zip(COMMANDS, PAGES, strict=True))
def test_a_failure_in_the_page_loses_no_figure(made, monkeypatch, name, page):
    monkeypatch.chdir(made)

    def fails(*_, **__):
        raise RuntimeError("no such font")

    monkeypatch.setattr(f"surefoot.report.{page}", fails)
    with pytest.raises(RuntimeError, match="no such font"):
        run(*COMMANDS[name])
    assert json.loads((made / "report" / "evaluation.json").read_text())["schema_version"] == 1


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_scores_that_are_not_finite_end_in_an_error(made, monkeypatch, name, broken):
    monkeypatch.chdir(made)
    scores = EmbeddingRewardModel.member_scores

    def diverged(model, preferences):
        found = scores(model, preferences)
        found[3] = broken
        return found

    monkeypatch.setattr(EmbeddingRewardModel, "member_scores", diverged)
    with pytest.raises(SurefootError, match=r"finite|no number"):
        run(*COMMANDS[name])


def test_scores_that_are_not_finite_are_null_and_counted(made, monkeypatch):
    monkeypatch.chdir(made)
    scores = EmbeddingRewardModel.member_scores

    def diverged(model, preferences):
        found = scores(model, preferences)
        found[3:5] = math.nan
        return found

    monkeypatch.setattr(EmbeddingRewardModel, "member_scores", diverged)
    with pytest.raises(DataError, match="no finite score to 2 of 60 pairs"):
        app(
            args=["score", "model", "test.jsonl", "--output", "s.jsonl", "--overwrite"],
            standalone_mode=False,
        )
    read = [json.loads(line) for line in (made / "s.jsonl").read_text().splitlines()]
    assert len(read) == 60
    assert [i for i, row in enumerate(read) if row["reward_a"] is None] == [3, 4]


def test_an_infinite_figure_is_written_as_null_and_ends_in_an_error(made, monkeypatch):
    """Whatever it is that makes it infinite: here the log-loss itself."""
    monkeypatch.chdir(made)
    to_dict = EvaluationResult.to_dict

    def odd(result):
        return to_dict(result) | {"log_loss": {"estimate": math.inf, "low": 0.1, "high": math.nan}}

    monkeypatch.setattr(EvaluationResult, "to_dict", odd)
    with pytest.raises(DataError, match=r"log_loss\.estimate.*log_loss\.high.* null"):
        run(*COMMANDS["evaluate"])
    content = json.loads((made / "report" / "evaluation.json").read_text())
    assert content["results"]["test.jsonl"]["log_loss"] == {
        "estimate": None,
        "low": 0.1,
        "high": None,
    }
    assert (made / "report" / "report.html").exists()


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
CONTENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(CONTENTS)
def test_any_result_is_strict_json(content):
    kept, lost = finite_only(content)
    text = json.dumps(kept, allow_nan=False)
    odd = json.dumps(content)
    assert bool(lost) == ("NaN" in _values(odd) or "Infinity" in _values(odd))
    if not lost:
        assert json.loads(text) == json.loads(odd)


def _values(text):
    """JSON without its strings."""
    return "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])


def test_where_it_was_is_said(tmp_path):
    with claim(tmp_path / "out", "evaluate", overwrite=False, reads=[]) as folder:
        content = {"x.json": {"a": [1.0, np.float64("nan")], "b": {"c": math.inf}}, "y": "text"}
        lost = results.write(folder, content)
    assert lost == ["x.json: a.1", "x.json: b.c"]
    assert json.loads((tmp_path / "out" / "x.json").read_text()) == {
        "a": [1.0, None],
        "b": {"c": None},
    }
    shown = []
    with (
        pytest.raises(DataError, match=r"n\.json: a\.1, evaluation\.json: b\.c came out"),
        claim(tmp_path / "report", "evaluate", overwrite=False, reads=[]) as folder,
    ):
        results.publish(folder, content["x.json"], str, lambda: shown.append("drawn"))
    assert shown == ["drawn"]
