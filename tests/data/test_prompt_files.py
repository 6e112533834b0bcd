"""Files of prompts alone: what cannot be used is counted and named, or fatal."""

from __future__ import annotations

import pytest

from surefoot.data.prompts import left_out, read_prompts
from surefoot.errors import DataError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "one"}\nnot JSON\n{"prompt": ""}\n{"prompt": "two"}\n')
    return path


def test_rows_that_cannot_be_used_are_counted_and_named(path):
    prompts, alone = read_prompts([str(path)], max_unusable=1)
    assert alone
    assert len(prompts) == 2
    assert [fault.row for fault in prompts.faults] == [2, 3]
    told = left_out(prompts)
    assert "2 row(s) could not be used" in told
    assert f"{path}, row 2" in told
    assert "prompt' is empty" not in told  # of the first of them, which is no JSON


def test_or_are_fatal_with_their_own_reason(path):
    with pytest.raises(DataError, match="row 2: ") as error:
        read_prompts([str(path)], on_error="fail")
    assert "is empty" not in str(error.value)


def test_columns_that_are_not_known_do_not_make_comparisons_of_prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"question": "one", "topic": "t", "score": 3, "group": "g"}\n')
    prompts, alone = read_prompts([str(path)], columns={"prompt": "question"})
    assert alone
    assert prompts.strings("group") == ["g"]
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"prompt": "one", "chosen": "yes", "rejected": "no", "topic": "t"}\n')
    assert not read_prompts([str(pairs)])[1]
    neither = tmp_path / "neither.jsonl"
    neither.write_text('{"topic": "t"}\n')
    with pytest.raises(DataError, match="topic"):
        read_prompts([str(neither)])


def test_rows_that_are_no_text_are_left_out_and_zero_is_a_name(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text(
        '{"prompt": "one", "group": 0}\n{"prompt": 5, "group": 1}\n{"prompt": "two", "group": 1}\n'
    )
    prompts, _ = read_prompts([str(path)], max_unusable=1)
    assert prompts.strings("group") == ["0", "1"]
    assert [(fault.row, "expected text" in fault.reason) for fault in prompts.faults] == [(2, True)]


@pytest.mark.parametrize("columns", [{"prompt": "question"}, {"nonsense": "topic"}])
def test_columns_that_name_nothing_are_an_error(tmp_path, columns):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "one", "topic": "t"}\n')
    with pytest.raises(DataError, match=r"question|nonsense"):
        read_prompts([str(path)], columns=columns)


def test_a_truth_value_in_a_cell_is_no_text_that_is_true(tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text("prompt,conversational\nOn tea?,False\nOn milk?,true\n")
    prompts, _ = read_prompts([str(path)])
    assert prompts.dataset["conversational"][:] == [False, True]
    path.write_text("prompt,conversational\nOn tea?,perhaps\n")
    (reading,) = read_prompts([str(path)])[0].readings
    assert "should be true or false" in reading.notes[0]


def test_a_prompt_that_ends_with_an_answer_is_noted(jsonl):
    turns = [{"role": "user", "content": "On tea?"}, {"role": "assistant", "content": "Hot."}]
    (reading,) = read_prompts([str(jsonl({"prompt": turns}))])[0].readings
    assert reading.notes[0].startswith("1 prompts end with a turn of the assistant's")
