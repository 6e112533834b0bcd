"""What is written is read again as it was."""

from __future__ import annotations

import json

from surefoot.data import read_preferences
from surefoot.data.checks import check
from surefoot.data.writing import write_preferences


def test_the_better_response_stands_first_in_what_is_written(tmp_path):
    rows = [{"prompt": f"{i}?", "chosen": f"yes {i}", "rejected": f"no {i}"} for i in range(30)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_preferences(read_preferences(tmp_path / "pairs.jsonl"), tmp_path / "again.jsonl")
    again = read_preferences(tmp_path / "again.jsonl")
    assert set(again.strings("label_from")) == {"order"}
    assert not check(again).findings  # constant labels would be one, were they not of the order
    assert "not read: nothing" in again.readings[0].lines()
