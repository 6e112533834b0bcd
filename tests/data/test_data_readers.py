"""Every form of data ends in the same contract."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.data import read_preferences
from surefoot.data.readers import readers
from surefoot.data.reading.dialogues import CONTEXT_DIFFERS, part, part_texts
from surefoot.data.schema import Preferences, filled
from surefoot.data.text import Message, to_text
from surefoot.errors import DataError


def turn(role, content):
    return {"role": role, "content": content}


def rows_of(preferences):
    """Rows without the keys that messages lack."""

    def bare(value):
        if isinstance(value, list):
            return [bare(one) for one in value]
        if isinstance(value, dict):
            return {k: bare(v) for k, v in value.items() if k != "extra" or v is not None}
        return value

    return [bare(row) for row in preferences.dataset]


U, A, S = (lambda t, r=r: turn(r, t) for r in ("user", "assistant", "system"))


def share(speaker, value):
    return {"from": speaker, "value": value}


#: form: (record, prompt, response a, response b, label, conversational)
FORMS = {
    "contract": (
        {"prompt": "p", "response_a": "x", "response_b": "y", "label": 0.3},
        ([U("p")], [A("x")], [A("y")], 0.3, False),
    ),
    "contract, messages and a word": (
        {"prompt": [S("s"), U("p")], "response_a": [A("x")], "response_b": [A("y")], "label": "b"},
        ([S("s"), U("p")], [A("x")], [A("y")], 0.0, True),
    ),
    "TRL explicit": (
        {"prompt": "p", "chosen": "x", "rejected": "y"},
        ([U("p")], [A("x")], [A("y")], 1.0, False),
    ),
    "TRL implicit": (
        {"chosen": "The sky is blue.", "rejected": "The sky is green."},
        ([U("The sky is")], [A(" blue.")], [A(" green.")], 1.0, False),
    ),
    "TRL explicit, messages": (
        {"prompt": [U("p")], "chosen": [A("x")], "rejected": [A("y")]},
        ([U("p")], [A("x")], [A("y")], 1.0, True),
    ),
    "TRL implicit, messages": (
        {"chosen": [U("p"), A("q"), U("r"), A("x")], "rejected": [U("p"), A("q"), U("r"), A("y")]},
        ([U("p"), A("q"), U("r")], [A("x")], [A("y")], 1.0, True),
    ),
    "UltraFeedback: prompt as text beside whole dialogues": (
        {"prompt": "p", "chosen": [U("p"), A("x")], "rejected": [U("p"), A("y")]},
        ([U("p")], [A("x")], [A("y")], 1.0, True),
    ),
    "content in parts": (
        {
            "prompt": [{"role": "user", "content": [{"type": "text", "text": "p"}]}],
            "chosen": [A("x")],
            "rejected": [A("y")],
        },
        ([U("p")], [A("x")], [A("y")], 1.0, True),
    ),
    "HH": (
        {
            "chosen": "\n\nHuman: p\n\nAssistant: q\n\nstill q\n\nHuman: r\n\nAssistant: x",
            "rejected": "\n\nHuman: p\n\nAssistant: q\n\nstill q\n\nHuman: r\n\nAssistant: ",
        },
        ([U("p"), A("q\n\nstill q"), U("r")], [A("x")], [A("")], 1.0, True),
    ),
    "HH with the transcript apart": (
        {"prompt": "\n\nHuman: p\n\nAssistant:", "chosen": " x", "rejected": " y"},
        ([U("p")], [A("x")], [A("y")], 1.0, True),
    ),
    "ShareGPT": (
        {
            "conversations": [share("system", "s"), share("human", "p")],
            "chosen": share("gpt", "x"),
            "rejected": share("gpt", "y"),
        },
        ([S("s"), U("p")], [A("x")], [A("y")], 1.0, True),
    ),
    "ShareGPT with a system column": (
        {"conversations": [share("human", "p")], "system": "s", "chosen": "x", "rejected": "y"},
        ([S("s"), U("p")], [A("x")], [A("y")], 1.0, True),
    ),
    "LLMBar": (
        {"input": "p", "output_1": "x", "output_2": "y", "label": 2},
        ([U("p")], [A("x")], [A("y")], 0.0, False),
    ),
    "a tie": (
        {"question": "p", "response1": "x", "response2": "y", "preference": "both bad"},
        ([U("p")], [A("x")], [A("y")], 0.5, False),
    ),
    "instruction and input": (
        {"instruction": "p", "input": "more", "response1": "x", "response2": "y", "label": "1"},
        ([U("p\n\nmore")], [A("x")], [A("y")], 1.0, False),
    ),
    "arena": (
        {"prompt": "p", "response_a": "x", "response_b": "y", "winner": "model_b"},
        ([U("p")], [A("x")], [A("y")], 0.0, False),
    ),
    "annotators": (
        {"prompt": "p", "output_1": "x", "output_2": "y"}
        | {"annotator1": 1, "annotator2": 2, "annotator3": 0, "annotator4": 1},
        ([U("p")], [A("x")], [A("y")], 0.625, False),
    ),
    "votes": (
        {"prompt": "p", "response_a": "x", "response_b": "y", "votes": [1, 0, "tie", "a"]},
        ([U("p")], [A("x")], [A("y")], 0.625, False),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read(jsonl, form):
    record, (prompt, a, b, label, conversational) = FORMS[form]
    preferences = read_preferences(jsonl(record))
    row = rows_of(preferences)[0]
    assert (row["prompt"], row["response_a"], row["response_b"]) == (prompt, a, b)
    assert row["label"] == label
    assert row["conversational"] is conversational
    assert row["note"] is None
    assert row["source"] == "rows"
    assert not preferences.faults


def test_votes_are_kept_with_their_annotators(jsonl):
    record = FORMS["annotators"][0]
    row = rows_of(read_preferences(jsonl(record)))[0]
    assert row["label_from"] == "votes"
    assert row["votes"] == [
        {"annotator": f"annotator{i}", "value": value}
        for i, value in enumerate((1.0, 0.0, 0.5, 1.0), start=1)
    ]


@pytest.mark.parametrize("k", [2, 3, 5])
def test_scored_responses_give_all_pairs(jsonl, k):
    scores = [i % 3 for i in range(k)]
    texts = [f"r{i}" for i in range(k)]
    record = {"prompt": "p", "responses": texts, "scores": scores, "id": 7, "group": "g"}
    rows = read_preferences(jsonl(record)).dataset.to_list()
    assert len(rows) == math.comb(k, 2)
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        i, j = (int(to_text(row[side])[1:]) for side in ("response_a", "response_b"))
        assert row["label"] == (scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j])
        assert (row["score_a"], row["score_b"], row["group"]) == (scores[i], scores[j], "g")


def test_ranks_put_the_first_first_and_entries_may_hold_them(jsonl):
    ranks = {"prompt": "p", "answers": ["x", "y"], "ranks": [2, 1]}
    entries = {"prompt": "p", "answers": [{"answer": "x", "rank": 2}, {"answer": "y", "rank": 1}]}
    for record in (ranks, entries):
        (row,) = read_preferences(jsonl(record)).dataset.to_list()
        assert (to_text(row["response_a"]), row["label"]) == ("x", 0.0)


def test_optional_columns_are_carried_by_every_form_that_has_no_use_for_them(jsonl):
    optional = {
        **{"group": 3, "source": "s", "id": "i", "time": "2024-01-01", "weight": 2},
        **{"auxiliary": 0.7, "references": ["r1", "r2"], "reference_auxiliary": [0.4]},
    }
    for form, (record, _) in FORMS.items():
        row = rows_of(read_preferences(jsonl(record | optional)))[0]
        kept = {name: row[name] for name in optional}
        references = [[A("r1")], [A("r2")]]
        expected = {"group": "3", "time": 1704067200.0, "references": references}
        assert kept == optional | expected, form


VRPO = {
    **{"prompt": "p", "chosen": "x", "rejected": "y", "a_1": "r1", "a_2": "r2"},
    **{"chosen_preference": 0.8, "rejected_preference": 0.2},
    **{"a_1_preference": 0.3, "a_2_preference": 0.7},
}


def test_columns_of_vrpos_published_trainers(jsonl):
    row = rows_of(read_preferences(jsonl(VRPO)))[0]
    assert (row["auxiliary"], row["reference_auxiliary"]) == (0.8, [0.3])
    assert row["references"] == [[A("r1")], [A("r2")]]
    for change, message in [
        ({"a_2_preference": 0.6}, "should sum to 1"),
        ({"a_2": None}, "'a_2' is null"),
        ({"chosen_preference": 1.2}, "chosen_preference"),
    ]:
        faults = read_preferences(jsonl(VRPO, VRPO | change), max_unusable=1).faults
        assert len(faults) == 1
        assert message in faults[0].reason


def test_dialogues_that_part_early_are_noted_and_whole(jsonl):
    chosen = "\n\nHuman: p\n\nAssistant: one\n\nHuman: q\n\nAssistant: x"
    rejected = "\n\nHuman: p\n\nAssistant: two"
    row = rows_of(read_preferences(jsonl({"chosen": chosen, "rejected": rejected})))[0]
    assert row["prompt"] == [U("p")]
    assert row["response_a"] == [A("one"), U("q"), A("x")]
    assert row["response_b"] == [A("two")]
    assert row["note"] == CONTEXT_DIFFERS


@pytest.mark.parametrize(
    ("prompt", "before", "after", "expected"),
    [
        ("\n\nHuman: p", "\n\nAssistant: ", "", [U("p")]),
        ("\n\nHuman: p\n\nAssistant:", " ", "", [U("p")]),
        ("Human: p\n\nAssistant: q", "\n\nHuman: r\n\nAssistant: ", "", [U("p"), A("q"), U("r")]),
        (None, "\r\n\r\nHuman: p\r\n\r\nAssistant: ", "\r\n", [U("p")]),
    ],
)
def test_the_transcript_beside_hh_is_kept_however_the_answers_go_on(
    jsonl, prompt, before, after, expected
):
    record = {name: f"{before}{text}{after}" for name, text in (("chosen", "x"), ("rejected", "y"))}
    row = rows_of(read_preferences(jsonl(record | ({"prompt": prompt} if prompt else {}))))[0]
    assert (row["prompt"], row["response_a"], row["response_b"]) == (expected, [A("x")], [A("y")])
    assert row["note"] is None


def test_marks_of_speakers_on_single_lines_are_not_hh(jsonl):
    texts = {"chosen": "Human: p\nAssistant: x", "rejected": "Human: p\nAssistant: y"}
    row = rows_of(read_preferences(jsonl(texts)))[0]
    assert (row["prompt"], row["conversational"]) == ([U("Human: p\nAssistant:")], False)


def test_a_prompt_that_the_dialogues_do_not_hold_is_noted(jsonl):
    record = {"chosen": [U("p"), A("x")], "rejected": [U("p"), A("y")]}
    for prompt, note in [("p", None), ("q", CONTEXT_DIFFERS), ([], None)]:
        row = rows_of(read_preferences(jsonl(record | {"prompt": prompt})))[0]
        assert (row["prompt"], row["note"]) == ([U("p")], note)


turns = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), st.sampled_from("ab")), min_size=1, max_size=6
).map(lambda pairs: [Message(role=role, content=text) for role, text in pairs])


@given(turns, turns)
def test_parting_dialogues_loses_nothing(a, b):
    prompt, response_a, response_b, note = part(a, b)
    assert prompt + response_a == a
    assert prompt + response_b == b
    assert response_a
    assert response_b
    single = len(response_a) == len(response_b) == 1
    assert note is None or not single or response_a[0]["role"] == "user"


@given(st.text("ab ", max_size=12), st.text("ab ", max_size=12))
def test_parting_texts_loses_nothing_and_cuts_no_word(a, b):
    prompt, response_a, response_b = part_texts(a, b)
    assert prompt + response_a == a
    assert prompt + response_b == b
    if prompt:
        assert response_a.strip()
        assert response_b.strip()
        assert response_a[0].isspace()


PAIR = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 1}


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (PAIR | {"response_a": ["x"]}, "'response_a': expected text or messages; got a list"),
        (PAIR | {"response_b": None}, "the column 'response_b' is null"),
        ({k: v for k, v in PAIR.items() if k != "prompt"}, "no column holds the prompt"),
        (PAIR | {"prompt": 3}, "'prompt': expected text or messages; got a number, 3"),
        (PAIR | {"prompt": [turn("wizard", "p")]}, "the role 'wizard'"),
        (PAIR | {"prompt": [turn("user", None)]}, "should be text; got nothing"),
        (PAIR | {"label": float("nan")}, "'label' has no value, so the row has no label"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(jsonl, record, says):
    preferences = read_preferences(jsonl(PAIR, record), max_unusable=1)
    (fault,) = preferences.faults
    assert fault.row == 2
    assert says in fault.reason
    assert len(preferences) == 1


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"weight": -1}, "'weight' should be a finite number of at least 0"),
        ({"auxiliary": 1.2}, "'auxiliary'"),
        ({"group": ["g"]}, "'group' should be text or a number"),
        ({"time": "yesterday"}, "'time' should be a number"),
        ({"votes": "many"}, "'votes' should be a list"),
    ],
)
def test_a_stray_value_of_an_optional_column_is_a_fault_of_its_row(jsonl, bad, says):
    fits = {"weight": 1, "auxiliary": 0.5, "group": "g", "time": 1, "votes": [1]}
    preferences = read_preferences(jsonl(*[PAIR | fits] * 39, PAIR | fits | bad))
    (fault,) = preferences.faults
    assert (fault.row, len(preferences)) == (40, 39)
    assert says in fault.reason
    assert preferences.has(next(iter(bad)))


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("LLMBar", {"label": None}, "'label' has no value, so the row has no label"),
        ("votes", {"votes": []}, "'label' has no value, so the row has no label"),
        ("HH", {"chosen": "Hello there"}, "does not begin with 'Human:'"),
        ("HH", {"chosen": 3}, "'chosen' should be text"),
        ("TRL explicit", {"chosen": [A("x")]}, "is text and the other is not"),
        ("TRL implicit, messages", {"chosen": []}, "has no messages"),
        ("ShareGPT", {"rejected": []}, "has no messages"),
    ],
)
def test_what_each_reader_refuses(jsonl, good, bad, says):
    record = FORMS[good][0]
    (fault,) = read_preferences(jsonl(record, record, record | bad), max_unusable=1).faults
    assert says in fault.reason


@pytest.mark.parametrize(
    "bad",
    [{"scores": [1]}, {"scores": [1, None]}, {"responses": ["x"]}, {"scores": None}],
)
def test_listwise_rows_that_do_not_match_are_faults(jsonl, bad):
    record = {"prompt": "p", "responses": ["x", "y"], "scores": [1, 2]}
    preferences = read_preferences(jsonl(record, record | bad), max_unusable=1)
    assert len(preferences.faults) == 1


def test_every_reader_is_documented_and_named_once():
    found = readers()
    assert len({reader.name for reader in found}) == len(found) >= 6
    assert all(reader.accepts and reader.columns for reader in found)


def test_rows_in_memory_are_checked_like_rows_of_files():
    with pytest.raises(DataError, match="rows, row 1: label is P\\(a preferred\\)"):
        Preferences.from_rows([PAIR, PAIR | {"label": 1.5}])
    with pytest.raises(DataError, match="did you mean 'weight'"):
        filled(PAIR | {"wieght": 1})
