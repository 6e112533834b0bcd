"""Turns that say more than their content: tool calls, reasoning, names."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from surefoot.data import read_preferences
from surefoot.data.schema import Preferences
from surefoot.data.text import CARRIED_KEYS, said, to_messages, to_text, with_extra
from surefoot.data.writing import write_preferences

CALL = [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}]


@pytest.mark.parametrize("key", CARRIED_KEYS)
@pytest.mark.parametrize("content", ["", None, "One moment."])
def test_every_carried_key_is_said_and_given_back(key, content):
    turn = {"role": "assistant", "content": content, key: CALL}
    (message,) = to_messages([turn], "assistant")
    assert with_extra(message) == turn | {"content": content or ""}
    assert to_messages([message], "user") == [message]  # whatever is converted twice stays
    assert "Oslo" in said(message)
    assert "Oslo" in to_text([message])


def test_the_order_of_keys_makes_no_difference():
    one, other = (
        {"role": "assistant", "content": "", "tool_calls": [c]}
        for c in (
            {"name": "f", "arguments": {"a": 1, "b": 2}},
            {"arguments": {"b": 2, "a": 1}, "name": "f"},
        )
    )
    assert to_messages([one], "assistant") == to_messages([other], "assistant")


def test_tools_and_calls_survive_writing_and_reading(tmp_path):
    tools = [{"type": "function", "function": {"name": "weather"}}]
    row = {
        "prompt": [{"role": "user", "content": "Rain?"}],
        "response_a": [{"role": "assistant", "content": "", "tool_calls": CALL}],
        "response_b": [{"role": "assistant", "content": "No.", "reasoning_content": "Dry."}],
        "label": 1.0,
        "tools": tools,
        "template_arguments": {"enable_thinking": False},
        "references": [[{"role": "assistant", "content": "", "tool_calls": CALL}], "Perhaps."],
    }
    once = Preferences.from_rows([row])
    write_preferences(once, tmp_path / "pairs.jsonl")
    twice = read_preferences(tmp_path / "pairs.jsonl")
    names = ("prompt", "response_a", "response_b", "tools", "template_arguments", "references")
    assert next(iter(twice.read(*names))) == next(iter(once.read(*names)))
    assert json.loads(twice.strings("tools")[0]) == tools


def test_calls_of_different_tools_in_one_table_keep_to_their_own_arguments(tmp_path):
    def call(**arguments):
        return {"role": "assistant", "content": "", "tool_calls": [{"arguments": arguments}]}

    rows = [
        {"prompt": "p", "chosen": [call(city="Oslo")], "rejected": [call(day=1)]},
        {"prompt": "q", "chosen": [{"role": "assistant", "content": "x"}], "rejected": [call(n=2)]},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "calls.parquet")
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    both = [read_preferences(tmp_path / name) for name in ("calls.parquet", "calls.jsonl")]
    columns = [list(one.read("prompt", "response_a", "response_b")) for one in both]
    assert columns[0] == columns[1]
    assert with_extra(columns[0][0][1][0]) == call(city="Oslo")


@pytest.mark.parametrize("extra", ["loud", 3, {"a": 1}, "[1]", '{"a": 1}', None])
def test_a_key_of_the_data_that_is_named_extra_is_left_alone(extra):
    (message,) = to_messages([{"role": "user", "content": "p", "extra": extra}], "user")
    assert message == {"role": "user", "content": "p"}
