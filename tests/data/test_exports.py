"""What annotation tools, arenas and services export."""

from __future__ import annotations

import json
import shlex

import pytest

from surefoot.data import read_preferences
from surefoot.data.text import to_text
from surefoot.errors import DataError


def user(text):
    return {"role": "user", "content": text}


def said(text):
    return {"role": "assistant", "content": text}


@pytest.fixture
def read(tmp_path):
    """Reads records that it writes as a JSON array."""

    def of(*records, **options):
        path = tmp_path / "export.json"
        path.write_text(json.dumps(records))
        return read_preferences(path, **options)

    return of


def test_openai_preferences(read):
    tools = [{"type": "function", "function": {"name": "weather"}}]
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "weather"}}]}
    record = {
        "input": {"messages": [user("Rain?")], "tools": tools, "parallel_tool_calls": True},
        "preferred_output": [call],
        "non_preferred_output": [said("No.")],
    }
    preferences = read(record)
    (row,) = preferences.read("prompt", "response_a", "response_b", "label", "tools")
    assert [to_text(row[0]), to_text(row[2])] == ["Rain?", "No."]
    assert "weather" in to_text(row[1])
    assert (row[3], json.loads(row[4])) == (1.0, tools)
    assert "input.parallel_tool_calls" in preferences.readings[0].not_read
    with pytest.raises(DataError, match="'input' holds nothing, and none of full_text"):
        read({**record, "input": {}})


ARENA = {
    "conversation_a": [user("A fruit?"), said("Apple."), user("Why?"), said("Red.")],
    "conversation_b": [user("A fruit?"), said("Apple."), user("Why?"), said("Sweet.")],
    **{"model_a": "x-7b", "model_b": "y-7b", "judge": "u1", "tstamp": 1690000000.5},
}


@pytest.mark.parametrize(
    ("winner", "chance"),
    [
        *[("model_a", 1.0), ("model_b", 0.0), ("tie", 0.5), ("tie (bothbad)", 0.5)],
        *[("both_bad", 0.5), ("x-7b", 1.0), ("y-7b", 0.0), ("A", 1.0)],
    ],
)
def test_arena_battles(read, winner, chance):
    (row,) = read({**ARENA, "winner": winner}).dataset
    assert [turn["content"] for turn in row["prompt"]] == ["A fruit?", "Apple.", "Why?"]
    assert (to_text(row["response_a"]), to_text(row["response_b"])) == ("Red.", "Sweet.")
    assert (row["label"], row["time"]) == (chance, 1690000000.5)
    assert row["votes"] == [{"annotator": "u1", "value": chance}]


@pytest.mark.parametrize(
    ("outcome", "chance"),
    [((1, 0, 0), 1.0), ((0, 1, 0), 0.0), ((0, 0, 1), 0.5), ((0.3, 0.6, 0.1), 0.35)],
)
@pytest.mark.parametrize("write", [json.dumps, list], ids=["as text", "as lists"])
def test_arena_turns_in_lists(read, outcome, chance, write):
    names = ("winner_model_a", "winner_model_b", "winner_tie")
    texts = {
        "prompt": write(["A fruit?", "Why?"]),
        "response_a": write(["Apple.", "Red."]),
        "response_b": write(["Pear.", "Sweet."]),
    }
    (row,) = read({**texts, **dict(zip(names, outcome, strict=True))}).dataset
    assert to_text(row["prompt"]) == "A fruit?"
    assert [turn["content"] for turn in row["response_b"]] == ["Pear.", "Why?", "Sweet."]
    assert row["label"] == pytest.approx(chance)
    record = {**texts, **dict.fromkeys(names, 1)}
    with pytest.raises(DataError, match="should sum to 1; got 3"):
        read(record)
    with pytest.raises(DataError, match="a turn of 'prompt' or 'response_b' is null"):
        read({**record, "response_b": write(["Pear.", None])})


def task(*annotations, **data):
    return {"id": 5, "data": {"prompt": "p", "answer1": "x", "answer2": "y"} | data} | {
        "annotations": list(annotations)
    }


def annotation(who, answer, kind="pairwise", name="better", **more):
    value = {"selected": answer} if kind == "pairwise" else {kind: [answer]}
    result = {"from_name": name, "type": kind, "value": value}
    return {"completed_by": who, "result": [result]} | more


