"""Files of every container, whole and damaged."""

from __future__ import annotations

import csv
import gzip
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from surefoot.data import read_preferences
from surefoot.errors import DataError

ROWS = [
    {"prompt": "Why? Ünïcode\n\nand lines", "response_a": 'a, "b"', "response_b": "", "label": 1},
    {"prompt": "p2", "response_a": "[1, 2]", "response_b": "y", "label": 0.25},
]


def as_jsonl(path):
    path.write_text("\n".join(json.dumps(r) for r in ROWS), encoding="utf-8")


def as_json(path):
    path.write_text(json.dumps(ROWS, indent=2, ensure_ascii=False), encoding="utf-8")


def as_delimited(path, delimiter=","):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ROWS[0].keys(), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)


def as_tsv(path):
    as_delimited(path, "\t")


def as_parquet(path):
    pq.write_table(pa.Table.from_pylist(ROWS), path)


WRITERS = {
    "x.jsonl": as_jsonl,
    "x.ndjson": as_jsonl,
    "x.json": as_json,
    "lines.json": as_jsonl,
    "array.jsonl": as_json,
    "x.csv": as_delimited,
    "x.tsv": as_tsv,
    "x.parquet": as_parquet,
    "noending": as_jsonl,
}


def contents(preferences):
    columns = ["prompt", "response_a", "response_b", "label", "conversational", "row"]
    return preferences.dataset.select_columns(columns).to_list()


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", WRITERS)
def test_every_container_gives_the_same_rows(tmp_path, name, zipped):
    path = tmp_path / name
    WRITERS[name](path)
    if zipped:
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    rows = contents(read_preferences(path))
    assert [r["row"] for r in rows] == [1, 2]
    assert [r["label"] for r in rows] == [1.0, 0.25]
    assert not any(r["conversational"] for r in rows)
    for row, given in zip(rows, ROWS, strict=True):
        for side in ("prompt", "response_a", "response_b"):
            assert row[side][0]["content"] == given[side]


def test_byte_order_marks_are_not_text(tmp_path):
    for name in ("x.jsonl", "x.csv", "x.json"):
        path = tmp_path / name
        WRITERS[name](path)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert len(read_preferences(path)) == 2


def test_votes_and_messages_in_csv_cells(tmp_path):
    path = tmp_path / "x.csv"
    turns = json.dumps([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}])
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["prompt", "response_a", "response_b", "label", "votes", "weight"])
        writer.writerow([turns, "x", "y", "a", "[1, 0, 0.5]", ""])
    row = read_preferences(path).dataset[0]
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]
    assert [vote["value"] for vote in row["votes"]] == [1, 0, 0.5]
    assert row["label"] == 1
    assert row["weight"] is None


GOOD = json.dumps(ROWS[0]).encode()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.jsonl", b"", "is empty"),
        ("x.jsonl", b" \n\n", "is empty"),
        ("x.jsonl.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("x.json", b"[]", "holds no rows"),
        ("x.csv", b"prompt,response_a,response_b,label\n", "holds no rows"),
        ("x.jsonl", b"\x00\x01\x02 binary", "binary file"),
        ("x.jsonl", GOOD.decode().encode("utf-16"), "UTF-16"),
        ("x.jsonl", b"prompt,response_a\n1,2\n", "the content is plain text"),
        ("x.csv", GOOD, "the name says csv, the content is JSON"),
        ("x.parquet", GOOD, "the name says parquet"),
        ("x.txt", b"just words", "accepted: JSON lines"),
        ("x.parquet", b"PAR1 and nothing else", "cannot be read past row 0"),
        ("x.json", b'[{"prompt": "p"}, {"prompt": "q"', "breaks off or is malformed after row 1"),
        ("x.csv", b'prompt,label\n"open,1\n', "cannot be read past row 0"),
        ("x.csv", b"prompt,prompt\n1,2\n", "prompt twice"),
        ("x.jsonl.gz", gzip.compress(GOOD * 100, mtime=0)[:-20], "damaged or cut short"),
        (
            "x.jsonl.gz",
            gzip.compress((GOOD + b"\n") * 999, mtime=0)[:-4],
            "cut short after row 9[0-9][0-9] ",
        ),
        ("x.jsonl", b'{\n"prompt": "p"\n}\n', "one row spread over several lines"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path, cache, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read_preferences(path)
    assert name in str(caught.value)
    assert not list(cache.glob("*"))  # nothing half-made is kept


@pytest.mark.parametrize(
    ("name", "damaged", "row", "says"),
    [
        ("x.jsonl", GOOD + b"\n" + GOOD[:40] + b"\n" + GOOD, 2, "not valid JSON"),
        ("x.jsonl", GOOD + b"\n\n[1]\n", 3, "a row should be a JSON object; got list"),
        ("x.jsonl", GOOD + b"\n" + GOOD.replace(b"a, ", b"\xff"), 2, "not UTF-8 at byte"),
        ("x.jsonl", GOOD + b"\n" + GOOD.replace(b"a, ", b"\\ud800"), 2, "not valid Unicode"),
        ("x.jsonl", GOOD + b"\n" + b"[" * 100_000, 2, "nested too deeply"),
        ("x.json", b"[" + GOOD + b", 3]", 2, "a row should be a JSON object; got int"),
        ("x.csv", b"prompt,response_a,response_b,label\np,x,y,1\np,x\n", 2, "2 cells under"),
        ("x.csv", b"prompt,response_a,response_b,label\np,x,y,1\np,\xff,y,1\n", 2, "not valid Uni"),
    ],
)
def test_damage_to_one_row_is_a_fault_of_that_row(tmp_path, name, damaged, row, says):
    path = tmp_path / name
    path.write_bytes(damaged)
    preferences = read_preferences(path, max_unusable=1)
    (fault,) = preferences.faults
    assert (fault.file, fault.row) == (str(path), row)
    assert says in fault.reason
    with pytest.raises(DataError, match=f"{name}, row {row}: "):
        read_preferences(path, on_error="fail")


def test_reading_csv_leaves_pythons_limits_as_they_were(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"prompt,response_a,response_b,label\np,{'x' * 300_000},y,1\n")
    before = csv.field_size_limit()
    assert len(read_preferences(path)) == 1
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("name", ["big.jsonl.gz", "big.json", "big.csv"])
def test_large_files_stream(tmp_path, name):
    """Tens of megabytes are read with a few megabytes of Python objects."""
    path = tmp_path / name
    size = write_large(path)
    assert size > 30e6
    read_preferences(warm := write_small(tmp_path))  # imports and caches are not what is measured
    assert warm.exists()
    tracemalloc.start()
    preferences = read_preferences(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(preferences) == 6000
    assert peak < size / 5


def write_small(folder: Path) -> Path:
    path = folder / "small.jsonl"
    as_jsonl(path)
    return path


def write_large(path: Path) -> int:
    """6,000 rows of about 6 kB; returns the size in bytes before packing."""
    size = 0
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w", newline="") as stream:
        if path.suffix == ".csv":
            size += stream.write("prompt,response_a,response_b,label\n")
        for i in range(6000):
            texts = [f"{word} {i} " * 200 for word in ("prompt", "chosen", "other")]
            row = dict(zip(ROWS[0], [*texts, 1], strict=True))
            if path.suffix == ".csv":
                size += stream.write(",".join(map(str, row.values())) + "\n")
            else:
                start = {".json": "[" if not i else ","}.get(path.suffix, "")
                size += stream.write(start + json.dumps(row) + "\n")
        if path.suffix == ".json":
            stream.write("]")
    return size
