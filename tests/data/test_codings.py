"""P(a preferred) is right for every coding of a label column, or the column is refused whole."""

from __future__ import annotations

import json
import math
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.data import read_preferences
from surefoot.data.files import read_records, reading_options
from surefoot.data.labels.codings import CODINGS, word
from surefoot.data.options import ReadingOptions
from surefoot.errors import ConfigurationError, DataError

QUICK = settings(max_examples=20, deadline=None)

#: The two responses' columns, and the numbers that name them.
SIDES = {
    "letters": ("response_a", "response_b"),
    "one": ("output_1", "output_2"),
    "zero": ("response_0", "response_1"),
    "capitals": ("human_ref_A", "human_ref_B"),
    "spaces": ("response 1", "response 2"),
}
#: Codings of a truth (1: first, 0: second, 0.5: a tie) that files really have.
WRITERS = {
    "probability": lambda p: p,
    "truth values": lambda p: p > 0.5,
    "probability-of-second": lambda p: 1 - p,
    "first-is-0": {1.0: 0, 0.0: 1, 0.5: 2}.get,
    "first-is-1": {1.0: 1, 0.0: 2, 0.5: 0}.get,
    "one-to-two": lambda p: 2 - p,
    "positive-is-first": lambda p: round(6 * p - 3),
    "negative-is-first": lambda p: round(3 - 6 * p),
    "words": {1.0: "model_a", 0.0: "Answer B", 0.5: "tie (bothbad)"}.get,
    "letters": {1.0: "A", 0.0: "B", 0.5: "both bad"}.get,
    "compared": {1.0: "A>>B", 0.0: "B>A", 0.5: "A=B"}.get,
    "verdicts": {1.0: "[[A]]", 0.0: "[[B]]", 0.5: "[[C]]"}.get,
}
#: Columns whose documented meaning is P(first preferred), whatever else a file may mean by them.
DOCUMENTED = {("label", "letters"), ("label", "capitals"), ("labels", "letters")}
COLUMNS = (
    *("label", "labels", "preference", "winner", "choice", "better_response_id", "better_index"),
    *("verdict", "preference_strength"),
)

hard = st.sampled_from([1.0, 0.0])
tied = st.sampled_from([1.0, 0.0, 0.5])
soft = st.sampled_from([1.0, 0.0, 0.5, 0.25, 0.9])


def rows(sides, column, values):
    return [
        {"prompt": f"p{i}", sides[0]: f"x{i}", sides[1]: f"y{i}", column: value}
        for i, value in enumerate(values)
    ]


def read(records, **options):
    return read_records(records, "rows", options=reading_options(**options))


def counts_otherwise(coding, column, sides, values):
    """What nobody can tell from the values: the names of the columns say how they count."""
    if (column, sides) in DOCUMENTED or column == "labels":
        return coding != "probability" and all(0 <= float(v) <= 1 for v in values)
    if sides == "zero":  # the responses are numbered 0 and 1
        return coding != "first-is-0"
    # An index that never exceeds 1 counts from 0.
    return coding in ("probability", "truth values") and column in (
        "better_response_id",
        "better_index",
    )


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("coding", WRITERS)
@QUICK
@given(
    column=st.sampled_from(COLUMNS),
    truth=st.one_of(*(st.lists(one, min_size=2, max_size=8) for one in (hard, tied, soft))),
    as_text=st.booleans(),
)
def test_every_coding_is_read_rightly_or_refused(coding, sides, column, truth, as_text):
    truth = [1.0, 0.0, *truth]  # either response wins somewhere
    written = [WRITERS[coding](p) for p in truth]
    if any(value is None for value in written):  # a code for what it cannot say
        return
    if coding in ("truth values", "positive-is-first", "negative-is-first"):
        truth = [0.5 if p == 0.5 else float(p > 0.5) for p in truth]
        if coding == "truth values" and 0.5 in truth:
            return
    if not isinstance(written[0], str) and counts_otherwise(coding, column, sides, written):
        return
    values = [str(value) for value in written] if as_text else written
    records = rows(SIDES[sides], column, values)
    try:
        found = read(records)
    except DataError as error:
        refusal = str(error)
    else:
        assert found.labels.tolist() == pytest.approx(truth)
        (reading,) = found.readings
        (said,) = reading.labels
        assert said.startswith(f"{column}: ")
        return
    assert isinstance(written[0], int | float), "words are never ambiguous"
    assert "--coding" in refusal
    if coding in CODINGS:  # what the message offers reads it
        found = read(records, codings={column: coding})
        assert found.labels.tolist() == pytest.approx(truth)