def test_label_studio_tasks(read):
    extra = {"from_name": "why", "type": "textarea", "value": {"text": ["Short."]}}
    first, second = annotation(1, "left"), annotation({"id": 2}, "right")
    second["result"].append(extra)
    cancelled = annotation(3, "right", was_cancelled=True)
    (row,) = read(task(first, second, cancelled, annotation(4, "left"))).dataset
    assert (to_text(row["response_a"]), row["id"]) == ("x", "5")
    assert row["votes"] == [
        {"annotator": who, "value": value} for who, value in (("1", 1.0), ("2", 0.0), ("4", 1.0))
    ]
    assert row["label"] == pytest.approx(2 / 3)
    answers = ("Answer 1", "answer2", "x", "Tie")
    rows = read(*(task(annotation(1, answer, "choices")) for answer in answers)).dataset
    assert [row["label"] for row in rows] == [1.0, 0.0, 1.0, 0.5]


def test_label_studio_tasks_that_do_not_say(read):
    good = task(annotation(1, "left"))
    preferences = read(*[good] * 30, task())
    assert (len(preferences), "no annotation was submitted" in preferences.faults[0].reason) == (
        *(30, True),
    )
    two = task(
        {
            "completed_by": 1,
            "result": [
                *annotation(1, "Answer 1", "choices", "style")["result"],
                *annotation(1, "Answer 2", "choices", "truth")["result"],
            ],
        }
    )
    with pytest.raises(DataError, match=r"several controls were answered .*JSON-MIN"):
        read(two)
    with pytest.raises(DataError, match=r"'data' holds prompt, poem, ode, of which no two"):
        read({"data": {"prompt": "p", "poem": "x", "ode": "y"}, "annotations": []})


ONE = {"user_id": "u1", "status": "submitted"}
RECORD = {"prompt": "p", "response1": "x", "response2": "y"}


@pytest.mark.parametrize(
    "value",
    [
        [{"rank": 2, "value": "response1"}, {"rank": 1, "value": "response2"}],
        {"rank": [2, 1], "value": ["response1", "response2"]},
        ["response2", "response1"],
        "response2",
        "Response 2",
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_argilla_records(read, value, version):
    tie = [{"rank": 1, "value": "response1"}, {"rank": 1, "value": "response2"}]
    answers = [
        ("u1", value, "submitted"),
        ("u2", "response1", "discarded"),
        ("u3", tie, "submitted"),
    ]
    if isinstance(value, str):
        answers[2] = ("u3", "tie", "submitted")
    if version == 1:
        columns = {
            "preference": [{"user_id": u, "value": v, "status": s} for u, v, s in answers],
            "quality": [{"user_id": "u1", "value": 4, "status": "submitted"}],
        }
    else:
        users, values, states = map(list, zip(*answers, strict=True))
        columns = {
            **{"preference.responses": values, "preference.responses.users": users},
            **{"preference.responses.status": states, "quality.responses": [4]},
        }
    preferences = read(RECORD | columns)
    (row,) = preferences.dataset
    assert row["votes"] == [{"annotator": "u1", "value": 0.0}, {"annotator": "u3", "value": 0.5}]
    assert row["label"] == 0.25
    assert any(name.startswith("quality") for name in preferences.readings[0].not_read)


def test_argilla_records_that_do_not_say(read):
    good = {"preference": [ONE | {"value": "response1"}]}
    open_ = {"preference": [ONE | {"value": "response1", "status": "draft"}]}
    preferences = read(*[RECORD | good] * 30, RECORD | open_)
    assert len(preferences) == 30
    assert "nobody submitted" in preferences.faults[0].reason
    with pytest.raises(DataError, match="2 questions are answered"):
        read(RECORD | {"one": good["preference"], "two": good["preference"]})
    other = [{"rank": 1, "value": "response1"}, {"rank": 2, "value": "response7"}]
    with pytest.raises(DataError, match="ranks response1, response7, not"):
        read(RECORD | {"preference": [ONE | {"value": other}]})


@pytest.mark.parametrize("empty", [None, ""])
def test_responses_without_a_score_are_in_no_pair_and_counted(read, empty):
    record = {"prompt": "p", "responses": ["x", "y", "z"], "scores": [1, empty, 3]}
    entries = [{"text": t, "score": s} for t, s in zip("xyz", record["scores"], strict=True)]
    for one in (record, {"prompt": "p", "responses": entries}):
        preferences = read(
            *[one] * 30, {"prompt": "q", "responses": ["x", "y"], "scores": [1, None]}
        )
        pairs = list(preferences.read("response_a", "response_b", "label"))
        assert [(to_text(a), to_text(b), label) for a, b, label in pairs] == [("x", "z", 0.0)] * 30
        assert preferences.readings[0].notes == ("30 responses have no score and are in no pair",)
        assert "1 of 2 'responses' have a score" in preferences.faults[0].reason


def test_a_ranking_is_read_where_it_can_only_mean_one_thing(read):
    """Ranks of the responses and responses in order are the same list for two, not for three."""

    def better(*places, **options):
        columns = {"prompt": "p", "responses": ["x", "y", "z"][: len(places)]}
        pairs = read(columns | {"ranking": list(places)}, **options)
        return [
            to_text(a if label == 1 else b)
            for a, b, label in pairs.read("response_a", "response_b", "label")
        ]

    assert better(1, 2) == ["x"]
    assert better(1, 0) == ["y"]
    assert better(1, 3, 2) == ["x", "x", "z"]
    with pytest.raises(DataError, match="--column ranks=ranking or --column order=ranking"):
        better(2, 3, 1)
    assert better(2, 3, 1, columns={"ranks": "ranking"}) == ["x", "z", "z"]  # z, x, y
    assert better(2, 3, 1, columns={"order": "ranking"}) == ["y", "z", "y"]  # y, z, x
    for wrong in ([1, 1, 2], [2, 3, 4], [1, 2]):
        with pytest.raises(DataError, match=r"each place once|2 'order' for 3"):
            read({"prompt": "p", "responses": ["x", "y", "z"], "order": wrong})


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"left_id": 3, "right_id": "a-7", "y": 1}] * 3, "--texts FILE"),
        ([{"0": "1", "3": "4"}], "not names: write a line of names above it"),
        (
            [{"id": i, "poem1": "tea by", "poem2": "a tea", "liking": i % 2} for i in range(5)],
            "--column response_a=poem1 --column response_b=poem2 --column label=liking --no-prompt",
        ),
        (
            [{"topic": "on tea", "left": "x y", "right": "y z", "vote": i % 3} for i in range(9)],
            "response_a=left --column response_b=right --column label=vote --column prompt=topic",
        ),
        ([{"prompt": "On tea?", "completion": "It is hot.", "label": True}] * 3, "needs two"),
        ([{"prompt;chosen;rejected": "On tea?;hot;cold"}] * 3, "parted by ';'"),
    ],
)
def test_a_form_that_is_not_known_says_what_may_be_wrong(read, rows, says):
    with pytest.raises(DataError, match="none of the forms") as caught:
        read(*rows)
    assert says in str(caught.value)


