"""Files of prompts alone: what cannot be used is counted and named, or fatal."""

from __future__ import annotations

import pytest

from surefoot.errors import DataError
from surefoot.policy.config import PromptOptions
from surefoot.policy.prompts import left_out, read_prompts


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "one"}\nnot JSON\n{"prompt": ""}\n{"prompt": "two"}\n')
    return path


def test_rows_that_cannot_be_used_are_counted_and_named(path):
    prompts, alone = read_prompts(PromptOptions(train=str(path)))
    assert alone
    assert len(prompts) == 2
    assert [fault.row for fault in prompts.faults] == [2, 3]
    told = left_out(prompts)
    assert "2 row(s) could not be used" in told
    assert f"{path}, row 2" in told
    assert "prompt' is empty" not in told  # of the first of them, which is no JSON


def test_or_are_fatal_with_their_own_reason(path):
    with pytest.raises(DataError, match="row 2: ") as error:
        read_prompts(PromptOptions(train=str(path), on_error="fail"))
    assert "is empty" not in str(error.value)
