"""Comparisons that hold ids, joined with their texts."""

import pytest

from surefoot.data import read_preferences
from surefoot.data.prompts import read_prompts
from surefoot.errors import DataError

PUNS = [{"id": i, "text": f"pun {i}"} for i in range(4)]
VOTED = {"a": 0, "b": 1, "wins_a": 2, "wins_b": 1}
SIDES = {"response_a": "a", "response_b": "b"}


def read(path, texts, **options):
    return read_preferences(
        path, texts=[str(one) for one in texts], columns=SIDES, no_prompt=True, **options
    )


def test_ids_are_read_as_their_texts_and_counts_that_are_ids_too_stay_counts(jsonl):
    path = jsonl(VOTED, VOTED | {"a": 3})
    found = read(path, [jsonl(*PUNS, name="puns.jsonl.gz")])
    assert found.texts("response") == (["pun 0", "pun 3"], ["pun 1", "pun 1"])
    assert found.labels.tolist() == pytest.approx([2 / 3, 2 / 3])
    assert [len(votes) for (votes,) in found.read("votes")] == [3, 3]


def test_a_table_that_wrote_numbers_as_it_liked(tmp_path, jsonl):
    (tmp_path / "puns.csv").write_text("id,text\n0,nought\n1,one\n")
    found = read(jsonl(VOTED | {"a": 0.0, "b": "1"}), [tmp_path / "puns.csv"])
    assert found.texts("response") == (["nought"], ["one"])


def test_texts_in_two_files_and_a_prompt_that_is_an_id(jsonl):
    asked = jsonl({"id": "q1", "text": "Make me laugh."}, name="asked.jsonl")
    puns = jsonl(*PUNS, name="puns.jsonl")
    path = jsonl(VOTED | {"prompt": "q1"})
    found = read_preferences(path, texts=[str(asked), str(puns)], columns=SIDES)
    assert found.texts("last-turn")[0] == ["Make me laugh."]


def test_a_prompt_that_is_text_stays_it(jsonl):
    path = jsonl(VOTED | {"prompt": "Make me laugh."}, VOTED | {"prompt": "2"})
    found = read(path, [jsonl(*PUNS, name="puns.jsonl")])
    assert found.texts("last-turn")[0] == ["Make me laugh.", "2"]


def test_other_texts_are_other_data(jsonl):
    path, puns = jsonl(VOTED), jsonl(*PUNS, name="puns.jsonl")
    first = read(path, [puns])
    jsonl(*({**pun, "text": "none"} for pun in PUNS), name="puns.jsonl")
    second = read(path, [puns])
    assert second.texts("response") == (["none"], ["none"])
    assert first.fingerprint != second.fingerprint


def test_prompts_alone_by_their_ids(jsonl):
    asked = jsonl({"id": 1, "text": "Make me laugh."}, name="asked.jsonl")
    found, alone = read_prompts([str(jsonl({"prompt": 1}))], texts=[str(asked)])
    assert alone
    assert found.texts("last-turn")[0] == ["Make me laugh."]


def test_what_is_wrong_is_said(jsonl):
    puns = jsonl(*PUNS, name="puns.jsonl")
    kept = read(jsonl(VOTED, VOTED | {"b": 9}), [puns], max_unusable=0.5)
    assert "'b' is '9', and no text has that id" in kept.faults[0].reason
    with pytest.raises(DataError, match=r"such as '0', '1', '2'.*'a' is '77'.*--column response_a"):
        read(jsonl(VOTED | {"a": 77, "b": 78}), [puns])
    with pytest.raises(DataError, match=r"columns 'id' and 'text'.*got id, joke"):
        read(jsonl(VOTED), [jsonl({"id": 0, "joke": "x"}, name="jokes.jsonl")])
    with pytest.raises(DataError, match=r"row 2: another text has id '0'"):
        read(jsonl(VOTED), [jsonl(PUNS[0], PUNS[0] | {"text": "y"}, name="twice.jsonl")])


def test_without_the_texts_they_are_asked_for(jsonl):
    with pytest.raises(DataError, match=r"--texts FILE"):
        read_preferences(jsonl(VOTED))
