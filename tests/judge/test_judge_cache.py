"""Answers of a judge on disk: known by all they depend on, and kept whatever happens."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import nullcontext

import numpy as np
import pytest
from judge_server import KEY, Endpoint, Reply, judging, options, own_cache, pairs, true_chances, yes

from surefoot.data import Preferences
from surefoot.errors import SurefootError
from surefoot.judge import Judge, judge_pairs
from surefoot.judge.question import TEMPLATE

__all__ = ["own_cache"]  # a fixture that every test here uses


def test_a_second_run_asks_nothing_and_needs_no_key_nor_confirmation(monkeypatch):
    data = pairs(10)
    with Endpoint(judging()) as endpoint:
        first = judge_pairs(options(endpoint), data, proceed=yes)
    monkeypatch.delenv(KEY)
    again = judge_pairs(options(endpoint), data, proceed=lambda cost: pytest.fail("asked"))
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert (again.requests, again.cached, again.tokens_in) == (0, 20, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"answer": "text"},
        {"max_tokens": 9},
        {"extra": {"seed": 1}},
        {"top_logprobs": 5},
        {"max_characters": 100, "long": True},
        {"template": True},
    ],
)
def test_answers_are_known_by_all_they_depend_on(change, tmp_path):
    change = dict(change)
    data = pairs(2)
    if change.pop("long", False):
        rows = (
            {"prompt": "q" * 200, "response_a": f"worth {i}", "response_b": "worth 0"}
            for i in (1, 2)
        )
        data = Preferences.from_rows({**row, "label": 1} for row in rows)
    if "template" in change:
        change["template"] = str(tmp_path / "question.jinja")
        (tmp_path / "question.jinja").write_text(TEMPLATE.replace("Compare", "Weigh"))
    with Endpoint(judging()) as endpoint:
        judge_pairs(options(endpoint), data, proceed=yes)
        other = judge_pairs(options(endpoint, **change), data, proceed=yes)
        assert (other.requests, other.cached) == (4, 0)
        free = {"concurrency": 1, "retries": 0, "timeout": 5, "price_in": 1, "price_out": 1}
        same = judge_pairs(options(endpoint, **change, **free), data, proceed=yes)
    assert (same.requests, same.cached) == (0, 4)


@pytest.fixture
def interruptible():
    """A process that was started in the background ignores Ctrl-C, and so do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_what_was_answered_before_an_interruption_is_kept():
    behave = judging(delay=0.05)

    def interrupting(body: dict, number: int) -> Reply:
        if number == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return behave(body, number)

    said = []
    with Endpoint(interrupting) as endpoint:
        judge = options(endpoint, concurrency=4)
        with pytest.raises(KeyboardInterrupt):
            judge_pairs(judge, pairs(20), proceed=yes, say=said.append)
        asked = endpoint.answered
        assert 8 <= asked <= 12
        assert "are kept" in said[-1]
        result = judge_pairs(judge, pairs(20), proceed=yes)
    assert (result.cached, result.requests) == (asked, 40 - asked)
    np.testing.assert_allclose(result.probabilities, true_chances(pairs(20)))


PROGRAM = """
import json, sys
from surefoot.judge import Judge, judge_pairs
from surefoot.data import read_preferences

judge, data = Judge.parse(json.loads(sys.argv[1])), read_preferences(sys.argv[2])
judge_pairs(judge, data, proceed=lambda cost: True)
"""


@pytest.mark.slow
def test_after_a_kill_nothing_known_is_asked_again(tmp_path):
    data = pairs(30)
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        "".join(
            json.dumps({"prompt": p[0]["content"], "response_a": a[0]["content"],
                        "response_b": b[0]["content"], "label": 0.5}) + "\n"
            for p, a, b in data.read("prompt", "response_a", "response_b")
        )
    )  # fmt: skip
    with Endpoint(judging(delay=0.05)) as endpoint:
        judge = options(endpoint, concurrency=4)
        command = [sys.executable, "-c", PROGRAM, judge.model_dump_json(), str(path)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while endpoint.answered < 20 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
        process.wait()
        time.sleep(0.2)  # what was under way reaches its end
        before = len(endpoint.bodies)
        assert 20 <= before < 60
        result = judge_pairs(judge, data, proceed=yes)
    assert result.requests + result.cached == 60
    assert before - 2 * 4 <= result.cached <= before
    assert len(endpoint.bodies) == before + result.requests
    np.testing.assert_allclose(result.probabilities, true_chances(data))


def test_a_broken_cache_is_named(tmp_path):
    folder = tmp_path / "cache" / "judge"
    folder.mkdir(parents=True)
    (folder / "answers.sqlite").write_text("no database " * 100)
    with pytest.raises(SurefootError, match=r"answers\.sqlite cannot be used"):
        judge_pairs(Judge(base_url="http://h/v1", model="m"), pairs(1), proceed=yes)


ALTER = {
    "a probability": "UPDATE answers SET probability = 1 - probability WHERE key = ?",
    "one out of range": "UPDATE answers SET probability = 7 WHERE key = ?",
    "a refusal made of an answer": "UPDATE answers SET probability = NULL WHERE key = ?",
    "tokens": "UPDATE answers SET tokens_in = tokens_in + 1 WHERE key = ?",
    "no text at all": "UPDATE answers SET text = CAST(x'ff' AS TEXT) WHERE key = ?",
    "the key": "UPDATE answers SET key = x'00' WHERE key = ?",
}


@pytest.mark.parametrize("change", ALTER)
def test_an_answer_that_was_damaged_on_disk_is_asked_again(tmp_path, change):
    data = pairs(3)
    with Endpoint(judging()) as endpoint:
        first = judge_pairs(options(endpoint), data, proceed=yes)
        (file,) = tmp_path.rglob("answers.sqlite")
        with sqlite3.connect(file) as database:
            (key, *_), *_ = database.execute("SELECT key FROM answers").fetchall()
            database.execute(ALTER[change], (key,))
        quiet = change == "the key"  # of a question that nobody asked
        told = nullcontext() if quiet else pytest.warns(UserWarning, match=r"1 answer\(s\) in ")
        with told:
            again = judge_pairs(options(endpoint), data, proceed=yes)
    assert (again.requests, again.cached) == (1, 5)
    np.testing.assert_array_equal(first.probabilities, again.probabilities)


def test_answers_of_a_version_without_hashes_are_known(tmp_path):
    data = pairs(3)
    with Endpoint(judging()) as endpoint:
        judge_pairs(options(endpoint), data, proceed=yes)
        (file,) = tmp_path.rglob("answers.sqlite")
        with sqlite3.connect(file) as database:
            database.execute("ALTER TABLE answers DROP COLUMN digest")
        again = judge_pairs(options(endpoint), data, proceed=lambda cost: pytest.fail("asked"))
    assert again.cached == 6