@QUICK
@given(
    values=st.lists(
        st.sampled_from(
            [
                *(0, 1, 2, 3, -1, 0.5, 0.3, 1.5, "0", "1", "2", "a", "b", "tie", "maybe", ""),
                *(None, True, False, [1], {"a": 1}, math.inf, "1.5", "x0"),
            ]
        ),
        min_size=1,
        max_size=8,
    ),
    sides=st.sampled_from([*SIDES]),
    column=st.sampled_from(COLUMNS),
    coding=st.sampled_from([None, *CODINGS, {"1": "a", "0": "b"}]),
)
def test_no_subset_of_a_column_is_kept_because_it_happens_to_parse(values, sides, column, coding):
    records = rows(SIDES[sides], column, values)
    codings = {} if coding is None else {column: coding}
    given = [value for value in values if value not in (None, "")]
    try:
        found = read(records, codings=codings)
    except DataError:
        return
    assert len(found) == len(given)
    assert all(fault.unlabelled for fault in found.faults)


@pytest.mark.parametrize("sides", SIDES)
def test_zero_one_two_is_refused_with_the_command_lines_that_read_it(sides):
    """A1, Auto-J: integers with a 2 among them are codes, of which there are two kinds."""
    records = rows(SIDES[sides], "label", [0, 1, 2, 0])
    with pytest.raises(DataError) as refusal:
        read(records)
    for coding, truth in (("first-is-0", [1, 0, 0.5, 1]), ("first-is-1", [0.5, 1, 0, 0.5])):
        assert f"--coding label={coding}" in str(refusal.value)
        assert read(records, codings={"label": coding}).labels.tolist() == truth


def test_strengths_are_refused_and_read_by_either_sign():
    records = rows(SIDES["one"], "preference_strength", [-3, 0, 2])
    with pytest.raises(DataError) as refusal:
        read(records)
    for coding, truth in (("negative-is-first", [1, 0.5, 0]), ("positive-is-first", [0, 0.5, 1])):
        assert f"--coding preference_strength={coding}" in str(refusal.value)
        found = read(records, codings={"preference_strength": coding})
        assert found.labels.tolist() == truth


@pytest.mark.parametrize("values", [[1, 2, 3, 4, 5], [1, 7], [0, 3], [0, 1.5]])
def test_codes_that_fit_nothing_are_refused_until_each_is_named(values):
    records = rows(SIDES["letters"], "label", values)
    with pytest.raises(DataError, match="can be given one by one"):
        read(records)
    table = {value: 1 - i / 10 for i, value in enumerate(values)}
    found = read(records, codings={"label": table})
    assert found.labels.tolist() == pytest.approx([*table.values()])
    text = ",".join(f"{value}:a" for value in values[1:])
    with pytest.raises(DataError, match=f"row 0|row {values[0]}|row 1"):
        read(records, codings={"label": text})


def test_values_that_stand_for_no_label_are_counted_apart():
    records = rows(SIDES["letters"], "label", ["good", "bad", "unsure", None] * 3)
    found = read(records, codings={"label": "good:a,bad:b,unsure:none"})
    assert found.labels.tolist() == [1, 0] * 3
    (reading,) = found.readings
    assert (reading.unusable, reading.unlabelled) == (0, 6)


def test_pairs_to_be_scored_may_have_values_that_stand_for_no_label(tmp_path):
    records = rows(SIDES["letters"], "label", ["good", "bad", "unsure", None])
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    codings = {"label": "good:a,bad:b,unsure:none"}
    found = read_preferences(path, codings=codings, unlabelled=True)
    assert found.strings("label_from") == ["label", "label", "absent", "absent"]


