"""Messages that a table writes as text."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.data import read_preferences
from surefoot.data.reading.cells import disguised_columns, in_clear, parsed_messages
from surefoot.data.sources.tables import Numbered

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
turns = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": texts},
        optional={"name": texts, "weight": st.floats(allow_nan=False, allow_infinity=False)},
    ),
    min_size=1,
    max_size=4,
)


@given(turns, st.sampled_from(["json", "python", "numpy", "numpy inside", "twice"]))
def test_messages_come_out_as_they_went_in(messages, writer):
    written = {
        "json": json.dumps(messages),
        "python": str(messages),
        "numpy": str(np.array(messages, dtype=object)),
        "numpy inside": repr(np.array(messages, dtype=object)),
        "twice": json.dumps(json.dumps(messages)),
    }[writer]
    assert parsed_messages(written) == messages
    assert parsed_messages(f"  {written}\n") == messages


@given(st.one_of(texts, st.sampled_from(["[1]", "{}", "[]", "[{}]", "[{'role': 'poet'}]", "[["])))
def test_other_texts_stay_texts(text):
    assert parsed_messages(text) is None


def test_a_column_is_judged_whole():
    told = str([{"role": "user", "content": "Tea?"}])
    rows = [{"all": told, "some": told, "none": "x"}, {"all": told, "some": "x", "none": None}]
    assert disguised_columns(rows) == {"all"}
    first, second = in_clear(Numbered(i, row) for i, row in enumerate(rows, start=1))
    messages = [{"role": "user", "content": "Tea?"}]
    assert first.record == {"all": messages, "some": told, "none": "x"}
    assert second.record == {"all": messages, "some": "x", "none": None}


@pytest.mark.parametrize("place", [0, 40, 99])
def test_a_damaged_cell_among_the_first_rows_does_not_make_the_others_text(place):
    told = str([{"role": "user", "content": "Tea?"}])
    rows = [{"prompt": told[:-2] if i == place else told} for i in range(120)]
    found = list(in_clear(Numbered(i, row) for i, row in enumerate(rows)))
    assert [row.row for row in found if row.record is None] == [place]
    assert found[1].record == {"prompt": [{"role": "user", "content": "Tea?"}]}


def test_a_later_row_that_holds_something_else_is_named():
    told = json.dumps([{"role": "user", "content": "Tea?"}])
    rows = [{"prompt": told}] * 150 + [{"prompt": "Tea?"}, {"prompt": None}]
    *_, damaged, empty = in_clear(Numbered(i, row) for i, row in enumerate(rows, start=1))
    assert (damaged.row, damaged.record) == (151, None)
    assert "'prompt' should hold messages as text" in damaged.reason
    assert empty.record == {"prompt": None}


@pytest.mark.parametrize("write", [json.dumps, str], ids=["json", "python"])
def test_tables_of_written_messages_are_read(tmp_path, write):
    def dialogue(answer):
        return write([{"role": "user", "content": "On tea?"}, {"role": "assistant", **answer}])

    good, bad = dialogue({"content": 'It\'s "fine".'}), dialogue({"content": "No.\n"})
    frame = pd.DataFrame({"chosen": [good], "rejected": [bad]})
    frame.to_csv(tmp_path / "pairs.csv", index=False)
    frame.to_json(tmp_path / "pairs.jsonl", orient="records", lines=True)
    for name in ("pairs.csv", "pairs.jsonl"):
        preferences = read_preferences(tmp_path / name)
        (row,) = preferences.read("prompt", "response_a", "response_b", "conversational")
        said = [[turn["content"] for turn in turns] for turns in row[:3]]
        assert said == [["On tea?"], ['It\'s "fine".'], ["No.\n"]]
        assert row[3] is True


def test_deep_and_long_texts_are_no_messages():
    assert parsed_messages("[" * 100_000 + "]" * 100_000) is None
    assert parsed_messages("[{'role': 'user', 'content': '" + "x" * 2_000_000 + "'}]") is None
