"""Weights by age, from a column to what is trained on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from surefoot.data.age import DAY, counted_by_age
from surefoot.errors import ConfigurationError, DataError
from surefoot.training.config import DataOptions
from surefoot.training.data import prepare


def write(path, times):
    rows = [
        {"prompt": f"Question {i}?", "chosen": f"Yes, {i}.", "rejected": f"No, {i}.", "time": time}
        for i, time in enumerate(times)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_weights_halve_with_every_half_life():
    time = np.array([3.0, 5.0, 9.0])
    assert counted_by_age(time, 2.0) == pytest.approx([1 / 8, 1 / 4, 1])
    assert counted_by_age(time, 2.0, now=5.0) == pytest.approx([1 / 2, 1, 1])


def test_training_rows_are_weighted_and_held_out_ones_are_not(tmp_path):
    times = [1.7e9 + DAY * i for i in range(40)]
    options = DataOptions(train=write(tmp_path / "a.jsonl", times), half_life=10, held_out=0.25)
    data = prepare(options)
    newest = data.train.numbers("time").max()
    expected = 0.5 ** ((newest - data.train.numbers("time")) / (10 * DAY))
    assert data.train.weights == pytest.approx(expected)
    assert (data.held_out.weights == 1).all()
    plain = prepare(options.model_copy(update={"half_life": None}))
    assert (plain.train.weights == 1).all()
    assert plain.train.fingerprint != data.train.fingerprint


def test_a_row_without_a_time_is_refused_by_name(tmp_path):
    file = write(tmp_path / "a.jsonl", [1.7e9, None, 1.7e9])
    with pytest.raises(DataError, match=r"1 of 3 rows of .* have no time"):
        prepare(DataOptions(train=file, half_life=10))


@pytest.mark.parametrize("days", [0, -1, float("inf"), float("nan")])
def test_a_half_life_is_a_number_of_days(days):
    with pytest.raises(ConfigurationError):
        DataOptions(train="x.jsonl", half_life=days)
