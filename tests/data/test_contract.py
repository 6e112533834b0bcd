"""Every column and key of the input is used, carried, named as not read, or refused.

Members join by existing: each reader brings an example, from which the rows here are made.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surefoot.data import read_preferences
from surefoot.data.files import read_records
from surefoot.data.options import ReadingOptions
from surefoot.data.readers import readers
from surefoot.data.reading.account import Reading
from surefoot.data.reading.contract import CARRIED, HISTORY, MEDIA, SYSTEMS
from surefoot.data.reading.conversion import Conversion, StartAgainError
from surefoot.data.reading.recognition import known
from surefoot.data.sources.origins import Origin
from surefoot.data.sources.tables import Numbered
from surefoot.data.text import MESSAGE_KEYS, to_text
from surefoot.errors import DataError

ANY_SHARE = ReadingOptions(max_unusable=1.0, no_prompt=True)
READERS = {reader.name: reader for reader in readers()}
QUICK = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def as_messages(value, role):
    """A text as messages, where a form takes either."""
    return [{"role": role, "content": value}]


#: Richer records than the examples, in forms that share a reader: messages, nested entries, votes.
RICHER = {
    "messages": {
        "prompt": as_messages("p", "user"),
        "chosen": as_messages("x", "assistant"),
        "rejected": [{"role": "assistant", "content": [{"type": "text", "text": "y"}]}],
    },
    "whole dialogues": {
        "chosen": [*as_messages("p", "user"), *as_messages("x", "assistant")],
        "rejected": [*as_messages("p", "user"), *as_messages("y", "assistant")],
    },
    "a conversation beside": {
        "conversations": [{"from": "human", "value": "p"}],
        "chosen": {"from": "gpt", "value": "x"},
        "rejected": {"from": "gpt", "value": "y"},
    },
    "another end": {
        "messages": [*as_messages("p", "user"), *as_messages("x", "assistant")],
        "rejected_response": "y",
    },
    "scores beside": {
        "prompt": "p",
        "chosen": {"text": "x", "score": 2},
        "rejected": {"text": "y", "score": 1},
    },
    "messages in the input": {
        "input": {"messages": as_messages("p", "user")},
        "preferred_output": as_messages("x", "assistant"),
        "non_preferred_output": as_messages("y", "assistant"),
    },
    "two in a list": {"prompt": "p", "responses": ["x", "y"], "chosen_index": 0},
    "scored entries": {
        "prompt": "p",
        "answers": [{"text": "x", "rank": 1}, {"text": "y", "rank": 2}],
    },
    "entries that are messages": {
        "prompt": as_messages("p", "user"),
        "responses": [as_messages("x", "assistant"), as_messages("y", "assistant")],
        "scores": [2, 1],
    },
    "votes that are mappings": {
        "prompt": "p",
        "response_a": "x",
        "response_b": "y",
        "votes": [{"annotator": "z", "value": 1}],
    },
    "strengths": {
        "context": as_messages("p", "user"),
        "response1": "x",
        "response2": "y",
        "overall_preference": -2,
        "individual_preference": [{"score": -2}],
    },
}
RECORDS = {name: dict(reader.example) for name, reader in READERS.items()} | RICHER


def reading_of(*records):
    return read_records(list(records), "rows", options=ANY_SHARE).readings[0]


def outcome(record):
    """Names that were named as not read; None where the record was refused."""
    try:
        found = read_records([record], "rows", options=ANY_SHARE)
    except DataError:
        return None
    (reading,) = found.readings
    assert reading.unusable == reading.unlabelled == 0
    return {*reading.not_read}, {*reading.used}


def mappings_in(value, path=""):
    """Every mapping inside a record, with the path that the account gives to its keys."""
    if isinstance(value, dict):
        yield path, value
        for name, inner in value.items():
            yield from mappings_in(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from mappings_in(inner, f"{path}[]")


@pytest.mark.parametrize("form", RECORDS)
def test_every_example_is_read_and_every_column_of_it_is_used(form):
    record = RECORDS[form]
    found = outcome(record)
    assert found is not None
    not_read, used = found
    assert not not_read
    assert set(record) <= used


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_its_own_example(name):
    assert reading_of(READERS[name].example).form == name


@pytest.mark.parametrize("name", READERS)
def test_a_reader_that_forgets_a_column_is_found_out(name, monkeypatch):
    """The account does not ask the reader: a column that nobody takes is named."""
    reader = READERS[name]
    record = dict(reader.example) | {"forgotten": "x"}

    def careless(given):
        rows = list(reader.rows(given))
        assert given.look("forgotten") == "x"  # looking is not reading
        assert "forgotten" in given
        return iter(rows)

    changed = [replace(one, rows=careless) if one is reader else one for one in readers()]
    monkeypatch.setattr("surefoot.data.reading.recognition.readers", lambda: changed)
    assert "forgotten" in reading_of(record).not_read


@st.composite
def strange_columns(draw):
    names = st.text("abcdefghij_ ", min_size=5, max_size=12).filter(lambda n: n not in known())
    values = st.sampled_from(
        ["text", 3, 0, -1.5, True, False, ["x"], [1, 2], {"k": "v"}, [{"role": "user"}], [[]]]
    )
    return draw(st.dictionaries(names, values, min_size=1, max_size=4))


@pytest.mark.parametrize("form", RECORDS)
@QUICK
@given(columns=strange_columns())
def test_unknown_columns_are_named(form, columns):
    found = outcome({**columns, **RECORDS[form]})
    assert found is not None
    assert {*columns} - {*RECORDS[form]} <= found[0]


@pytest.mark.parametrize("form", RECORDS)
@QUICK
@given(key=st.text("abcdefghij_", min_size=5, max_size=12), place=st.integers(0, 20))
def test_unknown_keys_anywhere_inside_are_named(form, key, place):
    record = copy.deepcopy(RECORDS[form])
    inside = list(mappings_in(record))
    path, target = inside[place % len(inside)]
    if key in target or key in known() or key in MESSAGE_KEYS:
        return
    target[key] = "a value"
    found = outcome(record)
    assert found is None or (f"{path}.{key}" if path else key) in found[0]


@pytest.mark.parametrize("form", RECORDS)
@QUICK
@given(
    name=st.sampled_from(sorted(known())),
    value=st.sampled_from(["text", 1, [1], ["x"], {"a": 1}, [{"role": "user", "content": "q"}]]),
)
def test_known_columns_beside_any_form_are_used_named_or_refused(form, name, value):
    record = RECORDS[form]
    if name in record:
        return
    found = outcome({**record, name: value})
    assert found is None or name in found[0] | found[1]


@pytest.mark.parametrize("form", RECORDS)
@pytest.mark.parametrize("column", [*SYSTEMS, HISTORY])
def test_system_messages_and_histories_go_in_front_of_the_prompt(form, column):
    value = [["before", "so it was"]] if column == HISTORY else "Be short."
    (row, *_) = read_records([{**RECORDS[form], column: value}], "rows").dataset
    said = [turn["content"] for turn in row["prompt"]]
    assert said == (["before", "so it was"] if column == HISTORY else ["Be short."]) + ["p"]
    assert row["conversational"]
    assert row["prompt"][0]["role"] == ("user" if column == HISTORY else "system")


def test_a_second_system_message_is_refused_and_the_same_one_is_not_repeated():
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}]
    record = {"prompt": turns, "chosen": "x", "rejected": "y"}
    (row,) = read_records([record | {"system": "s"}], "rows").dataset
    assert [turn["content"] for turn in row["prompt"]] == ["s", "p"]
    with pytest.raises(DataError, match="different system messages"):
        read_records([record | {"system": "another"}], "rows")


@pytest.mark.parametrize("form", RECORDS)
def test_tools_and_arguments_of_the_template_are_carried_by_every_form(form):
    tools = [{"type": "function", "function": {"name": "f"}}]
    beside = {"tools": tools, "chat_template_kwargs": {"enable_thinking": False}}
    (row, *_) = read_records([{**RECORDS[form], **beside}], "rows").dataset
    assert json.loads(row["tools"]) == tools
    assert json.loads(row["template_arguments"]) == {"enable_thinking": False}


@pytest.mark.parametrize("column", MEDIA)
def test_media_are_refused_where_the_text_has_a_place_for_them_and_else_warned_of(column):
    record = {"prompt": "<image>What is it?", "chosen": "x", "rejected": "y", column: ["file"]}
    with pytest.raises(DataError, match=f"'<image>' for what the column '{column}' holds"):
        read_records([record], "rows")
    (reading,) = read_records([record | {"prompt": "What is it?"}], "rows").readings
    assert any(repr(column) in line for line in reading.warnings)


def test_parts_of_messages_that_are_not_text_are_refused_by_name():
    part = {"type": "image", "image": "file"}
    record = {"prompt": [{"role": "user", "content": [part]}], "chosen": "x", "rejected": "y"}
    with pytest.raises(DataError, match="not text \\('image'\\)"):
        read_records([record], "rows")


@pytest.mark.parametrize(
    ("column", "warning"),
    [
        ("margin", "column 'margin' was not read, and may change what is learnt"),
        ("question", "may change what is learnt (taken as the prompt: prompt)"),
        ("chosen_scor", "column 'chosen_scor' was not read: did you mean 'chosen_score'?"),
        ("sytem", "column 'sytem' was not read: did you mean 'system'?"),
        ("chatHistory", "column 'chatHistory' was not read, and may change what is learnt"),
        ("image_url", "column 'image_url' was not read, and may change what is learnt"),
        ("enable_thinking", "may change what is learnt"),
    ],
)
def test_what_may_matter_is_a_warning(column, warning):
    found = reading_of({"prompt": "p", "chosen": "x", "rejected": "y", column: "z"})
    (line,) = found.warnings
    assert warning in line
    assert column in found.not_read


def test_keys_of_mappings_are_warned_of_as_columns_are_and_counts_are_not():
    prompt = {"text": "p", "system": "Be brief.", "system_id": 3}
    record = {"prompt": prompt, "chosen": "x", "rejected": "y", "num_turns": 2}
    assert reading_of(record).warnings == (
        "the key 'prompt.system' was not read, and may change what is learnt",
    )


def test_the_account_survives_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "rows.jsonl"
    record = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 0, "margin": 2}
    path.write_text(json.dumps(record) + "\n")
    first, second = read_preferences(path), read_preferences(path)
    assert first.readings == second.readings
    assert first.readings[0].not_read == {"margin": 1}
    assert second.select([0]).readings == first.readings
    both = read_preferences([path, path])
    assert [one.place for one in both.readings] == [str(path)] * 2


def test_a_column_in_some_rows_only_is_counted():
    record = {"prompt": "p", "chosen": "x", "rejected": "y"}
    (reading,) = read_records([record, record | {"extra": 1}, record], "rows").readings
    assert reading.not_read == {"extra": 1}
    assert "not read: extra (in 1 rows)" in list(reading.lines())


def test_a_column_that_a_mapping_puts_aside_is_named():
    record = {"prompt": "p", "q": "the real one", "chosen": "x", "rejected": "y"}
    options = ReadingOptions(columns={"prompt": "q"})
    found = read_records([record], "rows", options=options)
    assert to_text(found.dataset[0]["prompt"]) == "the real one"
    (reading,) = found.readings
    assert reading.used["q"] == "prompt"
    assert reading.not_read == {"prompt": 1}


def test_carried_columns_are_said_to_be_used():
    beside = {"weight": 2, "group": "g", "source": "s"}
    found = reading_of({"prompt": "p", "chosen": "x", "rejected": "y", **beside})
    assert {*beside} <= {*found.used}
    assert {*beside} <= {*CARRIED}


ODD = st.sampled_from(
    [
        *(None, "", 0, 2, -1, 0.5, 10**400, float("nan"), True, "x", "tie", "[1, 2]", "['", [], {}),
        *(
            [1],
            ["x", "y"],
            [None],
            [[]],
            [["a", "b"]],
            [{"a": 1}],
            {"a": 1},
            {"text": 1},
            {"text": "x"},
        ),
        *({"role": "user"}, {"role": None, "content": "x"}, [{"role": "user", "content": "x"}]),
        *({"rank": [1], "value": ["response1", "response2"]}, {"rank": 1, "value": 2}),
    ]
)
BESIDE = st.sampled_from(
    [
        *("votes", "annotator", "annotator1", "individual_preference", "votes_a", "votes_b"),
        *("label", "winner", "scores", "rank_a", "rank_b", "order", "ranking", "prompt", "chosen"),
        *("history", "system", "messages", "conversations", "rejected_response", "references"),
        *(
            "preference",
            "preference.responses",
            "preference.responses.users",
            "annotations",
            "info",
        ),
    ]
)


@st.composite
def odd_records(draw):
    """A record of a form with odd values in it, at any depth, and with odd columns beside."""
    record = copy.deepcopy(RECORDS[draw(st.sampled_from(sorted(RECORDS)))])
    record |= copy.deepcopy(draw(st.dictionaries(BESIDE, ODD, max_size=3)))
    for _ in range(draw(st.integers(0, 2))):
        places = [(holder, key) for _, holder in mappings_in(record) for key in holder]
        holder, key = draw(st.sampled_from(places))
        holder[key] = copy.deepcopy(draw(ODD))
    return record


@settings(QUICK, max_examples=150)
@given(records=st.lists(odd_records(), min_size=1, max_size=3), unlabelled=st.booleans())
def test_odd_values_are_read_or_refused_and_nothing_else(records, unlabelled):
    """No other exception, and an end: a file is begun anew a few times at most."""
    rows = [Numbered(i, record) for i, record in enumerate(records, 1)]
    origin = Origin("rows", "rows", "0", lambda: iter(rows))
    conversion = Conversion(origin, ANY_SHARE, unlabelled=unlabelled)
    for _ in range(8):
        try:
            for _ in conversion.batches():
                pass
        except StartAgainError:
            continue
        except DataError:
            return
        assert list(Reading.from_dict(conversion.described()["reading"]).lines())
        return
    raise AssertionError("the file is begun anew for ever")
