"""What wrote the responses: read from the columns that say it, on the side that they speak of."""

from __future__ import annotations

import json

import pytest

from surefoot.data import read_preferences
from surefoot.data.files import read_records
from surefoot.data.writing import write_preferences

TURNS = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 1}
MODELS = {"model_a": "large", "model_b": "small"}


def models(found):
    return found.strings("model_a"), found.strings("model_b")


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        (TURNS | MODELS, ("large", "small")),
        (
            {"prompt": "p", "output_1": "x", "output_2": "y", "label": 2}
            | {"generator_1": "one", "generator_2": "two"},
            ("one", "two"),
        ),
        (
            {"prompt": "p", "chosen": "x", "rejected": "y"}
            | {"chosen-model": "good", "rejected-model": "bad"},
            ("good", "bad"),
        ),
        (
            {
                f"conversation_{side}": [
                    {"role": "user", "content": "p"},
                    {"role": "assistant", "content": said},
                ]
                for side, said in (("a", "x"), ("b", "y"))
            }
            | MODELS
            | {"winner": "model_b"},
            ("large", "small"),
        ),
    ],
    ids=["contract", "numbered", "chosen", "arena"],
)
def test_the_columns_are_read(record, wanted):
    found = read_records([record], "rows")
    assert models(found) == ([wanted[0]], [wanted[1]])
    assert not found.readings[0].not_read


def test_of_chosen_and_rejected_nobody_knows_who_is_a():
    """Which of two models wrote the chosen response, `model_a` does not say."""
    found = read_records([{"prompt": "p", "chosen": "x", "rejected": "y"} | MODELS], "rows")
    assert models(found) == ([None], [None])
    assert set(found.readings[0].not_read) == {"model_a", "model_b"}


def test_half_a_pair_is_none():
    found = read_records([TURNS | {"model_a": "large", "model_b": None}], "rows")
    assert models(found) == ([None], [None])


def test_a_winner_by_name_is_still_read():
    found = read_records([TURNS | MODELS | {"label": "small"}], "rows")
    assert found.labels.tolist() == [0]
    assert models(found) == (["large"], ["small"])


def test_columns_of_other_names_can_be_mapped(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(TURNS | {"left": "large", "right": "small"}) + "\n")
    found = read_preferences(path, columns={"model_a": "left", "model_b": "right"})
    assert models(found) == (["large"], ["small"])


def test_they_are_written_and_read_again(tmp_path):
    found = read_records([TURNS | MODELS], "rows")
    write_preferences(found, tmp_path / "again.jsonl")
    assert models(read_preferences(tmp_path / "again.jsonl")) == (["large"], ["small"])
