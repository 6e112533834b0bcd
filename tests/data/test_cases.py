"""Small inputs that were read wrongly once, with what is right for each."""

from __future__ import annotations

import json

import pytest
from realdata import case

from surefoot.data import read_preferences
from surefoot.data.checks import check
from surefoot.data.text import to_text
from surefoot.errors import DataError

#: P(first preferred) of the ten rows that stand for published forms.
TEN = [1.0, 1.0, 1.0, 0.5, 1.0, 0.0, 1.0, 1.0, 0.5, 0.0]
NINE = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]


def read(name, **options):
    return read_preferences(case(name), **options)


def first(preferences):
    (row,) = preferences.select([0]).read("prompt", "response_a", "response_b")
    return [to_text(side) for side in row]


@pytest.mark.parametrize(
    ("name", "labels", "options"),
    [
        ("arena_battles.json", TEN, {}),
        ("autoj_pairwise.jsonl", TEN, {"codings": {"label": "first-is-0"}}),
        ("helpsteer3_preference.jsonl", TEN, {}),
        ("pku_saferlhf.jsonl", NINE, {}),
        ("shp.jsonl", NINE, {}),
        ("label_studio_pairs.json", NINE, {}),
    ],
)
def test_published_forms(name, labels, options):
    preferences = read(name, **options)
    assert preferences.labels.tolist() == labels
    assert not preferences.faults


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("autoj_pairwise.jsonl", "--coding label=first-is-0 "),
        ("autoj_pairwise.jsonl", "--coding label=first-is-1 "),
        ("d06_signed_strength.jsonl", "--coding preference_strength=positive-is-first"),
        ("d04_images_sharegpt.jsonl", "the column 'images' holds; only text is read"),
        ("d49_no_prompt.csv", "--column response_a=poem1"),
        ("ids_only_pairs.csv", "--texts FILE"),
        ("e02_half_unusable.jsonl", r"2 of 4 rows \(50.0%\) cannot be used"),
    ],
)
def test_what_is_refused_says_how_to_go_on(name, says):
    with pytest.raises(DataError, match=says):
        read(name)


def test_the_commands_of_the_messages_work():
    strengths = read(
        "d06_signed_strength.jsonl", codings={"preference_strength": "negative-is-first"}
    )
    given = [json.loads(line) for line in case("d06_signed_strength.jsonl").open()]
    said = [0.5 if (s := row["preference_strength"]) == 0 else float(s < 0) for row in given]
    assert strengths.labels.tolist() == said
    columns = {"response_a": "poem1", "response_b": "poem2", "label": "liking"}
    poems = read("d49_no_prompt.csv", columns=columns, no_prompt=True)
    assert poems.labels.tolist() == [float(i % 2 == 0) for i in range(len(poems))]
    assert first(poems) == ["", "tea by the sea", "a tea in the rain"]


@pytest.mark.parametrize(
    ("name", "prompt", "a"),
    [
        (
            "d02_system_column.jsonl",
            "system: You answer in one word. Rule 0.\n\nuser: What about tea?",
            "",
        ),
        (
            "d03_history_column.jsonl",
            "user: Name two kinds of tea.\n\nassistant: tea one and tea two.\n\n"
            "user: And the second one?",
            "The second is tea two.",
        ),
        ("d19_python_repr_cells.csv", "On tea?", "tea are fine."),
        ("d20_json_text_columns.jsonl", "On tea?", "tea are fine."),
        ("d40_saved_dataset", None, None),
        ("d41_chinese_implied_prompt.jsonl", "问题:请介绍茶。回答:", "茶很好,历史很长。"),
        ("d46_typed_parts_value.jsonl", "On tea?", "tea fine"),
        ("t11_first_turns_differ.jsonl", None, None),
    ],
)
def test_texts(name, prompt, a):
    preferences = read(name)
    found = first(preferences)
    assert prompt in (None, found[0])
    assert not a or found[1] == a
    assert found[1] != found[2]
    assert not preferences.faults


@pytest.mark.parametrize(
    "name",
    [
        *("d01_tool_calls_empty_content", "d01b_tool_calls_null_content"),
        *("d01c_tool_calls_in_context", "d26_reasoning_content", "d43_case_only"),
    ],
)
def test_pairs_that_differ_are_not_called_identical(name):
    preferences = read(f"{name}.jsonl")
    assert len(preferences) == 12
    errors = [one.kind for one in check(preferences).findings if one.severity == "error"]
    assert not errors
    assert preferences.has("tools") == name.startswith("d01")


def test_every_chosen_one_meets_every_rejected_one():
    preferences = read("d11_lists_of_texts.jsonl")
    given = [json.loads(line) for line in case("d11_lists_of_texts.jsonl").open()]
    pairs = [(a, b) for row in given for a in row["chosen"] for b in row["rejected"]]
    found = preferences.read("response_a", "response_b")
    assert [(to_text(a), to_text(b)) for a, b in found] == pairs


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("d16_ranks_in_answers.jsonl", "source"),
        ("d36_name_collisions_votes.jsonl", "votes"),
        ("d36b_name_collisions_time.jsonl", "time"),
        ("d36e_source_mapping.jsonl", "source"),
    ],
)
def test_an_optional_column_of_another_meaning_is_left_out_with_a_note(name, column):
    preferences = read(name)
    assert not preferences.faults
    assert any(f"column '{column}' was left out" in note for note in preferences.readings[0].notes)
    silent = read(name, columns={column: ""})
    assert not silent.readings[0].notes
    assert len(silent) == len(preferences)


@pytest.mark.parametrize(
    ("name", "column", "used"),
    [
        ("d22_ratings_and_original.jsonl", "rating_chosen", "score_a"),
        ("d50_weight_column.jsonl", "weight", None),
        ("d25_margin_column.jsonl", "margin", False),
        ("d37_prompt_and_question.jsonl", "question", False),
    ],
)
def test_columns_are_said_to_be_used_or_not_read(name, column, used):
    (reading,) = read(name).readings
    if used is False:
        assert column in reading.not_read
        assert any(repr(column) in warning for warning in reading.warnings)
    else:
        assert column in reading.used
        assert used in (None, reading.used[column])


def test_soft_labels_from_one_to_two():
    preferences = read("d05_alpaca_eval_weighted.json", max_unusable=0.2)
    given = json.loads(case("d05_alpaca_eval_weighted.json").read_text())
    values = [row["preference"] for row in given if row["preference"] is not None]
    assert preferences.labels.tolist() == pytest.approx([2 - value for value in values])


def test_a_planted_contradiction_of_ratings_is_found():
    kinds = {finding.kind for finding in check(read("d22_ratings_and_original.jsonl")).findings}
    assert "label-against-evidence" in kinds
