"""A reward by a function of Python, by module or by file, from the command line too."""

from __future__ import annotations

import json

import numpy as np
import pytest

from surefoot.cli.app import app
from surefoot.data import Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.scorers import load_scorer
from surefoot.scorers.function import RewardFunction

ROWS = [{"prompt": f"p{i}", "chosen": "long " * (i + 1), "rejected": "short"} for i in range(1, 30)]
CODE = """
def length(prompts, responses):
    return [len(one) for one in responses]

def turns(prompts, responses):
    return [len(prompt) + 10 * len(one) for prompt, one in zip(prompts, responses)]
"""


@pytest.fixture
def rewards(tmp_path):
    path = tmp_path / "rewards.py"
    path.write_text(CODE)
    return path


def test_a_file_of_rewards_is_evaluated_by_the_command(rewards, tmp_path, capsys):
    data = tmp_path / "pairs.jsonl"
    data.write_text("\n".join(map(json.dumps, ROWS)))
    app(["evaluate", f"{rewards}:length", str(data)], standalone_mode=False)
    assert "1.000" in capsys.readouterr().out


def test_texts_are_handed_over_as_texts_and_conversations_as_messages(rewards):
    model = load_scorer(f"{rewards}:turns")
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    asked = [*said, {"role": "user", "content": "Bye"}]
    row = {"prompt": asked, "chosen": [said[1]], "rejected": [said[1], *asked]}
    data = Preferences.from_rows([{"label": 1.0, **_as_pair(row)}], "pairs")
    assert model.rewards(data).tolist() == [[13.0, 43.0]]
    text = Preferences.from_rows(
        [{"prompt": "abc", "response_a": "d", "response_b": "ef", "label": 1.0}], "pairs"
    )
    assert model.rewards(text).tolist() == [[13.0, 23.0]]


def _as_pair(row):
    return {"prompt": row["prompt"], "response_a": row["chosen"], "response_b": row["rejected"]}


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("nowhere.at_all:length", "nowhere.at_all cannot be imported"),
        ("nowhere.py:length", "there is no file nowhere.py"),
        ("json:lenght", "json has no function 'lenght'; it has"),
    ],
)
def test_what_is_not_there_is_named(place, says):
    with pytest.raises(ConfigurationError, match=says):
        load_scorer(place)


@pytest.mark.parametrize(
    ("reward", "says"),
    [
        (lambda p, r: [1.0], "gave 1 numbers for 58 responses"),
        (lambda p, r: [None] * len(r), "gave None for the response 'long long '"),
        (lambda p, r: np.full(len(r), np.inf), "should be a finite number"),
        (lambda p, r: 1 / 0, "failed on pairs: ZeroDivisionError"),
    ],
)
def test_what_a_function_does_wrong_is_said(reward, says):
    rows = [
        {"prompt": r["prompt"], "response_a": r["chosen"], "response_b": r["rejected"]}
        for r in ROWS
    ]
    data = Preferences.from_rows([{**row, "label": 1.0} for row in rows], "pairs")
    with pytest.raises(DataError, match=says):
        RewardFunction(reward, "mine").rewards(data)
