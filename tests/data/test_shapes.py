"""Shapes that people's files have, read rightly or refused by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.data import read_preferences
from surefoot.data.checks import check
from surefoot.data.files import read_origin, read_records
from surefoot.data.options import ReadingOptions
from surefoot.data.readers.numbered import label_among, pair_among
from surefoot.data.reading.conversion import Conversion
from surefoot.data.sources.origins import Origin
from surefoot.data.sources.tables import Numbered
from surefoot.data.text import to_text
from surefoot.errors import DataError


def read(*records, **options):
    return read_records(list(records), "rows", options=ReadingOptions(**options))


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


def texts(row):
    return tuple(to_text(row[name]) for name in ("prompt", "response_a", "response_b"))


PLAIN = {"prompt": "On tea?", "chosen": "tea fine", "rejected": "tea bad"}


@pytest.mark.parametrize("content", ["", None])
def test_answers_that_are_tool_calls_differ(content):
    def call(word):
        return [{"type": "function", "function": {"name": "look_up", "arguments": {"word": word}}}]

    record = {
        "prompt": [turn("user", "Find tea."), turn("tool", "tea: a thing", tool_call_id="1")],
        "chosen": [turn("assistant", content, tool_calls=call("tea"))],
        "rejected": [turn("assistant", content, tool_calls=call("nothing"))],
        "tools": [{"type": "function", "function": {"name": "look_up"}}],
    }
    found = read(record)
    row = found.dataset[0]
    assert '"tea"' in row["response_a"][0]["extra"]
    assert json.loads(row["tools"]) == record["tools"]
    assert check(found).of("identical-responses") is None
    assert not found.readings[0].not_read


def test_answers_that_differ_in_their_reasoning_differ():
    chosen, rejected = (
        [turn("assistant", "Fine.", reasoning_content=why)] for why in ("With care.", "Whatever.")
    )
    found = read({"prompt": [turn("user", "On tea?")], "chosen": chosen, "rejected": rejected})
    assert check(found).of("identical-responses") is None
    assert not found.readings[0].not_read


def test_history_beside_an_instruction():
    record = {"instruction": "And the second?", "input": "", "chosen": "two", "rejected": "no"}
    found = read(record | {"history": [["Name two.", "one and two."]]})
    said = [(one["role"], one["content"]) for one in found.dataset[0]["prompt"]]
    assert said == [
        ("user", "Name two."),
        ("assistant", "one and two."),
        ("user", "And the second?"),
    ]


@pytest.mark.parametrize("history", [["a text"], [["one"]], 3, [[1, 2]]])
def test_a_history_that_is_none_is_refused(history):
    with pytest.raises(DataError, match="history"):
        read(PLAIN | {"history": history})


def test_soft_preferences_between_one_and_two():
    record = {"instruction": "Say.", "output_1": "x", "output_2": "y"}
    given = [1.0000041, 1.9999, 1.73, 1.5, 2.0]
    found = read(*(record | {"instruction": f"{i}", "preference": v} for i, v in enumerate(given)))
    assert found.labels.tolist() == pytest.approx([2 - v for v in given])


def test_lists_of_texts_every_chosen_against_every_rejected():
    record = {"id": 7, "prompt": "p", "chosen": ["a", "b"], "rejected": ["x", "y", "z"]}
    found = read(record)
    assert {texts(row)[1:] for row in found.dataset} == {(c, r) for c in "ab" for r in "xyz"}
    assert len(set(found.strings("id"))) == 6
    assert set(found.labels) == {1.0}


def test_ranks_in_answers_beside_a_source_that_is_a_list():
    answers = [{"answer": a, "model": m, "rank": r} for a, m, r in ("xk1", "yl2", "zm2")]
    found = read({"prompt": "p", "answers": answers, "source": ["s"], "good_natured": True})
    assert found.labels.tolist() == [1, 1, 0.5]
    (reading,) = found.readings
    assert {"source", "answers[].model", "good_natured"} == {*reading.not_read}
    assert any("'source' was left out" in note for note in reading.notes)
    assert found.strings("source") == ["rows"] * 3


@pytest.mark.parametrize(
    ("column", "value"),
    [("votes", 12), ("time", "two days ago"), ("source", {"name": "x"}), ("group", ["a"])],
)
def test_optional_columns_with_another_meaning_are_left_out_with_a_note(column, value):
    found = read(*[PLAIN | {column: value}] * 12)
    (reading,) = found.readings
    assert len(found) == 12
    assert reading.not_read == {column: 12}
    assert any(f"{column!r} was left out" in note for note in reading.notes)
    (asked,) = read(PLAIN | {column: value}, columns={column: ""}).readings
    assert not asked.notes
    assert asked.not_read == {column: 1}
    with pytest.raises(DataError, match=f"said to hold {column!r}"):
        read(PLAIN | {"mine": value}, columns={column: "mine"})


def test_tools_that_are_none_are_refused_until_they_are_said_to_be_another_thing():
    for column in ("tools", "chat_template_kwargs"):
        records = [PLAIN | {column: "hammer"}] * 3
        with pytest.raises(DataError, match=f"--column {column}="):
            read(*records)
        assert len(read(*records, columns={column: ""})) == 3


def test_a_weight_that_is_none_is_left_out_with_a_warning():
    (reading,) = read(*[PLAIN | {"weight": "high"}] * 3).readings
    assert "column 'weight' was left out" in reading.warnings[0]


def test_ratings_are_evidence_about_the_order():
    rows = [
        PLAIN
        | {"prompt": f"On {i}?", "rating_chosen": 2, "rating_rejected": 5}
        | ({"rating_chosen": 9} if i < 5 else {})
        for i in range(30)
    ]
    found = read(*rows)
    assert (found.dataset[0]["score_a"], found.dataset[0]["score_b"]) == (9, 5)
    assert check(found).of("swapped-label").count == 25


def test_dialogues_beside_what_repeats_them():
    question = turn("user", "On tea?")
    record = {
        "messages": [question, turn("assistant", "fine")],
        "chosen": [question, turn("assistant", "fine")],
        "rejected": [question, turn("assistant", "bad")],
    }
    found = read(record)
    assert texts(found.dataset[0]) == ("On tea?", "fine", "bad")
    assert not found.readings[0].warnings


@pytest.mark.parametrize("name", ["messages", "conversation", "context"])
def test_messages_are_the_prompt_of_answers_that_stand_alone(name):
    record = {
        name: [turn("system", "s"), turn("user", "p")],
        "chosen": turn("assistant", "x"),
        "rejected": turn("assistant", "y"),
    }
    found = read(record)
    assert [one["content"] for one in found.dataset[0]["prompt"]] == ["s", "p"]


@pytest.mark.parametrize("answers", [("x", "y"), (turn("assistant", "x"), turn("assistant", "y"))])
def test_a_dialogue_that_goes_on_to_an_answer_is_the_prompt_without_it(answers):
    dialogue = [turn("user", "p"), turn("assistant", "x")]
    found = read({"messages": dialogue, "chosen": answers[0], "rejected": answers[1]})
    assert texts(found.dataset[0]) == ("p", "x", "y")


def test_typed_parts_whose_text_is_called_value():
    def dialogue(answer):
        parts = [[{"type": "text", "value": text}] for text in ("On tea?", answer)]
        return [turn("user", parts[0], loss_weight=0.0), turn("assistant", parts[1], loss_weight=1)]

    record = {"chosen_messages": dialogue("fine"), "rejected_messages": dialogue("bad")}
    found = read(record)
    assert texts(found.dataset[0]) == ("On tea?", "fine", "bad")
    (reading,) = found.readings
    assert {*reading.not_read} == {f"{name}[].loss_weight" for name in record}


def test_an_implied_prompt_in_a_script_without_spaces():
    record = {"chosen": "问题:请介绍茶。回答:茶很好。", "rejected": "问题:请介绍茶。回答:不知道。"}
    assert texts(read(record).dataset[0]) == ("问题:请介绍茶。回答:", "茶很好。", "不知道。")


def test_two_dialogues_that_differ_in_the_first_turn_are_whole_and_noted():
    same = [turn("user", "On tea?"), turn("assistant", "x")]
    other = [turn("user", "About boats?"), turn("assistant", "y")]
    rows = [{"chosen": same, "rejected": [same[0], turn("assistant", f"{i}")]} for i in range(3)]
    found = read(*rows, {"chosen": same, "rejected": other})
    assert texts(found.dataset[3]) == ("", "user: On tea?\n\nassistant: x", to_text(other))
    assert check(found).of("prompt-not-a-prefix").count == 1


def test_strengths_with_several_votes():
    strengths = [-3, -1, 0, 2]
    records = [
        {
            "context": [turn("user", f"p{i}")],
            "response1": "x",
            "response2": "y",
            "overall_preference": strength,
            "individual_preference": [{"score": s, "reasoning": "r"} for s in (strength, -1)],
        }
        for i, strength in enumerate(strengths)
    ]
    found = read(*records)
    assert found.labels.tolist() == [1, 1, 0.5, 0]
    votes = [[vote["value"] for vote in row] for row in found.dataset["votes"]]
    assert votes == [[1, 1], [1, 1], [0.5, 1], [0, 1]]
    assert "individual_preference[].reasoning" in found.readings[0].not_read


def test_the_dialogue_so_far_may_be_a_text_called_history():
    records = [
        {
            "history": f"p{i}",
            "human_ref_A": "x",
            "human_ref_B": "y",
            "labels": label,
            "score_A": 30 * label,
            "score_B": 4,
        }
        for i, label in enumerate([1, 0])
    ]
    found = read(*records)
    assert found.labels.tolist() == [1, 0]
    assert texts(found.dataset[0]) == ("p0", "x", "y")
    assert found.dataset[0]["score_a"] == 30
    columns = {"prompt": "history", "label": "labels"}
    for first, second in (("response_a", "response_b"), ("output_1", "output_2")):
        named = columns | {first: "human_ref_A", second: "human_ref_B"}
        assert read(*records, columns=named).labels.tolist() == [1, 0]


def test_weights_are_used_and_said():
    found = read(*(PLAIN | {"weight": weight} for weight in (1000, 0)))
    assert found.weights.tolist() == [1000, 0]
    assert "weight" in found.readings[0].used


# One row for each vote.

PAIR = {"prompt": "p", "response_a": "x", "response_b": "y"}


@pytest.mark.parametrize("column", ["annotator", "worker_id", "evaluator"])
def test_rows_that_are_votes_on_one_pair_are_grouped(column):
    turned = {"prompt": "p", "response_a": "y", "response_b": "x"}
    records = [
        PAIR | {"label": 1, column: "u"},
        PAIR | {"prompt": "other", "label": 0, column: "u"},
        PAIR | {"label": 0, column: "v"},
        turned | {"label": 0, column: "w"},
    ]
    found = read(*records)
    assert found.labels.tolist() == pytest.approx([2 / 3, 0])
    assert found.strings("label_from") == ["votes", "votes"]
    votes = [(vote["annotator"], vote["value"]) for vote in found.dataset[0]["votes"]]
    assert votes == [("u", 1.0), ("v", 0.0), ("w", 1.0)]
    (reading,) = found.readings
    assert (reading.rows, reading.grouped, reading.unusable) == (4, 2, 0)
    assert check(found).of("duplicate") is check(found).of("contradictory-duplicate") is None


def test_one_annotator_twice_is_a_duplicate():
    found = read(*[PAIR | {"label": 1, "annotator": "u"}] * 2)
    assert len(found) == 2
    assert check(found).of("duplicate").count == 1


def test_rankings_of_several_annotators_are_votes_on_each_pair():
    answers = ["x", "y", "z"]
    records = [
        {"prompt": "p", "responses": answers, "ranks": [1, 2, 3], "annotator": "u"},
        {"prompt": "p", "responses": answers[::-1], "ranks": [2, 1, 3], "annotator": "v"},
    ]
    found = read(*records)
    labels = dict(zip((texts(row)[1:] for row in found.dataset), found.labels, strict=True))
    assert labels == {("x", "y"): 0.5, ("x", "z"): 0.5, ("y", "z"): 1.0}


def test_orders_of_several_annotators_are_votes_too():
    turned = PLAIN | {"chosen": "tea bad", "rejected": "tea fine"}
    found = read(*(PLAIN | {"annotator": one} for one in "uv"), turned | {"annotator": "w"})
    assert found.labels.tolist() == pytest.approx([2 / 3])


@pytest.mark.parametrize("names", [("votes_a", "votes_b"), ("wins_1", "wins_2")])
def test_counts_of_votes(names):
    found = read(*(PAIR | dict(zip(names, n, strict=True)) for n in ((2, 1), (0, 4))))
    assert found.labels.tolist() == pytest.approx([2 / 3, 0])
    assert [len(votes) for votes in found.dataset["votes"]] == [3, 4]
    (fault,) = read(*(PAIR | dict(zip(names, n, strict=True)) for n in ((2, 1), (0, 0)))).faults
    assert fault.unlabelled
    tied = PAIR | dict(zip(names, (2, 0), strict=True)) | {"ties": 2}
    assert read(tied).labels.tolist() == [0.75]


def test_names_of_groups_are_blind_to_spaces_around_and_to_how_a_number_is_written():
    groups = ["de", " de ", 7, 7.0, "7", " ", None]
    found = read(*(PLAIN | {"group": one} for one in groups))
    assert found.strings("group") == ["de", "de", "7", "7", "7", None, None]


# How much may be wrong.


def lines(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    )
    return path


@pytest.mark.parametrize("on_error", ["skip", "fail"])
def test_half_of_a_file_unusable_is_an_error_with_its_cause(tmp_path, on_error):
    path = lines(tmp_path, PLAIN, PLAIN | {"chosen": 12}, "not json", PLAIN)
    with pytest.raises(DataError) as refusal:
        read_preferences(path, on_error=on_error)
    if on_error == "skip":
        assert "2 of 4 rows (50.0%) cannot be used" in str(refusal.value)
        assert "--max-unusable 0.5 " in str(refusal.value)
    found = read_preferences(path, max_unusable=0.5)
    assert found.numbers("row").tolist() == [1, 4]
    assert found.readings[0].unusable == 2


@pytest.mark.parametrize(("bad", "passes"), [(5, True), (6, False)])
def test_five_in_a_hundred_may_be_unusable(bad, passes):
    rows = [PLAIN] * (100 - bad) + [PLAIN | {"rejected": None}] * bad
    if passes:
        assert len(read(*rows)) == 95
    else:
        with pytest.raises(DataError, match=r"6 of 100 rows \(6.0%\)"):
            read(*rows)


def test_rows_without_a_label_do_not_count_as_unusable():
    found = read(*[PAIR | {"label": 1}], *[PAIR | {"label": None}] * 9)
    assert (found.readings[0].unlabelled, found.readings[0].unusable) == (9, 0)
    with pytest.raises(DataError, match="none of its 2 rows has a label"):
        read(*[PAIR | {"label": None}] * 2)


MISSPELT = [
    {"promt": f"On {i}?", "chosen": f"{w} tea is fine", "rejected": f"{v} no"}
    for i, (w, v) in enumerate([("good", "bad")] * 17 + [("the same", "the same")] * 2)
]


def test_a_misspelt_prompt_is_named():
    with pytest.raises(DataError) as refusal:
        read(*MISSPELT)
    assert "prompts of 17 rows are empty, of 19 that were used (89.5%)" in str(refusal.value)
    assert "Column 'promt' was not read: did you mean 'prompt'?" in str(refusal.value)
    assert len(read(*MISSPELT, columns={"prompt": "promt"})) == 19


def test_a_misspelt_prompt_of_two_outputs_is_named():
    with pytest.raises(DataError, match="'promt': did you mean 'prompt'"):
        read({"promt": "p", "output_1": "x", "output_2": "y", "label": 2})


def test_data_without_a_prompt_are_legal_when_said():
    pair = {"prompt": None, "chosen": "the one", "rejected": "the other"}
    found = read(*[pair] * 3, no_prompt=True)
    assert texts(found.dataset[0]) == ("", "the one", "the other")
    judged = {"poem1": "x", "poem2": "y", "liking": 2}
    columns = {"output_1": "poem1", "output_2": "poem2", "preference": "liking"}
    with pytest.raises(DataError, match=r"no column holds the prompt.*--no-prompt"):
        read(judged, columns=columns)
    assert read(judged, columns=columns, no_prompt=True).labels.tolist() == [0]


def test_empty_prompts_are_an_error_whatever_they_are_made_of():
    answers = {"chosen": [turn("assistant", "x")], "rejected": [turn("assistant", "y")]}
    for prompt in ([], "", [turn("system", "s")]):
        with pytest.raises(DataError, match="prompts of 4 rows are empty"):
            read(*[answers | {"prompt": prompt}] * 4)
    assert len(read(*[answers | {"prompt": []}] * 2, *[answers | {"prompt": "p"}] * 2)) == 4


def test_what_the_first_rows_do_not_show_is_found_all_the_same():
    """Labels in votes, and annotators, that begin after the rows that tell the form."""
    plain = [PLAIN | {"prompt": f"p{i}"} for i in range(150)]
    found = read(*plain, PLAIN | {"votes": [12, 3]})
    assert {*found.readings[0].not_read} == {"votes"}  # counts: not votes of the contract
    found = read(*plain, PLAIN | {"votes": [0, 1]})
    assert [vote["value"] for vote in found.dataset[150]["votes"]] == [0, 1]
    found = read(*plain, *(PLAIN | {"annotator": who} for who in "uv"))
    assert (len(found), found.readings[0].grouped) == (151, 1)


def test_votes_are_grouped_beside_a_column_that_is_left_out():
    found = read(*(PAIR | {"label": i % 2, "annotator": f"{i}", "source": ["s"]} for i in range(4)))
    assert found.labels.tolist() == [0.5]
    assert [len(votes) for votes in found.dataset["votes"]] == [4]


def test_pairs_to_be_scored_need_no_label_that_can_be_read():
    pairs = [PAIR | {"label": label} for label in (0, 1, 2)]
    origin = Origin("rows", "rows", "", lambda: (Numbered(i, p) for i, p in enumerate(pairs, 1)))
    found = read_origin(Conversion(origin, ReadingOptions(), unlabelled=True))
    assert found.strings("label_from") == ["absent"] * 3
    assert "'label' was left out" in found.readings[0].notes[0]


def asked(*turns):
    return [turn(("user", "assistant")[i % 2], said) for i, said in enumerate(turns)]


HOT, COLD = asked("On tea?", "Hot."), asked("On tea?", "Cold.")


@pytest.mark.parametrize(
    "record",
    [
        {"messages": HOT, "rejected_response": "Cold."},
        {"messages": HOT, "rejected_messages": COLD},
        {"query": "On tea?", "response": "Hot.", "rejected_response": "Cold."},
        {"prompt": "On tea?", "chosen": {"text": "Hot."}, "rejected": {"text": "Cold."}},
        {"conversations": asked("On tea?"), "chosen": HOT, "rejected": COLD},
        {"conversations": HOT, "chosen": HOT, "rejected": COLD},
        {"conversations": HOT, "chosen": HOT[1], "rejected": COLD[1]},
        {
            "prompt": "On tea?",
            "response_0": "Hot.",
            "response_1": "Cold.",
            "rank_0": 1,
            "rank_1": 2,
        },
        {"prompt": "On tea?", "answer_a": {"content": "Hot."}, "answer_b": "Cold.", "label": "A"},
        {"prompt": "On tea?", "response_a": "Hot.", "response_b": "Cold.", "votes": {"a": 2}},
        {"prompt": "On tea?", "responses": "['Hot.', 'Cold.']", "scores": "[2, 1.5]"},
    ],
)
def test_common_shapes_say_the_same(record):
    found = read(record)
    (row,) = found.dataset
    assert texts(row) == ("On tea?", "Hot.", "Cold.")
    assert row["label"] == 1.0
    (reading,) = found.readings
    assert not reading.not_read
    assert not reading.warnings
    assert set(record) <= set(reading.used)


def test_counts_of_votes_in_a_mapping():
    pair = {"prompt": "p", "response_a": "x", "response_b": "y"}
    (row,) = read(pair | {"votes": {"response_a": 3, "b": 1, "tie": 2}}).dataset
    assert [vote["value"] for vote in row["votes"]] == [1.0, 1.0, 1.0, 0.0, 0.5, 0.5]
    assert row["label"] == pytest.approx(4 / 6)
    (row,) = read(pair | {"votes": {"a": 1, "b": 1, "tie": None}}).dataset
    assert [vote["value"] for vote in row["votes"]] == [1.0, 0.0]
    with pytest.raises(DataError, match="has a label"):
        read(pair | {"votes": {"a": 3, "neutral-ish": 1}})
    (reading,) = read(pair | {"label": 1, "votes": {"a": 3, "neutral-ish": 1}}).readings
    assert "votes" in reading.not_read
    assert "names neither response nor a tie" in reading.notes[0]


@pytest.mark.parametrize("column", ["weight", "w"])
@pytest.mark.parametrize("weights", [(2, 3, 1), (2, None, 1), (None, None, None)])
def test_rows_without_a_weight_among_weighted_ones_are_warned_of(tmp_path, column, weights):
    pair = {"prompt": "p", "response_a": "x", "response_b": "y", "label": 1}
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(pair | {column: weight}) + "\n" for weight in weights))
    (reading,) = read_preferences(path, columns={"weight": column}).readings
    said = any("1 of 3 rows have no weight" in warning for warning in reading.warnings)
    assert said == (None in weights and 2 in weights)


def test_two_responses_in_a_list_need_no_label_where_none_is_needed(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"prompt": "p", "responses": ["x", "y"]}) + "\n")
    (row,) = read_preferences(path, unlabelled=True).dataset
    assert texts(row) == ("p", "x", "y")


def test_a_label_that_is_read_since_another_one_was_left_out(tmp_path):
    rows = [
        {"prompt": f"p{i}", "output_1": "x", "output_2": "y", "label": "maybe", "preference": i % 2}
        for i in range(6)
    ]
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row | {"annotator": "ann"}) + "\n" for row in rows))
    found = read_preferences(path, unlabelled=True)
    assert len(found) == 6
    (reading,) = found.readings
    assert any("'label' was left out" in note for note in reading.notes)
    assert not any("\n" in note for note in reading.notes)


def test_the_score_beside_a_response_is_evidence():
    chosen, rejected = {"text": "Hot.", "score": 4}, {"text": "Cold.", "score": 2}
    found = read({"prompt": "On tea?", "chosen": chosen, "rejected": rejected})
    (row,) = found.dataset
    assert (row["score_a"], row["score_b"]) == (4.0, 2.0)
    assert {"chosen.score", "rejected.text"} <= found.readings[0].used.keys()
    odd = read({"prompt": "On tea?", "chosen": chosen | {"score": "high"}, "rejected": rejected})
    assert odd.dataset[0]["score_a"] is None
    assert "chosen.score" in odd.readings[0].not_read
    with pytest.raises(DataError, match="'chosen' holds a mapping with note, and none of text"):
        read({"prompt": "On tea?", "chosen": {"note": "Hot."}, "rejected": rejected})


@pytest.mark.parametrize(
    "before",
    [
        [turn("system", "Be brief.")],
        asked("Hello?", "Hello."),
        [turn("system", "S"), *asked("a", "b")],
    ],
)
def test_what_the_prompt_says_before_the_dialogues_begin_is_kept(before):
    """Whole dialogues that repeat only the end of a prompt."""
    prompt = [*before, *asked("On tea?")]
    found = read({"prompt": prompt, "chosen": HOT, "rejected": COLD})
    (row,) = found.dataset
    assert [one["content"] for one in row["prompt"]] == [one["content"] for one in prompt]
    assert row["note"] is None


@given(st.booleans(), st.integers(0, 3), st.data())
def test_a_prompt_and_dialogues_that_go_on_from_it_are_joined(system, pairs, data):
    """However much of the prompt the dialogues repeat."""
    whole = [turn("system", "s")] * system
    for i in range(pairs):
        whole += [turn("user", f"u{i}"), turn("assistant", f"a{i}")]
    whole.append(turn("user", "last"))
    start = data.draw(
        st.sampled_from([i for i, one in enumerate(whole) if one["role"] != "assistant"])
    )
    end = data.draw(st.integers(max(start, 1), len(whole)))
    sides = {"chosen": "hot", "rejected": "cold"}
    sides = {name: [*whole[start:], turn("assistant", text)] for name, text in sides.items()}
    (row,) = read({"prompt": whole[:end], **sides}).dataset
    assert [(one["role"], one["content"]) for one in row["prompt"]] == [
        (one["role"], one["content"]) for one in whole
    ]
    assert texts(row)[1:] == ("hot", "cold")
    assert row["note"] is None


def test_a_prompt_is_kept_beside_responses_that_are_said_by_the_user():
    sides = {"chosen": [turn("user", "hot")], "rejected": [turn("user", "cold")]}
    (row,) = read({"prompt": [turn("user", "On tea?")], **sides}).dataset
    assert texts(row) == ("On tea?", "hot", "cold")


def test_another_prompt_than_the_dialogues_is_said_to_be_left():
    (reading,) = read({"prompt": "A title", "chosen": HOT, "rejected": COLD}).readings
    assert "1 rows have a prompt that is not in their dialogues" in reading.notes[0]


@pytest.mark.parametrize("system", [[], [turn("system", "s")]])
def test_a_history_that_the_dialogues_repeat_stands_once(system):
    earlier = [*system, *asked("a", "b")]
    sides = {"chosen": [*earlier, *HOT], "rejected": [*earlier, *COLD]}
    expected = [one["content"] for one in (*earlier, *HOT[:-1])]
    for columns in ({"history": earlier}, {"history": earlier[len(system) :]}):
        (row,) = read({**columns, **sides}).dataset
        assert [one["content"] for one in row["prompt"]] == expected
    both = PLAIN | {"history": [turn("system", "s"), *asked("a", "b")]}
    (row,) = read(both | {"system": "s"}).dataset
    assert [one["content"] for one in row["prompt"]] == ["s", "a", "b", "On tea?"]
    with pytest.raises(DataError, match="different system messages"):
        read(both | {"system": "t"})


def test_no_prompt_is_implied_where_one_is_null():
    """What two answers to a question begin with is not the question."""
    good = {"prompt": "On tea?", "chosen": "The answer is hot.", "rejected": "The answer is cold."}
    records = [good] * 30 + [good | {"prompt": None}]
    found = read(*records)
    assert len(found) == 30
    assert "'prompt' is null, and no prompt is implied" in found.faults[0].reason
    (row,) = read(
        {"input": None, **good, "prompt": None}, columns={"prompt": "", "input": ""}
    ).dataset
    assert texts(row)[0] == "The answer is"  # it was said to be another thing


def test_of_responses_numbered_from_0_the_first_is_0():
    record = {"prompt": "p", "response_0": "x", "response_1": "y", "response_2": "z"}
    found = read(*(record | {"chosen_index": i} for i in (0, 1)))
    assert [texts(row) for row in found.dataset] == [("p", "x", "y")] * 2
    assert found.labels.tolist() == [1.0, 0.0]
    assert any("response_2" in line for line in found.readings[0].warnings)


@pytest.mark.parametrize("columns", [{"label", "Label"}, {"Label", "LABEL", "label"}])
def test_of_columns_named_alike_the_one_in_small_letters_counts(columns):
    assert label_among(frozenset(columns)) == "label"
    assert pair_among(frozenset({"answer1", "answer_1", "answer_2"})) == ("answer_1", "answer_2")


def test_a_column_that_says_that_responses_changed_places_is_warned_of():
    (reading,) = read(PLAIN | {"is_swapped": True}).readings
    assert reading.warnings == ("column 'is_swapped' was not read, and may change what is learnt",)


def test_a_column_without_a_name_is_named(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(",prompt,chosen,rejected\n0,On tea?,Hot.,Cold.\n")
    (reading,) = read_preferences(path).readings
    assert "not read: a column without a name" in list(reading.lines())


def test_annotators_that_cannot_be_read_do_not_stop_what_needs_no_label(monkeypatch):
    """They share one coding, and are left out together (once, the file was read for ever)."""
    pair = {"prompt": "p", "response_1": "x", "response_2": "y", "annotator1": "good"}
    origin = Origin("rows", "rows", "0", lambda: iter([Numbered(1, pair)]))
    found = read_origin(Conversion(origin, ReadingOptions(), unlabelled=True))
    assert {*found.readings[0].not_read} == {"annotator1"}
    assert "label" not in found.readings[0].used
    assert read(pair | {"label": 1}).labels.tolist() == [1.0]


def test_responses_that_look_like_lists_are_said_to_be_text():
    found = read({"prompt": "Which?", "chosen": "['Hot.']", "rejected": '["Cold."]'})
    assert texts(found.dataset[0]) == ("Which?", "['Hot.']", '["Cold."]')
    assert found.readings[0].notes[0].startswith("1 rows have responses that look like lists")
    with pytest.raises(DataError, match="'responses' should be a list"):
        read({"prompt": "p", "responses": "['Hot.' 'Cold.']", "scores": "[2, 1]"})


def test_records_that_can_be_read_once_only():
    assert len(read_records((PLAIN for _ in range(3)), "made")) == 3


def test_names_of_models_that_labels_name_are_used_beside_ties():
    pair = {"prompt": "p", "response_a": "x", "response_b": "y", "model_a": "m", "model_b": "n"}
    found = read(*(pair | {"winner": who} for who in ("m", "n", "tie")))
    assert found.labels.tolist() == [1.0, 0.0, 0.5]
    assert {"model_a", "model_b"} <= found.readings[0].used.keys()
    assert not found.readings[0].not_read


def test_a_prompt_that_is_missing_where_it_was_said_to_stand_is_called_so():
    pair = {"about": "p", "output_1": "x", "output_2": "y", "preference": 2}
    with pytest.raises(DataError, match=r"the prompt is missing: 'about' is empty"):
        read(pair, pair | {"about": None}, columns={"prompt": "about"})