def dialogue(text):
    return [user("On tea?"), said(text)]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"prompt": "On tea?", "winner": "It is hot.", "loser": "It is a"}, 1.0),
        ({"query": "On tea?", "positive": "It is hot.", "negative": "It is a"}, 1.0),
        ({"prompt": "On tea?", "preferred": "It is hot.", "dispreferred": "It is a"}, 1.0),
        ({"topic": "On tea?", "chosen answer": "It is hot.", "rejected answer": "It is a"}, 1.0),
        (
            {
                "question": "On tea?",
                "response_chosen": "It is hot.",
                "response_rejected": "It is a",
            },
            1.0,
        ),
        ({"question": "On tea?", "response_j": "It is hot.", "response_k": "It is a"}, 1.0),
        ({"Prompt": "On tea?", "Chosen": "It is hot.", "Rejected": "It is a"}, 1.0),
        ({"PROMPT": "On tea?", "CHOSEN": "It is hot.", "REJECTED": "It is a"}, 1.0),
        (
            {
                "text": "On tea?",
                "completion_a": "It is hot.",
                "completion_b": "It is a",
                "worker_annotations": [
                    {"evaluator": "u", "overall_pref": "B-is-slightly-better"},
                    {"evaluator": "v", "overall_pref": "Tie"},
                ],
            },
            0.25,
        ),
        ({"topic": "On tea?", "poem 1": "It is hot.", "poem 2": "It is a", "Better?": "a"}, 1.0),
        (
            {"In.prompt": "On tea?", "In.text_a": "It is hot", "In.text_b": "It is", "Out": "a"},
            1.0,
        ),
        ({"id": 1, "topic": "On tea?", "x1": "It is hot.", "x2": "It is a", "on": "b"}, 0.0),
    ],
)
def test_the_command_that_a_hint_prints_reads_the_file(read, record, expected):
    turned = {name: {"a": "b", "b": "a"}.get(str(value), value) for name, value in record.items()}
    records = [record, record, turned | ({"id": 2} if "id" in record else {})]
    with pytest.raises(DataError, match="none of the forms") as caught:
        read(*records)
    line = next(line for line in str(caught.value).splitlines() if line.startswith("Perhaps: "))
    said_so = shlex.split(line.removeprefix("Perhaps: "))
    columns = dict(one.split("=", 1) for one in said_so if one != "--column")
    assert read(*records, columns=columns).labels.tolist()[0] == expected


