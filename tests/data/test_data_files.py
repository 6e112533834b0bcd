"""Finding, converting and caching sources."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from surefoot.boundary import json_texts
from surefoot.data import FEATURES, read_preferences
from surefoot.data.labels import column
from surefoot.data.readers import hh
from surefoot.data.reading import conversion
from surefoot.data.sources import cache as caching
from surefoot.data.writing import write_preferences
from surefoot.errors import ConfigurationError, DataError, SurefootError
from surefoot.objectives.label_models import observed

PAIR = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 1}
BROKEN = PAIR | {"response_b": 7}


def test_the_table_has_the_columns_of_the_contract_and_is_memory_mapped(jsonl, cache):
    preferences = read_preferences(jsonl(PAIR, name="train.jsonl.gz"))
    assert preferences.dataset.features == FEATURES
    assert preferences.name == "train"
    (mapped,) = preferences.dataset.cache_files
    assert mapped["filename"].startswith(str(cache))


def test_a_second_read_converts_nothing_and_reports_the_same_faults(jsonl, monkeypatch):
    path = jsonl(PAIR, BROKEN, PAIR)
    first = read_preferences(path, max_unusable=1)
    monkeypatch.setattr(caching, "store", lambda *_: pytest.fail("converted again"))
    second = read_preferences(path, max_unusable=1)
    assert first.dataset.to_list() == second.dataset.to_list()
    assert first.faults == second.faults
    assert [fault.row for fault in second.faults] == [2]
    assert first.readings == second.readings
    assert first.fingerprint == second.fingerprint
    with pytest.raises(DataError, match=r"rows.jsonl, row 2: 'response_b'"):
        read_preferences(path, on_error="fail")


def test_changed_content_or_options_are_converted_anew(jsonl):
    path = jsonl(PAIR)
    first = read_preferences(path)
    assert read_preferences(path, source_name="s").strings("source") == ["s"]
    path = jsonl(PAIR, PAIR)
    second = read_preferences(path)
    assert len(second) == 2
    assert first.fingerprint != second.fingerprint


def test_a_changed_reader_does_not_meet_old_tables(jsonl, monkeypatch, cache):
    path = jsonl(PAIR)
    read_preferences(path)
    monkeypatch.setattr(caching, "code_digest", lambda: "another version")
    read_preferences(path)
    assert len(list(cache.glob("*.arrow"))) == 2


def test_the_fingerprint_is_that_of_the_content_wherever_it_lies(jsonl, tmp_path):
    first = jsonl(PAIR)
    second = tmp_path / "renamed.jsonl"
    second.write_bytes(first.read_bytes())
    one, two = read_preferences(first), read_preferences(second)
    assert one.fingerprint == two.fingerprint
    assert (one.dataset[0]["file"], two.dataset[0]["file"]) == (str(first), str(second))


def test_a_damaged_table_is_converted_again(jsonl, cache):
    path = jsonl(PAIR)
    read_preferences(path)
    (table,) = cache.glob("*.arrow")
    table.write_bytes(b"damaged")
    assert len(read_preferences(path)) == 1


def test_a_failure_leaves_nothing_behind(jsonl, cache):
    with pytest.raises(DataError, match="row 2"):
        read_preferences(jsonl(PAIR, BROKEN), on_error="fail")
    assert not list(cache.iterdir())


def test_a_cache_that_cannot_be_written_is_named(jsonl, tmp_path, monkeypatch):
    (tmp_path / "blocked").write_text("a file, not a folder")
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "blocked"))
    with pytest.raises(SurefootError, match="Set SUREFOOT_CACHE"):
        read_preferences(jsonl(PAIR))


def test_if_no_row_can_be_used_the_first_reasons_are_given(jsonl):
    with pytest.raises(
        DataError, match=r"none of its 5 rows.*\n  row 1: 'response_b'.*\n.*\n  row 3"
    ):
        read_preferences(jsonl(*[BROKEN] * 5))


def test_several_sources_are_told_apart(jsonl):
    paths = [jsonl(PAIR, name="helpful.jsonl.gz"), jsonl(PAIR, BROKEN, name="harmless.json")]
    preferences = read_preferences(paths, max_unusable=1)
    assert preferences.strings("source") == ["helpful", "harmless"]
    assert preferences.name == "helpful + harmless"
    assert [fault.file for fault in preferences.faults] == [str(paths[1])]
    with pytest.raises(DataError, match="no source"):
        read_preferences([])


def test_columns_are_mapped(jsonl):
    record = {"q": "p", "one": "x", "two": "y", "label": "not this", "gold": 0, "topic": "t"}
    columns = {"prompt": "q", "response_a": "one", "response_b": "two", "label": "gold"}
    preferences = read_preferences(jsonl(record), columns=columns | {"group": "topic"})
    row = preferences.dataset[0]
    assert (row["prompt"][0]["content"], row["label"], row["group"]) == ("p", 0.0, "t")


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"group": "topik"}, "unknown column 'topik': did you mean 'topic'"),
        ({"gruop": "topic"}, "unknown name to map a column to: 'gruop': did you mean 'group'"),
        ({"row": "topic"}, "unknown name to map a column to: 'row'"),
    ],
)
def test_wrong_mappings_name_the_nearest(jsonl, columns, says):
    with pytest.raises(DataError, match=says):
        read_preferences(jsonl(PAIR | {"topic": "t"}), columns=columns)


def test_an_unknown_form_lists_its_columns_and_what_is_accepted(jsonl):
    with pytest.raises(DataError) as caught:
        read_preferences(jsonl({"text": "x", "stars": 5}))
    message = str(caught.value)
    assert "(text, stars)" in message
    for form in ("contract", "chosen and rejected", "ShareGPT", "two outputs", "in a list"):
        assert form in message


def test_progress_counts_every_record(jsonl):
    seen = []
    read_preferences(jsonl(*[PAIR] * 4, BROKEN), progress=seen.append, max_unusable=1)
    assert sum(seen) == 5


def test_places_where_there_is_no_file(jsonl, tmp_path):
    path = jsonl(PAIR, name="train.jsonl")
    for source, says in [
        (tmp_path / "trian.jsonl", "did you mean 'train.jsonl'"),
        (tmp_path, "is a folder; name the files in it: train.jsonl"),
        (tmp_path / "no" / "train.jsonl", "nor does the folder"),
        ("nofolder/train.jsonl", "nor does the folder"),
    ]:
        with pytest.raises(DataError, match=says):
            read_preferences(source)
    with pytest.raises(ConfigurationError, match=r"on_error .* should be 'skip' or 'fail'"):
        read_preferences(path, on_error="skipp")


def test_a_file_that_may_not_be_read_is_one_clear_error(jsonl, monkeypatch):
    path = jsonl(PAIR)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # tests may run as root, whom nothing is refused
    with pytest.raises(DataError, match=r"rows.jsonl cannot be read: Permission denied"):
        read_preferences(path)


@pytest.fixture
def hub(monkeypatch):
    """A Hub with one data set."""
    calls = []
    parts = {
        "train": datasets.Dataset.from_list([PAIR, PAIR | {"prompt": "q"}]),
        "test": datasets.Dataset.from_list([PAIR]),
    }

    def load(name, configuration=None, split=None):
        calls.append((name, configuration, split))
        return parts[split] if split else datasets.DatasetDict(parts)

    monkeypatch.setattr(datasets, "load_dataset", load)
    return calls


@pytest.mark.parametrize(
    ("source", "rows", "call"),
    [
        ("hub:owner/name@test", 1, ("owner/name", None, "test")),
        ("owner/name@test", 1, ("owner/name", None, "test")),
        ("hub:owner/name", 2, ("owner/name", None, None)),
        ("owner/name", 2, ("owner/name", None, None)),
        ("hub:owner/name:binary@test", 1, ("owner/name", "binary", "test")),
        ("owner/name:binary", 2, ("owner/name", "binary", None)),
    ],
)
def test_hub(hub, source, rows, call):
    preferences = read_preferences(source)
    assert len(preferences) == rows
    assert hub == [call]
    assert preferences.dataset[0]["file"].startswith("hub:owner/name")
    assert ":binary" not in source or ":binary@" in preferences.dataset[0]["file"]
    assert preferences.dataset[0]["row"] == 1


def test_hub_splits_have_to_be_named_without_train(monkeypatch):
    parts = {name: datasets.Dataset.from_list([PAIR]) for name in ("one", "two")}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.DatasetDict(parts))
    with pytest.raises(DataError, match="add one: @one, @two"):
        read_preferences("hub:owner/name")


@pytest.mark.parametrize("source", ["hub:", "hub:@train", "hub::binary"])
def test_a_data_set_of_the_hub_has_a_name(source):
    with pytest.raises(DataError, match="names no data set"):
        read_preferences(source)


def test_a_local_folder_of_the_hubs_form(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "train.jsonl").write_text(json.dumps(PAIR) + "\n")
    assert len(read_preferences(f"hub:{folder}@train")) == 1
    with pytest.raises(DataError, match=r"cannot be loaded: .*split"):
        read_preferences(f"hub:{folder}@nosuchsplit")


def test_a_hub_out_of_reach_is_said_to_be(monkeypatch):
    def load(*_, **__):
        raise ConnectionError("Couldn't reach 'owner/name' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(DataError, match=r"cannot be reached .*ConnectionError.*HF_HUB_OFFLINE"):
        read_preferences("owner/name")


def test_importing_surefoot_stays_light():
    code = "import sys, surefoot; print('datasets' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.jsonl.gz"])
def test_what_is_written_is_read_again(jsonl, tmp_path, name):
    """Plain text stays plain: a chat template would write other texts."""
    turns = [{"role": "user", "content": "p"}]
    rows = [PAIR | {"source": "s"}, PAIR | {"prompt": turns, "label": 0.25}, PAIR | {"prompt": ""}]
    given = read_preferences(jsonl(*rows))
    write_preferences(given, tmp_path / name)
    read = read_preferences(tmp_path / name)
    columns = ("prompt", "response_a", "response_b", "label", "conversational", "source")
    assert list(read.read(*columns)) == list(given.read(*columns))
    assert [one for (one,) in read.read("conversational")] == [False, True, False]


ROWS = [PAIR | {"prompt": f"question {i}"} for i in range(5)]


def prompts(source):
    found = read_preferences(source)
    return [prompt[0]["content"] for (prompt,) in found.read("prompt")], found


def test_folders_of_save_to_disk_are_read(tmp_path):
    data = datasets.Dataset.from_list(ROWS)
    data.save_to_disk(tmp_path / "whole", num_shards=2)
    found, preferences = prompts(tmp_path / "whole")
    assert found == [row["prompt"] for row in ROWS]
    assert preferences.strings("source") == ["whole"] * 5
    assert preferences.dataset[4]["row"] == 5
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk(tmp_path / "splits")
    with pytest.raises(DataError, match=r"name one: .*splits/test, .*splits/train"):
        read_preferences(tmp_path / "splits")
    assert prompts(tmp_path / "splits" / "test")[0] == found
    datasets.DatasetDict({"train": data}).save_to_disk(tmp_path / "one")
    assert prompts(tmp_path / "one")[0] == found
    (tmp_path / "whole" / "dataset_info.json").write_text("{")
    with pytest.raises(DataError, match="cannot be loaded"):
        read_preferences(tmp_path / "whole")


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_the_parts_of_a_table_are_one_table(tmp_path, ending):
    folder = tmp_path / "table"
    folder.mkdir()
    for part, rows in enumerate((ROWS[:2], ROWS[2:3], ROWS[3:])):
        table = pa.Table.from_pylist(rows)
        path = folder / f"train-{part:05d}-of-00003.{ending}"
        if ending == "parquet":
            pq.write_table(table, path)
        else:
            make = pa.ipc.new_file if part == 1 else pa.ipc.new_stream
            with make(str(path), table.schema) as writer:
                writer.write_table(table)
    (folder / "README.md").write_text("# Not a table")
    found, preferences = prompts(folder)
    assert found == [row["prompt"] for row in ROWS]
    assert set(preferences.strings("source")) == {"table"}
    assert [row["row"] for row in preferences.dataset] == [1, 2, 3, 4, 5]
    (folder / f"train-00001-of-00003.{ending}").unlink()
    with pytest.raises(DataError, match=r"1 of 3 parts are missing .* number 00001"):
        read_preferences(folder)
    for part in (0, 2):
        (folder / f"train-{part:05d}-of-00003.{ending}").rename(folder / f"{part}.{ending}")
    assert len(read_preferences(folder)) == 4
    (folder / f"0.{ending}").rename(folder / f"test.{ending}")
    with pytest.raises(DataError, match=rf"several tables .*2\*\.{ending}, .*test\*\.{ending}"):
        read_preferences(folder)


def test_a_pattern_names_files_in_order(jsonl, tmp_path):
    for i, row in enumerate(ROWS):
        jsonl(row, name=f"part-{i}.jsonl" if i < 4 else "other.jsonl")
    found, preferences = prompts(str(tmp_path / "part-*.jsonl"))
    assert found == [row["prompt"] for row in ROWS[:4]]
    assert preferences.strings("source") == ["part-0", "part-1", "part-2", "part-3"]
    with pytest.raises(DataError, match=r"no file matches the pattern .*nothing-\*"):
        read_preferences(str(tmp_path / "nothing-*.jsonl"))
    with pytest.raises(DataError, match="does not exist"):
        read_preferences("~no-such-user/rows.jsonl")


def test_whatever_a_reader_or_a_parser_lies_in_is_part_of_the_cache_s_version():
    for module in (hh, conversion, column, json_texts, observed):
        assert any(Path(module.__file__).is_relative_to(folder) for folder in caching.OWN)
