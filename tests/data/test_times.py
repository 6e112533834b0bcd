"""Times are seconds since 1970, whatever unit a file counts them in."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.data import Preferences, read_preferences
from surefoot.data.files import read_records
from surefoot.data.options import ReadingOptions
from surefoot.data.writing import write_preferences
from surefoot.errors import DataError

UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
PLAIN = {"prompt": "On tea?", "chosen": "tea fine", "rejected": "tea bad"}
TURNS = [{"role": "user", "content": "p"}]
ARENA = {
    **{f"conversation_{s}": [*TURNS, {"role": "assistant", "content": s}] for s in "ab"},
    "winner": "model_a",
}


def read(record, column, values, **options):
    records = [{**record, column: value} for value in values]
    return read_records(records, "rows", options=ReadingOptions(**options))


def of(year, *rest):
    return int(datetime(year, *(rest or (1, 1)), tzinfo=UTC).timestamp())


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=15, deadline=None)
@given(
    times=st.lists(st.integers(of(1990), of(2200) - 1), min_size=1, max_size=4),
    form=st.sampled_from([(PLAIN, "time"), (ARENA, "tstamp"), (ARENA, "timestamp")]),
    write=st.sampled_from([int, float, str]),
)
def test_every_unit_is_read_as_seconds_and_said(unit, times, form, write):
    record, column = form
    found = read(record, column, [write(time * UNITS[unit]) for time in times])
    assert found.numbers("time").tolist() == pytest.approx(times, rel=1e-12)
    said = [f"{column}: {unit} since 1970, converted to seconds (row 1: "]
    notes = found.readings[0].notes
    assert [note[: len(said[0])] for note in notes] == (said if unit != "seconds" else [])


@pytest.mark.parametrize("record", [PLAIN, ARENA])
@pytest.mark.parametrize("first", UNITS)
@pytest.mark.parametrize("second", UNITS)
def test_several_units_in_one_column_are_refused_by_name(record, first, second):
    column = "time" if record is PLAIN else "tstamp"
    values = [0, of(2026) * UNITS[first], "2026-11-30", of(2025) * UNITS[second]]
    if first == second:
        assert len(read(record, column, values)) == 4
        return
    says = rf"'{column}' seems to hold {first} \(row 2: \d+\) and {second} \(row 4: \d+\)"
    with pytest.raises(DataError, match=rf"{says}.* --column {column}="):
        read(record, column, values)
    assert not read(record, column, values, columns={column: ""}).has("time")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("unknown", [-1, "-1", -1.0])
def test_minus_one_is_no_time(unit, unknown):
    found = read(PLAIN, "time", [of(2026) * UNITS[unit], unknown])
    assert [time for (time,) in found.read("time")] == [float(of(2026)), None]


@pytest.mark.parametrize("record", [PLAIN, ARENA])
def test_a_mapped_column_has_the_users_own_name(record):
    late, early = of(2026) * 1000, of(2025)
    (reading,) = read(record, "judged_at", [late], columns={"time": "judged_at"}).readings
    assert reading.notes[0].startswith("judged_at: milliseconds since 1970")
    says = "'judged_at' seems to hold .* without --column time=judged_at"
    with pytest.raises(DataError, match=says):
        read(record, "judged_at", [late, early], columns={"time": "judged_at"})
    assert not read(record, "judged_at", [late, early]).has("time")


@pytest.mark.parametrize("value", [202611301230, 20261130123000, 1e10, -1.7e12, 1e19, "9999-12-31"])
def test_a_number_that_is_a_time_in_no_unit_is_left_out_with_a_note(value):
    (reading,) = read(PLAIN, "time", [value] * 3).readings
    assert "column 'time' was left out" in reading.notes[0]
    with pytest.raises(DataError, match="time"):
        Preferences.from_rows([{**ROW, "time": value}])


ROW = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 1}


def test_rows_under_the_contract_have_seconds():
    assert Preferences.from_rows([{**ROW, "time": 17e8}]).numbers("time").tolist() == [17e8]
    with pytest.raises(DataError, match="should be in seconds since 1970"):
        Preferences.from_rows([{**ROW, "time": 17e11}])


@pytest.mark.parametrize("value", [0, 1, 250, -3.5, of(1960), of(2199)])
def test_small_numbers_stay_what_they_are(value):
    found = read(PLAIN, "time", [value, value + 1])
    assert found.numbers("time").tolist() == [value, value + 1]
    assert not found.readings[0].notes


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-11-30", of(2026, 11, 30)),
        ("20261130", of(2026, 11, 30)),
        ("2026-11-30T12:00:00+02:00", of(2026, 11, 30, 10)),
        ("1612011212345", 1612011212.345),  # not the year 1612
    ],
)
def test_texts(value, time):
    assert read(PLAIN, "time", [value]).numbers("time").tolist() == [time]


def test_columns_of_dates_and_what_is_written_are_read_again(tmp_path):
    days = [date(2026, 11, 30), date(1999, 1, 2)]
    columns = {name: [value] * 2 for name, value in PLAIN.items()}
    pq.write_table(pa.table({**columns, "time": days}), tmp_path / "pairs.parquet")
    found = read_preferences(tmp_path / "pairs.parquet")
    assert found.numbers("time").tolist() == [of(2026, 11, 30), of(1999, 1, 2)]
    write_preferences(found, tmp_path / "pairs.jsonl")
    assert "time" in json.loads((tmp_path / "pairs.jsonl").read_text().splitlines()[0])
    again = read_preferences(tmp_path / "pairs.jsonl")
    assert again.numbers("time").tolist() == found.numbers("time").tolist()
    assert not again.readings[0].notes