def test_no_label_is_guessed_where_no_column_says_which_is_better(read):
    pair = {"prompt": "On tea?", "poem1": "It is hot.", "poem2": "It is a", "user_id": 3}
    marks = {"mark1": 2, "mark2": 1}
    for record in (pair, pair | marks):
        with pytest.raises(DataError, match="no column seems to say which of them is better"):
            read(record, record, {**record, "mark1": 1, "mark2": 2, "user_id": 4})


def test_two_responses_in_a_list(read):
    rows = [{"prompt": "p", "responses": ["x", "y"], "chosen_index": i % 2} for i in range(4)]
    assert read(*rows).labels.tolist() == [1.0, 0.0, 1.0, 0.0]
    with pytest.raises(DataError, match=r"--coding better=first-is-1 .*\n.*better=first-is-0"):
        read(*({"prompt": "p", "responses": ["x", "y"], "better": 1 + i % 2} for i in range(4)))
    with pytest.raises(DataError, match="has 3 responses; one label compares two"):
        read({"prompt": "p", "responses": ["x", "y", "z"], "best": 0})


def test_summaries_from_feedback(read):
    summaries = [{"text": "Cats.", "policy": "s1"}, {"text": "Dogs.", "policy": "s2"}]
    row = {"info": {"post": "On cats.", "id": "t3"}, "summaries": summaries}
    preferences = read(
        *(row | {"choice": c, "worker": w} for c, w in ((0, "u"), (1, "v"), (0, "w")))
    )
    (found,) = preferences.dataset
    assert (to_text(found["prompt"]), to_text(found["response_b"])) == ("On cats.", "Dogs.")
    assert [vote["value"] for vote in found["votes"]] == [1.0, 0.0, 1.0]
    assert found["label"] == pytest.approx(2 / 3)
    assert {"info.id", "summaries[].policy"} <= preferences.readings[0].not_read.keys()


def test_columns_that_seem_to_say_more_are_warned_of(read):
    pair = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 1}
    (reading,) = read(pair | {"winner": "B", "Weight": 2}).readings
    assert set(reading.warnings) == {
        "column 'winner' was not read, and may say too which response is preferred",
        "column 'Weight' was not read: did you mean 'weight'?",
    }


def test_a_prompt_in_a_mapping(read):
    pair = {"answer_0": "x y", "answer_1": "y z", "score_0": -0.5, "score_1": 0.5}
    found = read(pair | {"question": {"full_text": "On tea?", "id": "q1"}})
    assert (to_text(found.dataset[0]["prompt"]), found.labels.tolist()) == ("On tea?", [0.0])
    assert "question.id" in found.readings[0].not_read
    with pytest.raises(DataError, match="'question' holds id, and none of full_text, text"):
        read(pair | {"question": {"id": "q1"}})


def test_more_responses_than_are_compared_are_warned_of(read):
    pair = {"prompt": "p", "response_1": "x", "response_2": "y", "label": 2}
    for record in (pair | {"response_3": "z"}, {**pair, "chosen": "x", "rejected": "y"}):
        warnings = read(record | {"answer c": "w"}).readings[0].warnings
        left = ["response_3"] if "response_3" in record else ["response_1", "response_2"]
        for name in ("answer c", *left):
            assert f"column '{name}' was not read, and may hold another response" in warnings
    assert not read(pair | {"responses": ["x", "y"]}).readings[0].warnings


def test_messages_that_cannot_be_read_say_what_was_found(read):
    prompt = [{"role": "prompter", "text": "On tea?"}]
    with pytest.raises(DataError, match=r"should be text; got nothing \(its keys: role, text\)"):
        read({"prompt": prompt, "chosen": "x y", "rejected": "y z"})
    pair = {"prompt": "p", "response_a": "x", "response_b": "y", "label": [0, 1]}
    with pytest.raises(DataError, match="Write it as a number or a word"):
        read(pair)
    with pytest.raises(DataError, match=r"export\.json: 'chosen' holds 'A' in row 1"):
        read({"prompt": "p", "response_a": "x", "response_b": "y", "chosen": "A", "rejected": "B"})
