"""Whatever stands in a file, reading it gives rows, faults, or one `DataError`."""

from __future__ import annotations

import contextlib
import gzip
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from surefoot.data import read_preferences
from surefoot.errors import DataError

VALUES = [
    *(None, "", 0, 1, 2, -1, 1.5, True, "a", "tie", "\ud800", float("nan"), 10**400, "2020-13-45"),
    *([], ["x"], [1, 2], {}, [[1]], {"content": 3}, {"role": "user", "content": "x"}, "[1, 0]"),
    *([{"role": "user", "content": "x"}], [{"from": "gpt", "value": "y"}], [None], [{}]),
    *("\n\nHuman: a\n\nAssistant: b", [{"text": "x", "score": 1}, {"text": "y", "score": None}]),
]
FORMS = [
    ("prompt", "chosen", "rejected"),
    ("chosen", "rejected"),
    ("prompt", "response_a", "response_b", "label"),
    ("conversations", "chosen", "rejected"),
    ("input", "output_1", "output_2", "label"),
    ("prompt", "output_1", "output_2", "votes"),
    ("instruction", "input", "output_1", "output_2", "annotator1"),
    ("prompt", "responses", "scores"),
    ("prompt", "responses", "ranks"),
]
OTHERS = [
    *("system", "group", "source", "time", "weight", "id", "votes", "auxiliary", "references"),
    *("reference_auxiliary", "score_a", "chosen_score", "label", "input", "responses"),
]


@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_any_values(tmp_path, form):
    rng = random.Random(0)
    path = tmp_path / "x.jsonl"
    for _ in range(60):
        names = {*form, *rng.sample(OTHERS, rng.randint(0, 5))}
        records = [{name: rng.choice(VALUES) for name in names} for _ in range(5)]
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        with contextlib.suppress(DataError):
            preferences = read_preferences(path)
            rows = set(preferences.numbers("row").astype(int).tolist())
            assert rows | {fault.row for fault in preferences.faults} == {1, 2, 3, 4, 5}
            assert ((preferences.labels >= 0) & (preferences.labels <= 1)).all()


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.tsv", "x.parquet"])
@pytest.mark.parametrize("packed", [False, True])
def test_any_bytes(tmp_path, name, packed):
    rng = random.Random(1)
    pair = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 1}
    whole = "".join(json.dumps(pair | {"id": i}) + "\n" for i in range(20)).encode()
    path = tmp_path / name
    for _ in range(60):
        content = bytearray(gzip.compress(whole) if packed else whole)
        for _ in range(rng.randint(1, 6)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(DataError):
            preferences = read_preferences(path)
            assert len(preferences) + len(preferences.faults) > 0


def test_any_bytes_in_parquet(tmp_path):
    rng = random.Random(2)
    path = tmp_path / "x.parquet"
    pair = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 1.0}
    pq.write_table(pa.Table.from_pylist([pair] * 50), path)
    whole = path.read_bytes()
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            content[rng.randrange(4, len(content))] = rng.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(DataError):
            assert len(read_preferences(path)) > 0