def test_a_label_may_repeat_a_response_or_name_a_model():
    records = rows(SIDES["letters"], "winner", ["x0", "y1", "tie"])
    assert read(records).labels.tolist() == [1, 0, 0.5]
    models = [{**one, "model_a": "alpha", "model_b": "beta"} for one in records]
    named = [
        {**one, "winner": winner}
        for one, winner in zip(models, ["beta", "alpha", "tie"], strict=True)
    ]
    found = read(named)
    assert found.labels.tolist() == [0, 1, 0.5]
    assert "model_a" in found.readings[0].used


def test_a_word_that_says_one_thing_and_repeats_another_is_refused():
    record = {"prompt": "p", "response_a": "B", "response_b": "A", "winner": "A"}
    with pytest.raises(DataError, match="do not say which response is preferred"):
        read([record])


def test_a_number_that_repeats_a_response_is_refused():
    record = {"prompt": "How many?", "output_1": "2", "output_2": "1", "winner": "2"}
    with pytest.raises(DataError, match="do not say which response is preferred"):
        read([record])
    assert read([record], codings={"winner": "2:b,1:a"}).labels.tolist() == [0]


def test_an_index_mapped_to_label_asks():
    records = rows(SIDES["zero"], "better_response_id", [0, 1])
    assert read(records).labels.tolist() == [1, 0]
    columns = {"response_a": "response_0", "response_b": "response_1"}
    with pytest.raises(DataError, match=r"--coding label=first-is-0(.|\n)*--coding label=prob"):
        read(records, columns=columns | {"label": "better_response_id"})


@pytest.mark.parametrize(
    ("first", "second"), [("response_a", "response_b"), ("output_1", "output_2")]
)
def test_a_column_that_the_user_calls_label_has_the_documented_meaning(first, second):
    records = [
        {"post": "p", "one": "x", "two": "y", "better": 1, "gold": gold} for gold in (1, 0, 0.3)
    ]
    columns = {"prompt": "post", first: "one", second: "two", "label": "gold"}
    assert read(records, columns=columns).labels.tolist() == [1, 0, 0.3]


def test_two_label_columns_the_first_is_taken_and_the_other_named():
    records = [
        {**one, "safer_response_id": 1 - one["better_response_id"]}
        for one in rows(SIDES["zero"], "better_response_id", [0, 1])
    ]
    found = read(records)
    assert found.labels.tolist() == [1, 0]
    assert "safer_response_id" in found.readings[0].not_read


def test_what_was_decided_is_said_with_an_example_row():
    (reading,) = read(rows(SIDES["letters"], "label", [0.5, 0.5, 1])).readings
    assert reading.labels == (
        "label: 1 = response_a preferred, 0 = response_b preferred, between them P(response_a "
        "preferred) (row 3: 1, so response_a 'x2')",
    )


@pytest.mark.parametrize("coding", ["first-is-two", "probabilty", "", {}, {"1": "left"}, 3])
def test_unknown_codings_are_refused_at_once(coding):
    with pytest.raises(ConfigurationError, match=r"coding|stands for"):
        ReadingOptions(codings={"label": coding})
    with pytest.raises(ConfigurationError, match="did you mean 'probability'"):
        ReadingOptions(codings={"label": "probabilty"})


def test_a_coding_of_a_column_that_is_no_label_names_the_nearest():
    with pytest.raises(DataError, match="did you mean 'label'"):
        read(rows(SIDES["letters"], "label", [1, 0]), codings={"lable": "first-is-0"})


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *(("the first", None), ("First", 1.0), ("2nd", 0.0), ("model a wins", 1.0)),
        *(("b-is-slightly-better", 0.0), ("Response 2 is much better", 0.0)),
        *(("A < B", 0.0), ("output_2 > output_1", 0.0), ("a ≈ b", 0.5), ("A > A", None)),
        *(("no preference", 0.5), ("Both good", 0.5), ("neither", 0.5), ("c", None), ("", None)),
    ],
)
def test_words(said, meant):
    assert word(said, ("output_1", "output_2")) == meant


