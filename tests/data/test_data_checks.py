"""Each kind of damage, planted and found, and found nowhere else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from surefoot.data import Preferences, read_preferences
from surefoot.data.checks import check, checks, without
from surefoot.data.checks.scan import Context, check_of
from surefoot.data.reading.dialogues import CONTEXT_DIFFERS
from surefoot.data.schema import Fault
from surefoot.errors import ConfigurationError, DataError


def row(i, **changes):
    """The i-th of many rows with nothing wrong."""
    texts = {
        "prompt": f"Question number {i} about topic {i * 7919}",
        "response_a": f"One answer to {i}",
        "response_b": f"Another reply to {i}",
    }
    return texts | {"label": float(i % 2)} | changes


def table(*planted, clean=30):
    """Clean rows, then the planted ones at positions `clean`, `clean` + 1, ..."""
    return Preferences.from_rows([*(row(i) for i in range(clean)), *planted], name="planted")


def kinds(report):
    return {finding.kind for finding in report.findings}


PLANTED = {
    "empty-response": [row(50, response_b=" \n")],
    "empty-prompt": [row(50, prompt="")],
    "identical-responses": [row(50, response_a="Same thing", response_b="Same thing")],
    "alike-responses": [row(50, response_a="if x:\n    y", response_b="if x:\ny")],
    "prompt-not-a-prefix": [row(50, note=CONTEXT_DIFFERS)],
    "extreme-length": [row(50, response_a="word " * 10_000)],
    "mojibake": [row(50, response_a="The cafÃ© was dÃ©jÃ vu, voilÃ  â€œquoteâ€\x9d")],
    "replacement-character": [row(50, prompt="caf\ufffd is what was left")],
    "control-character": [row(50, response_a="beep \x07 beep")],
    "messages-as-text": [row(50, prompt='[{"role": "user", "content": "Tea?"}]')],
    "ends-with-user": [row(50, response_a=[{"role": "user", "content": "Thanks, that is it."}])],
    "prompt-repeated": [
        row(
            50,
            **{
                k: f"{row(50)['prompt']} {s}" for k, s in [("response_a", "x"), ("response_b", "y")]
            },
        )
    ],
}


def test_clean_rows_have_no_findings():
    report = check(table())
    assert report.findings == ()
    assert report.rows == 30


@pytest.mark.parametrize("text", ["nan", "None", " NULL ", "N/A", ""])
def test_what_tables_write_for_nothing_is_an_empty_response(text):
    assert kinds(check(table(row(50, response_b=text)))) == {"empty-response"}
    assert kinds(check(table(row(50, response_b=f"{text} at all of it")))) == set()


@pytest.mark.parametrize("sign", ["\u200b", "\ufeff", "\u202e", "\u2066"])
def test_signs_that_nobody_sees_are_noted(sign):
    assert kinds(check(table(row(50, response_a=f"One{sign} answer to it")))) == {
        "control-character"
    }


@pytest.mark.parametrize("kind", PLANTED)
def test_planted_damage_is_found_alone(kind):
    report = check(table(*PLANTED[kind]))
    others = {"control-character"} if kind == "mojibake" else set()  # \x9d is both
    assert kinds(report) - others == {kind}
    finding = report.of(kind)
    assert finding.count == 1
    assert finding.share == pytest.approx(1 / 31)
    assert finding.positions.tolist() == [30]
    assert finding.examples[0].file == "planted"
    assert finding.examples[0].row == 30
    assert finding.meaning
    assert finding.remedy


def test_true_accents_are_not_mojibake():
    assert not kinds(check(table(row(50, response_a="Déjà vu — “naïve” café, 東京, Ångström"))))


def turned(given):
    swapped = {"response_a": given["response_b"], "response_b": given["response_a"]}
    return given | swapped | {"label": 1 - given["label"]}


@pytest.mark.parametrize("again", [row(3), row(3, prompt=row(3)["prompt"].upper()), turned(row(3))])
def test_duplicates_in_either_orientation(again):
    report = check(table(again))
    assert kinds(report) == {"duplicate"}
    assert report.of("duplicate").positions.tolist() == [30]
    assert len(without(table(again), report.findings)) == 30


@pytest.mark.parametrize("again", [row(3, label=0.0), turned(row(3, label=0.0))])
def test_contradictory_duplicates_name_both_rows(again):
    report = check(table(again))
    assert kinds(report) == {"contradictory-duplicate"}
    assert report.of("contradictory-duplicate").positions.tolist() == [3, 30]


def test_who_has_votes_is_not_asked_who_judged():
    """Rows with votes each are joined; rows without are named by a column."""
    votes = [{"annotator": "x", "value": 0.0}]
    for more, said in (({}, "--column annotator"), ({"votes": votes}, "votes on a pair into one")):
        findings = check(table(row(3) | more, row(3, label=0.0) | more)).findings
        remedies = [one.remedy for one in findings if one.kind.endswith("duplicate")]
        assert len(remedies) == 2
        assert all(said in remedy for remedy in remedies)


def test_a_tie_contradicts_nothing():
    assert not kinds(check(table(row(3, label=0.5))))


def test_unusable_rows_are_reported_with_their_reasons():
    faults = tuple(Fault("f", i, "why") for i in range(10))
    data = table()
    report = check(Preferences(data.dataset, "d", "x", faults))
    finding = report.of("unusable-row")
    assert (finding.count, finding.share) == (10, 0.25)
    assert finding.examples[0].excerpt == "why"


def test_labels_out_of_range():
    labels = table().labels
    labels[[4, 5]] = [1.5, np.nan]
    assert check(table().with_labels(labels)).of("label-out-of-range").positions.tolist() == [4, 5]


def test_a_constant_label_is_told_only_where_it_was_given():
    given = [row(i, label=1, label_from="label") for i in range(30)]
    implied = [row(i, label=1, label_from="order") for i in range(30)]
    assert check(Preferences.from_rows(given)).of("constant-label").count == 30
    assert not kinds(check(Preferences.from_rows(implied)))


def test_a_constant_file_is_not_hidden_by_another():
    mixed = [row(i, file="good") for i in range(30)] + [
        row(i, file="bad", label=0) for i in range(40, 60)
    ]
    finding = check(Preferences.from_rows(mixed)).of("constant-label")
    assert finding.positions.tolist() == list(range(30, 50))
    assert "bad" in finding.meaning


def test_zero_and_one_read_as_tie_and_first_is_suspected(tmp_path):
    path = tmp_path / "judged.jsonl"
    records = [
        {"input": f"p{i}", "output_1": f"x{i}", "output_2": f"y{i}", "label": i % 2}
        for i in range(20)
    ]
    path.write_text("\n".join(map(json.dumps, records)))
    data = read_preferences(path, codings={"label": "first-is-1"})
    finding = check(data).of("one-sided-label")
    assert finding.count == 20
    assert "second response never wins" in finding.meaning


def scored(i, right, evidence="scores"):
    label = float(i % 2)
    better = label if right else 1 - label
    if evidence == "scores":
        return row(i, score_a=better, score_b=0.5)
    return row(i, votes=[{"annotator": "z", "value": better}])


@pytest.mark.parametrize("evidence", ["scores", "votes"])
def test_swapped_labels_are_found_where_there_is_evidence(evidence):
    swapped = Preferences.from_rows([scored(i, right=i < 3, evidence=evidence) for i in range(30)])
    finding = check(swapped).of("swapped-label")
    assert finding.severity == "error"
    assert finding.count == 27


def test_some_contradictions_are_no_swap():
    some = Preferences.from_rows([scored(i, right=i >= 9) for i in range(30)])
    report = check(some)
    assert kinds(report) == {"label-against-evidence"}
    assert report.of("label-against-evidence").count == 9


def test_evidence_at_chance_is_rarely_called_a_swap():
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(20):
        right = rng.random(60) < 0.5
        data = Preferences.from_rows([scored(i, right[i]) for i in range(60)])
        called += check(data).of("swapped-label") is not None
    assert called == 0


def test_without_evidence_it_says_that_it_cannot_tell():
    assert any(reason.startswith("swapped labels") for reason in check(table()).unchecked)
    own = Preferences.from_rows([scored(i, False) | {"label_from": "scores"} for i in range(30)])
    report = check(own)
    assert "swapped-label" not in kinds(report)
    assert any(reason.startswith("swapped labels") for reason in report.unchecked)


LONG = "Describe at length the history of the city of {} and of the river that runs through it."


def test_leakage_exact_near_and_none():
    here = table(
        row(50, prompt=LONG.format("Prague")),
        row(51, prompt=LONG.format("Prague").upper()),
        row(52, prompt=LONG.format("Vienna")),
        row(53, prompt="Something else altogether, about cooking rice in a pan without a lid"),
        clean=0,
    )
    other = Preferences.from_rows(
        [row(i) for i in range(200)] + [row(900, prompt=LONG.format("Prague"))]
    )
    report = check(here, against=other)
    assert report.of("leaked-prompt").positions.tolist() == [0, 1]
    assert report.of("leaked-near-duplicate").positions.tolist() == [2]
    assert not any(reason.startswith("leakage") for reason in report.unchecked)


def test_branches_of_one_dialogue_are_noted():
    def turns(*said):
        roles = ("user", "assistant") * len(said)
        return [{"role": r, "content": c} for r, c in zip(roles, said, strict=False)]

    here = table(row(50, prompt=turns("Tell me a story", "No.", "Why not? " * 20)), clean=0)
    other = table(row(51, prompt=turns("Tell me a story", "Once upon a time...", "Go on" * 9)))
    assert kinds(check(here, against=other)) == {"shared-opening"}


@pytest.mark.parametrize("changed", [0.02, 0.5])
def test_near_duplicates_are_found_among_many(changed):
    rng = np.random.default_rng(1)
    words = np.array([f"word{i}" for i in range(500)])
    texts = [rng.choice(words, 60) for _ in range(150)]
    here = Preferences.from_rows([row(i, prompt=" ".join(t)) for i, t in enumerate(texts)])
    for text in texts:
        text[rng.random(60) < changed] = "other"
        text[0] = "other"
    there = Preferences.from_rows([row(i, prompt=" ".join(t)) for i, t in enumerate(texts)])
    finding = check(here, against=there).of("leaked-near-duplicate")
    if changed < 0.1:
        assert finding.share > 0.9
    else:
        assert finding is None


TEMPLATE = (
    "{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
    "{{ m.role }} {{ m.content }} {% endfor %}"
)


def tokenizer(template=None, specials=False):
    """Words as tokens, in a tokenizer as `transformers` makes them."""
    words = Tokenizer(models.WordLevel({"[START]": 0, "[END]": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    letters = {letter: i for i, letter in enumerate("pqabcdxys", start=3)}
    words.add_tokens(list(letters))
    if specials:
        words.post_processor = processors.TemplateProcessing(
            single="[START] $A [END]", special_tokens=[("[START]", 0), ("[END]", 1)]
        )
    names = {"eos_token": "[END]", "bos_token": "[START]"}
    return PreTrainedTokenizerFast(tokenizer_object=words, chat_template=template, **names)


def test_pairs_that_are_cut_to_the_same_are_found():
    data = table(
        row(50, prompt="p", response_a="a " * 20 + "x", response_b="a " * 20 + "y"),
        row(51, prompt="p", response_a="a", response_b="b " * 20),
        row(52, prompt="p " * 30),
        clean=0,
    )
    report = check(data, tokenizer=tokenizer(), max_length=15)
    assert report.of("identical-after-truncation").positions.tolist() == [0]
    assert report.of("response-cut").positions.tolist() == [0, 1]
    assert report.of("prompt-cut").positions.tolist() == [2]
    assert not kinds(check(data, tokenizer=tokenizer(), max_length=100))


@pytest.mark.parametrize(("specials", "needed"), [(False, 5), (True, 6)])
def test_the_boundary_of_truncation_is_exact(specials, needed):
    """`[START]`, where there is one, and p; a, b, c or d, and `[END]`, which is cut first."""
    data = table(row(50, prompt="p", response_a="a b c", response_b="a b d"), clean=0)
    words = tokenizer(specials=specials)
    assert not kinds(check(data, tokenizer=words, max_length=needed))
    short = check(data, tokenizer=words, max_length=needed - 1)
    assert kinds(short) == {"response-cut"}
    shorter = check(data, tokenizer=words, max_length=needed - 2)
    assert kinds(shorter) == {"response-cut", "identical-after-truncation"}


def test_identical_responses_that_fit_are_not_blamed_on_truncation():
    data = table(row(50, prompt="p", response_a="a b", response_b="a b"), clean=0)
    assert kinds(check(data, tokenizer=tokenizer(), max_length=9)) == {"identical-responses"}


def test_chat_templates_are_used_and_their_refusals_told():
    def chat(content, role="user"):
        return [{"role": role, "content": content}]

    data = table(
        row(50, prompt=chat("p q"), response_a="a b", response_b="a c", conversational=True),
        row(51, prompt=chat("s", "system"), response_a="a", response_b="b", conversational=True),
        clean=0,
    )
    report = check(data, tokenizer=tokenizer(TEMPLATE), max_length=5)  # user p q assistant a
    assert report.of("identical-after-truncation").positions.tolist() == [0]
    assert report.of("chat-template-refuses").positions.tolist() == [1]


def test_wrong_arguments():
    with pytest.raises(ConfigurationError, match="together"):
        check(table(), tokenizer=tokenizer())
    with pytest.raises(ConfigurationError, match="at least 1; got 0"):
        check(table(), tokenizer=tokenizer(), max_length=0)
    with pytest.raises(DataError, match="no rows"):
        check(table(clean=0))


def test_a_mask_of_other_rows_is_refused():
    context = Context(table(clean=5))
    per_side = check_of("odd", "note", "", "", lambda _: np.array([True, True]))
    with pytest.raises(ConfigurationError, match=r"'odd' gave a mask of shape \(2,\) for 5 row"):
        list(per_side(context))
    positions = check_of("odd", "note", "", "", lambda _: np.array([3, 1]))
    assert [found.positions.tolist() for found in positions(context)] == [[3, 1]]


def test_the_report_is_ordered_written_and_bounded():
    report = check(table(*PLANTED["empty-response"], *PLANTED["identical-responses"], row(3)))
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    written = json.loads(json.dumps(report.to_dict()))
    assert written["schema_version"] == 1
    assert [f["kind"] for f in written["findings"]] == [f.kind for f in report.findings]
    assert "positions" not in written["findings"][0]
    assert "identical-responses: 1 (3.03%)" in str(report)
    assert len(checks()) == len({one.__name__ for one in checks()})
