"""What enters is bounded in size, depth and time, and says so with its row."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import time
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.boundary import json_texts, limits
from surefoot.boundary.json_texts import json_value
from surefoot.boundary.limits import DEPTH, ROW_BYTES
from surefoot.boundary.yaml_texts import yaml_value
from surefoot.data import read_preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.judge.exchange import REPLY_BYTES

GOOD = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 1}
LINE = json.dumps(GOOD).encode()
HUGE = ROW_BYTES + 10

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(values, max_size=6), st.booleans(), st.integers(1, 40))
def test_items_of_an_array_are_those_of_pythons_parser(given, ascii_only, chunk):
    text = json.dumps(given, ensure_ascii=ascii_only, indent=chunk % 3 or None)

    class Slow(io.BytesIO):  # chunks end anywhere, in the middle of an escape too
        def read(self, size: int | None = -1) -> bytes:
            return super().read(chunk)

    pieces = json_texts.items(Slow(text.encode("utf-8", "surrogatepass")))
    assert [json_value(piece.text) for piece in pieces] == json.loads(text)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_cutter_or_the_parser(raw):
    for text in (raw, b'["' + raw, b"[" + raw + b"]"):
        with contextlib.suppress(DataError):
            for piece in json_texts.items(io.BytesIO(text)):
                json_value(piece.text)


@pytest.mark.parametrize("pad", [0, 1])
def test_as_deep_as_stated_and_no_deeper(pad):
    nested = b"[" * (DEPTH + pad) + b"]" * (DEPTH + pad)
    (piece,) = json_texts.items(io.BytesIO(b"[" + nested + b"]"))
    if pad:
        assert "nested too deeply" in piece.problem
        with pytest.raises(DataError, match="nested too deeply"):
            json_value(nested)
    else:
        assert json_value(piece.text) == json.loads(nested)


def jsonl(row: bytes) -> bytes:
    return b"\n".join([LINE, row, LINE])


def array(row: bytes) -> bytes:
    return b"[" + b",".join([LINE, row, LINE]) + b"]"


DEEP = b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
LONG = b'{"prompt": "' + b"x" * HUGE + b'"}'
MANY = b'{"prompt": [' + b"[[]]," * (HUGE // 5 + 1) + b"0]}"
FAULTS = {
    "deep": (DEEP, "nested too deeply: more than 64 levels"),
    "long": (LONG, "larger than 16 MiB"),
    "many small lists": (MANY, "larger than 16 MiB"),
    "a key twice": (b'{"prompt": "p", "label": 1, "label": 0}', "names 'label' twice"),
    "a key twice inside": (b'{"prompt": [{"role": "user", "role": "x"}]}', "names 'role' twice"),
    "half a surrogate pair": (LINE.replace(b'"x"', b'"\\ud800"'), "not valid Unicode"),
    "surrogates in UTF-8": (LINE.replace(b"x", b"\xed\xa0\x80"), "not UTF-8"),
    "digits": (LINE.replace(b": 1", b": " + b"1" * 5000), "a number of 5000 digits"),
    "a long name": (b'{"' + b"n" * 2000 + b'": 1}', "a name of more than 1,000"),
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", [jsonl, array])
@pytest.mark.parametrize("name", FAULTS)
def test_a_row_beyond_a_limit_is_a_fault_of_that_row(tmp_path, name, form, packed):
    row, says = FAULTS[name]
    path = tmp_path / "x.json"
    path.write_bytes(gzip.compress(form(row), 1) if packed else form(row))
    begun = time.monotonic()
    if form is array and row in (LONG, MANY):  # the end of a large item is not looked for
        with pytest.raises(DataError, match=r"after row 1 \(the next item is larger than 16 MiB"):
            read_preferences(path, max_unusable=1.0)
        return
    preferences = read_preferences(path, max_unusable=1.0)
    assert time.monotonic() - begun < 10
    assert len(preferences) == 2
    (fault,) = preferences.faults
    assert fault.row == 2
    assert says in fault.reason
    assert len(fault.reason) < 300


@pytest.mark.parametrize(
    "content",
    [
        b"[" + b'{"prompt": ' + b"[" * 5_000_000,
        b'[{"prompt": "' + b"x" * 200_000_000,
        b'{"prompt": "' + b"x" * 200_000_000,
        b"\n" * 100_000_000,
        b'{"a":1}\n' + b" " * 200_000_000,
        b"[" + b"\\" * 50_000_000,
    ],
    ids=["open brackets", "open item", "open line", "empty lines", "blanks", "backslashes"],
)
def test_small_archives_of_large_files_take_little_memory(tmp_path, content):
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(content, 1))
    del content
    tracemalloc.start()
    begun = time.monotonic()
    with pytest.raises(DataError):
        read_preferences(path, max_unusable=1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * ROW_BYTES
    assert time.monotonic() - begun < 60


HEADER = b"prompt,response_a,response_b,label\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEADER + b'p,"' + b"x" * HUGE + b'",y,1\n', "row 0: the next row is larger than 16 MiB"),
        (HEADER + b"p,x,y,1\n" + b'p,"open' + b"\nline" * (HUGE // 5), "past row 1.*quote left"),
        (b"n" * 2000 + b",prompt\n1,2\n", "a name of more than 1,000"),
        (b",".join(b"c%d" % i for i in range(20_000)) + b"\n1\n", "more than 10,000 columns"),
        (b"n" * HUGE, "larger than 16 MiB"),
        (b"prompt,label,label\n1,2,3\n", "label twice"),
        (b"prompt,\xff\n1,2\n", "the name of a column is not valid Unicode"),
    ],
)
def test_csv_beyond_a_limit_is_one_message(tmp_path, content, says):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read_preferences(path, max_unusable=1.0)
    assert len(str(caught.value)) < 500


def rows_of(path):
    preferences = read_preferences(path, max_unusable=1.0)
    return preferences.numbers("row").astype(int).tolist(), [
        (fault.row, fault.reason) for fault in preferences.faults
    ]


@pytest.mark.parametrize("dictionary", [True, False])
def test_parquet_rows_that_are_too_large_are_faults(tmp_path, dictionary):
    rows = [GOOD, GOOD | {"prompt": "x" * HUGE}, GOOD]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet", use_dictionary=dictionary)
    used, faults = rows_of(tmp_path / "x.parquet")
    assert used == [1, 3]
    assert [row for row, _ in faults] == [2]
    assert "larger than 16 MiB" in faults[0][1]


def test_a_small_parquet_file_of_a_large_table_is_read_row_by_row(tmp_path):
    """4,000 rows of one text of 8 MiB: 32 GiB where it is written out at once, some kB on disk."""
    text = pa.array(["x" * (ROW_BYTES // 2)])
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), text)
    columns = {"prompt": same, "response_a": ["a"] * 4000, "response_b": ["b"] * 4000}
    pq.write_table(pa.table(columns | {"label": [1.0] * 4000}), tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").stat().st_size < 2e6
    from surefoot.data.sources.containers import records

    before = pa.total_allocated_bytes()
    for i, numbered in enumerate(records(tmp_path / "x.parquet")):
        assert len(numbered.record["prompt"]) == ROW_BYTES // 2
        assert pa.total_allocated_bytes() - before < 8 * ROW_BYTES
        if i == 300:
            break


def test_parquet_values_that_python_has_no_place_for(tmp_path):
    rows = [GOOD | {"time": 0}, GOOD | {"time": 253402300800}, GOOD | {"time": 5}]
    table = pa.Table.from_pylist(rows)
    late = table["time"].cast(pa.timestamp("s"))  # the year of the second is beyond 9999
    table = table.set_column(table.column_names.index("time"), "time", late)
    pq.write_table(table, tmp_path / "x.parquet")
    used, faults = rows_of(tmp_path / "x.parquet")
    assert used == [1, 3]
    assert "cannot be read" in faults[0][1]


def test_parquet_columns_that_stand_twice(tmp_path):
    table = pa.Table.from_arrays([pa.array(["p"]), pa.array(["q"])], names=["prompt", "prompt"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match="names prompt twice"):
        read_preferences(tmp_path / "x.parquet")


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1: x", r"line 1: the name of an option should be a text; got 1"),
        ("a: 1\n? [b]\n: 2", r"line 2: .*got a list or mapping"),
        ("on: x", r"got on\. Put it in quotes"),
        ("a: 1\nb: 2\na: 3", r"line 3: 'a' stands twice"),
        ("x:\n  a: 1\n  a: 1", r"line 3: 'a' stands twice"),
        ("a: " + "1" * 5000, r"a number of 5000 characters"),
        ("a: 0x" + "f" * 5000, r"a number of 5002 characters"),
        ("[" * 200_000, r"line 1: nested too deeply"),
        ("- " * 100_000, r"line 1: nested too deeply"),
        ("a: " + "{b: " * 100, r"nested too deeply"),
        (BOMB, r"more than 20,000 values"),
        (r'a: "\ud800 x"', r"half of a surrogate pair"),
        ("a: &a [*a]", r"an alias repeats what it is part of"),
        ("a: &a {b: *a}", r"an alias repeats what it is part of"),
        ("a: 2026-99-99", r"cannot be read"),
        ("a: !!int x", r"cannot be read"),
        ("a: !!float ''", r"cannot be read"),
        ("a: !!python/object/apply:os.getcwd []", r"not valid YAML"),
        ("a: \x1b", r"not valid YAML"),
        ("{" + "n" * 2000 + ": 1}", r"a name of 2000 characters|not valid YAML"),
    ],
)
def test_yaml_beyond_a_limit_is_one_message(text, says):
    begun = time.monotonic()
    with pytest.raises(ConfigurationError, match=f"^x.yaml.*{says}") as caught:
        yaml_value(text, "x.yaml")
    assert time.monotonic() - begun < 2
    assert len(str(caught.value)) < 600


@given(st.text(max_size=80))
def test_any_text_as_yaml_is_a_value_or_one_kind_of_error(text):
    with contextlib.suppress(ConfigurationError):
        yaml_value(text, "x")


def test_anchors_and_merges_that_people_write_are_read():
    assert yaml_value(json.dumps({"a": "\U0001f600"}), "x") == {"a": "\U0001f600"}
    text = "base: &b {x: 1, y: 2}\na: {<<: *b, y: 3}\nb: [*b, *b]"
    found = yaml_value(text, "x")
    assert found["a"] == {"x": 1, "y": 3}
    assert found["b"] == [{"x": 1, "y": 2}] * 2


def test_a_configuration_that_is_none(tmp_path):
    from surefoot.boundary.yaml_texts import yaml_file

    path = tmp_path / "x.yaml"
    path.write_text("a: " + "x" * 300_000)
    with pytest.raises(ConfigurationError, match="larger than 256 KiB"):
        yaml_file(path)
    path.write_bytes(b"a: \xff")
    with pytest.raises(ConfigurationError, match="cannot read the configuration"):
        yaml_file(path)


def test_the_documentation_states_the_limits():
    page = Path(__file__).parents[2] / "docs" / "limits.md"
    if not page.is_file():
        pytest.skip("a source distribution has no documentation")
    text = page.read_text()
    for stated in (
        *map(limits.size, (limits.ROW_BYTES, limits.CONFIGURATION_BYTES, limits.FILE_BYTES)),
        limits.size(REPLY_BYTES),
        f"{limits.DEPTH} levels",
        f"{limits.COLUMNS:,}; {limits.NAME_LENGTH:,}",
        f"| {limits.NUMBER_LENGTH} |",
        f"{limits.CONFIGURATION_VALUES:,} values",
        f"{limits.OPTION_TEXT_LENGTH:,} characters",
        f"| {limits.LARGEST_NUMBER:,} |",
    ):
        assert stated in text


def test_calls_and_lists_in_cells_that_are_deep_are_no_traceback(tmp_path):
    deep = "[" * 100_000
    call = {"function": {"name": "f", "arguments": deep}}
    asked = [{"role": "user", "content": "u"}]
    rows = [
        GOOD | {"votes": deep},
        {"prompt": asked, "chosen": [{"role": "assistant", "content": "", "tool_calls": [call]}],
         "rejected": [{"role": "assistant", "content": "y", "extra": deep}]},
        {"prompt": deep, "chosen": "x", "rejected": "y", "messages": "[{" + deep},
    ]  # fmt: skip
    for row in rows:
        path = tmp_path / "x.jsonl"
        path.write_text(json.dumps(row) + "\n")
        with contextlib.suppress(DataError):
            assert len(read_preferences(path)) == 1