def test_numbers_in_words_count_as_the_columns_do():
    assert word("response_1", ("response_0", "response_1")) == 0.0
    assert word("answer 1", ("response_0", "response_1")) == 0.0
    assert word("answer 1", ("output_1", "output_2")) == 1.0
    assert word("answer 0", ("output_1", "output_2")) is None


def test_parts_of_one_table_are_coded_alike(tmp_path, monkeypatch):
    """By its own values the second part would be read the other way round."""
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    paths = [tmp_path / f"part-{i}.jsonl" for i in range(2)]
    for path, values in zip(paths, ([0, 1, 0], [1, 2, 1]), strict=True):
        records = rows(SIDES["letters"], "label", values)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(DataError, match=r"'probability' in .*part-0.*'first-is-1' in .*part-1"):
        read_preferences(paths)
    found = read_preferences(paths, codings={"label": "first-is-0"})
    assert found.labels.tolist() == [1, 0, 1, 0, 0.5, 0]


@pytest.mark.parametrize("values", [[1, 2], [1, 2, 3], [1, 7, 4], [0, 1], [3, 2]])
def test_strengths_that_are_all_of_one_sign_may_be_a_scale(values):
    records = rows(SIDES["one"], "overall_preference", values)
    with pytest.raises(DataError, match="'overall_preference' holds"):
        read(records)
    chosen = read(records, codings={"overall_preference": "negative-is-first"})
    assert chosen.labels.tolist() == [0.5 if value == 0 else 0.0 for value in values]


@pytest.mark.parametrize("ends", [("a", "b"), ("1", "2")])
@pytest.mark.parametrize("stem", ["model_", "generator_"])
def test_names_of_models_are_found_whatever_the_responses_are_called(ends, stem):
    given = rows(SIDES["letters"], "winner", ["x", "x", "y"])
    for record, models in zip(given, ("xy", "yx", "xy"), strict=True):
        record |= {f"{stem}{end}": model for end, model in zip(ends, models, strict=True)}
    assert read(given).labels.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("chosen", "rejected"), [("A", "B"), ("response_a", "response_b"), ("x-7b", "y-7b"), (0, 1)]
)
def test_names_of_responses_are_not_read_as_responses(chosen, rejected):
    given = rows(SIDES["letters"], "chosen", [chosen, rejected])
    given = [
        {**row, "rejected": other, "model_a": "x-7b", "model_b": "y-7b"}
        for row, other in zip(given, (rejected, chosen), strict=True)
    ]
    with pytest.raises(DataError, match="--column label=chosen"):
        read(given)
    if isinstance(chosen, str):
        assert read(given, columns={"label": "chosen"}).labels.tolist() == [1, 0]
    texts = [{**row, "chosen": row["response_b"], "rejected": row["response_a"]} for row in given]
    assert read(texts).labels.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("Response 2 is much better than Response 1", 0.0), ("A is better than B", 1.0)],
        *[("Both are equal", 0.5), ("B is moderately better", 0.0), ("A preferred over B", 1.0)],
        *[("A is better than A", None), ("A is better than before", None)],
    ],
)
def test_sentences_that_compare(text, expected):
    assert word(text, ("response_1", "response_2")) == expected


@pytest.mark.parametrize("values", [["yes", "no"], ["it's x", "y"], ["0,8", "0,2"], [1, 2, 3]])
def test_no_message_guesses_what_values_stand_for(values):
    records = rows(SIDES["letters"], "preference", [*values, *values])
    with pytest.raises(DataError, match="one by one: ") as refusal:
        read(records)
    said = str(refusal.value).split("one by one: ")[1].rsplit(", where", 1)[0]
    if said.startswith("--coding"):
        column, _, coding = shlex.split(said)[1].partition("=")
    else:
        column, coding = "preference", dict.fromkeys(values, "?")
        assert json.dumps(coding) in said
        with pytest.raises(ConfigurationError, match="without ':'"):
            read(records, codings={column: "0,8:a,0,2:b"})
    with pytest.raises(ConfigurationError, match="stands for a, b, tie, none"):
        read(records, codings={column: coding})
    first = coding.replace("?", "a", 1).replace("?", "b") if isinstance(coding, str) else None
    first = first or dict(zip(values, "ab", strict=True))
    assert read(records, codings={column: first}).labels.tolist()[:2] == [1, 0]


@pytest.mark.parametrize("stem", ["score", "rating", "reward"])
@pytest.mark.parametrize("sides", ["zero", "one", "letters"])
def test_scores_of_two_responses_are_their_label(stem, sides):
    given = rows(SIDES[sides], "source", ["s"] * 4)
    for record, scores in zip(given, ((2, 1), (1, 2.5), (-1, -1), (None, 1)), strict=True):
        ends = (side[-1] for side in SIDES[sides])
        record |= {f"{stem}_{end}": score for end, score in zip(ends, scores, strict=True)}
    found = read(given)
    assert found.labels.tolist() == [1, 0, 0.5]
    assert found.faults[0].unlabelled
    assert [row[0] for row in found.read("label_from")] == ["scores"] * 3
    assert [row[0] for row in found.read("score_b")] == [1, 2.5, -1]


@pytest.mark.parametrize("column", ["loser", "worse_response", "rejected_id", "not_preferred"])
@pytest.mark.parametrize("values", [["b", "a"], ["response_b", "response_a"], [0, 1], [2, 1]])
def test_a_column_that_names_the_worse_response_is_not_taken_for_the_better_one(column, values):
    records = rows(SIDES["letters"], column, values * 2)
    with pytest.raises(DataError, match="seems to hold the response that is worse") as refusal:
        read(records, columns={"label": column})
    coding = dict(zip(values, "ab", strict=True))
    assert all(f"{value}:?" in str(refusal.value) for value in values)
    found = read(records, columns={"label": column}, codings={"label": coding})
    assert found.labels.tolist() == [1, 0] * 2


@pytest.mark.parametrize("column", ["b_wins", "prefers_second", "rank", "swapped", "margin"])
def test_a_name_that_makes_1_stand_for_something_else_is_asked_about(column):
    with pytest.raises(DataError, match="more than one way"):
        read(rows(SIDES["letters"], column, [0, 1, 1]), columns={"label": column})


@pytest.mark.parametrize("values", [[1, 2], [1.5, 1.25], [0, 1, 2]])
def test_strengths_without_a_direction_are_no_label(values):
    with pytest.raises(DataError, match="nothing says which response they are for"):
        read(rows(SIDES["one"], "preference_strength", values))


@pytest.mark.parametrize(
    "columns", [("response_a_score", "response_b_score"), ("a_rank", "b_rank"), ("is_swapped",)]
)
def test_no_hint_proposes_what_says_something_else_as_the_label(columns):
    records = rows(SIDES["letters"], "x", [None] * 6)
    for i, record in enumerate(records):
        record |= {name: (i + k) % 2 for k, name in enumerate(columns)}
        record |= {"response_a": f"one text {i}", "response_b": f"another text {i}"}
    with pytest.raises(DataError, match="no column seems to say which") as refusal:
        read(records)
    assert "label=yours" in str(refusal.value)


def test_how_numbers_of_the_responses_are_compared_is_said():
    pair = {"prompt": "p", "response_a": "x", "response_b": "y"}
    several = {"prompt": "p", "responses": ["x", "y"]}
    for record, words in [
        (pair | {"score_a": 2, "score_b": 1}, "score_a and score_b: the higher is better"),
        (pair | {"rank_a": 1, "rank_b": 2}, "rank_a and rank_b: the lower is better"),
        (several | {"scores": [2, 1]}, "scores: the higher is better (row 1: [2, 1])"),
        (several | {"ranks": [1, 2]}, "ranks: ranks, the lower is better"),
        (several | {"order": [0, 1]}, "order: the places of responses, from 0, the best first"),
    ]:
        found = read([record])
        assert found.labels.tolist() == [1]
        assert words in found.readings[0].labels[0]
