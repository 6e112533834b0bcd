import re
from dataclasses import replace

import numpy as np
import pytest
from evaluation.preference_tables import rewards_for, table
from html_checks import assert_self_contained
from jinja2 import UndefinedError

from surefoot.auditing import Audit
from surefoot.data.checks import DamageReport, ExampleRow, Finding, check
from surefoot.data.schema import Preferences
from surefoot.evaluation import Overlap, compare, evaluate_rewards
from surefoot.evaluation.run import Evaluation, SetFindings
from surefoot.report import advice
from surefoot.report.audit import audit_page
from surefoot.report.evaluation import Matrix, evaluation_page
from surefoot.report.page import render
from surefoot.statistics import Estimate

UNASKED = Audit("mine", 12, (), ())
HOSTILE = '</svg></style><script>alert("1")</script>'


def squeezed(html):
    return " ".join(" ".join(assert_self_contained(html).text).split())


def page_of(results, comparisons=None, overlaps=None, model="the model", **named):
    sets = {
        name: SetFindings(result, (comparisons or {}).get(name), None, (overlaps or {}).get(name))
        for name, result in results.items()
    }
    baseline = named.pop("baseline", "the baseline") if comparisons else None
    return evaluation_page(Evaluation(model, baseline, 1, sets), **named)


def suite(name="table", accuracy=0.9, **options):
    return replace(table(**options), name=name), accuracy


def evaluated(preferences, accuracy, seed=1, **options):
    return evaluate_rewards(rewards_for(preferences, accuracy, seed), preferences, **options)


# --- the audit page


def test_an_error_comes_first_with_its_remedy_and_rows():
    rows = [{"prompt": f"q{i}", "response_a": "a", "response_b": "b", "label": 1} for i in range(9)]
    rows += [{"prompt": "same", "response_a": "x", "response_b": "x", "label": 0.0}]
    page = squeezed(audit_page(check(Preferences.from_rows(rows, name="mine")), UNASKED))
    assert "Mend this data before training on it: 1 row of 10 (10 %) do" in page
    assert "Identical responses, 1 row: Drop these rows." in page
    assert page.index("Mend this data") < page.index("What to do:")
    assert "swapped labels: no row has scores or votes" in page  # what was not checked


def test_rows_in_two_errors_count_once():
    def finding(kind, positions):
        at = np.array(positions)
        return Finding(kind, "error", len(at), len(at) / 10, (), "Bad.", "Drop.", at)

    report = DamageReport("mine", 10, (finding("a", [1, 2, 3]), finding("b", [3, 4])), ())
    assert "4 rows of 10 (40 %)" in squeezed(audit_page(report, UNASKED))


def test_clean_data_is_called_clean_without_a_promise():
    page = squeezed(audit_page(DamageReport("mine", 12, (), ()), UNASKED))
    assert "These 12 rows do not say whether anything is wrong" in page
    assert "Damage" not in page


def test_texts_of_the_data_are_escaped_in_the_audit():
    example = ExampleRow(f"data/{HOSTILE}", 3, HOSTILE)
    finding = Finding("empty-response", "warning", 1, 0.1, (example,), HOSTILE, HOSTILE)
    html = audit_page(
        DamageReport(HOSTILE, 10, (finding, finding), (HOSTILE,)),
        UNASKED,
        command=f"surefoot {HOSTILE}",
    )
    assert "<script" not in html
    assert squeezed(html).count('<script>alert("1")</script>') >= 7


# --- the evaluation page


def test_the_verdict_counts_sets_against_the_ruler():
    (good, a), (coin, b) = suite("good", 0.9), suite("coin", 0.5, seed=3)
    page = squeezed(
        page_of({"good": evaluated(good, a), "coin": evaluated(coin, b)}, model="runs/robust")
    )
    assert "runs/robust beats the best content-blind ruler on 1 of 2 sets of pairs." in page
    assert "the model" not in page.partition("Accuracy with")[0]
    assert "Not distinguishable from a ruler on coin." in page


def test_a_useless_model_is_called_so():
    preferences, _ = suite()
    page = squeezed(page_of({"table": evaluated(preferences, 0.1)}))
    assert "Nothing shows that the model knows more than a content-blind ruler here." in page
    assert "picking by looks does better here" in page


def test_figures_on_the_page_are_those_of_the_result():
    preferences, accuracy = suite(groups=["g", "h"] * 100)
    found = evaluated(preferences, accuracy)
    page = squeezed(page_of({"table": found}))
    for figure in (found.accuracy, found.log_loss, *found.groups.values(), *found.rulers.values()):
        written = str(figure).replace("-", "\N{MINUS SIGN}")
        assert written in page, written
    assert f"Worst group: {found.worst.group}" in page


@pytest.mark.parametrize(("accuracy", "word"), [(0.95, "better"), (0.55, "worse")])
def test_a_comparison_gives_verdict_difference_p_and_power(accuracy, word):
    preferences, _ = suite()
    ours, theirs = rewards_for(preferences, accuracy), rewards_for(preferences, 0.75, seed=2)
    found = compare(ours, theirs, preferences)
    html = page_of(
        {"table": evaluate_rewards(ours, preferences)}, {"table": found}, baseline="runs/plain"
    )
    page = squeezed(html)
    assert f"it is {word} than runs/plain." in page
    assert f"{abs(found.accuracy.minimum_detectable):.3f}"[1:] in page
    assert "a claim about the two methods needs more seeds" in page


def test_what_few_clusters_say_is_detectable_is_about_that():
    preferences, _ = suite()
    ours, theirs = rewards_for(preferences, 0.76), rewards_for(preferences, 0.75, seed=2)
    found = compare(ours, theirs, preferences)
    rough = replace(found.accuracy, test=replace(found.accuracy.test, known=3.0))
    results = {"table": evaluate_rewards(ours, preferences)}
    exact, vague = (
        squeezed(page_of(results, {"table": replace(found, accuracy=tested)}))
        for tested in (found.accuracy, rough)
    )
    about = f"about {advice.number(rough.minimum_detectable)}"
    assert f"a true difference below {about} is often missed here" in vague
    assert vague.count(about) >= 2  # in the table too
    assert "a true difference below about" not in exact


@pytest.mark.parametrize(
    ("against_ruler", "against_baseline", "tone", "words"),
    [
        (["better"], ["better"], "good", "beats the best content-blind ruler here; it is better"),
        (["better"], ["worse"], "bad", "it is worse than b."),
        (["better"], ["not distinguishable"], "doubt", "it is not distinguishable from b."),
        (["better"], ["not tested"], "doubt", "it is not tested against b."),
        (["worse"], ["better"], "bad", "Nothing shows that m knows more"),
        (
            ["better", "better"],
            ["better", "not distinguishable"],
            "good",
            "than b on 1 of 2, worse on 0",
        ),
        (["better", "better"], ["better", "worse"], "doubt", "than b on 1 of 2, worse on 1."),
        (["better", "worse"], [], "doubt", "on 1 of 2 sets of pairs."),
        (["worse", "worse"], [], "bad", "On no set of pairs does m beat"),
        (
            ["better", "better"],
            ["not distinguishable"] * 2,
            "doubt",
            "not distinguishable from b on any.",
        ),
    ],
)
def test_the_first_sentence(against_ruler, against_baseline, tone, words):
    given = [
        [(str(i), w) for i, w in enumerate(side)] for side in (against_ruler, against_baseline)
    ]
    found, sentence, _ = advice.overall(*given, "m", "b")
    assert found == tone
    assert words in sentence


def test_a_difference_that_does_not_survive_correction_is_not_claimed():
    preferences = table(n=400)
    sign = np.where(preferences.labels > 0.5, 1.0, -1.0)
    at = np.arange(400)

    def right_on(rows):
        return np.where(rows, sign, -sign)[:, None] * [1.0, 0.0]

    sets, comparisons = {}, {}
    for place, losses in enumerate([8, 20, 20, 20]):  # against 20 gains in each set
        one = replace(preferences, name=f"set {place}")
        ours = right_on((at >= losses) & (at < 300))
        sets[one.name] = evaluate_rewards(ours, one)
        comparisons[one.name] = compare(ours, right_on(at < 280), one)
    alone = comparisons["set 0"].accuracy.p_value
    assert 0.0125 < alone < 0.05, "the example should be significant before correction only"
    page = squeezed(page_of(sets, comparisons))
    assert "after correction for the number of sets" in page
    assert "better on set 0" not in page


def test_overlap_ties_and_notes_are_said():
    preferences = table(labels=np.ones(200))
    rewards = rewards_for(preferences)
    rewards[:20] = 0.0
    page = squeezed(
        page_of(
            {"table": evaluate_rewards(rewards, preferences)},
            overlaps={"table": Overlap(30, 25, 200)},
        )
    )
    assert "30 pairs of 200 (15 %) have a prompt that was seen in training" in page
    assert "The model ties on 20 pairs (10 %)" in page
    assert "Every label prefers the same position" in page


def test_names_of_the_data_are_escaped_in_the_evaluation():
    groups = [HOSTILE, "</svg>"] * 100
    preferences = replace(table(groups=groups, sources=groups), name=HOSTILE)
    rewards = rewards_for(preferences)
    found = evaluate_rewards(rewards, preferences, breakdowns={HOSTILE: groups})
    html = page_of(
        {HOSTILE: found},
        {HOSTILE: compare(rewards, -rewards, preferences)},
        model=HOSTILE,
        baseline=HOSTILE,
        command=HOSTILE,
    )
    assert "<script" not in html
    page = assert_self_contained(html)
    assert "</svg>" in " ".join(page.text)
    assert sum(tag == "svg" for tag, _ in page.tags) == 3


def test_a_style_matrix_is_drawn_and_other_breakdowns_are_tables():
    names = [f"{a} over {b}" for a in "xyz" for b in "xyz"] * 40
    preferences = table(n=360)
    found = evaluated(preferences, 0.8, breakdowns={"matrix": names, "plain": ["p", "q"] * 180})
    page = assert_self_contained(page_of({"table": found}))
    described = [a["aria-label"] for tag, a in page.tags if tag == "svg"]
    assert any(text.startswith("chosen by rejected. x: x ") for text in described)
    assert "x over y" not in " ".join(page.text)
    assert "Plain" in " ".join(page.text)


def test_matrix_needs_every_combination():
    one = Estimate(0.5, 0.4, 0.6, n=9, covers="x")
    whole = {f"{a} over {b}": one for a in "xy" for b in "xyz"}
    assert Matrix.of(whole).columns == ("x", "y", "z")
    assert Matrix.of({k: v for k, v in whole.items() if k != "x over y"}) is None
    assert Matrix.of({"x over y over z": one}) is None
    assert Matrix.of({}) is None


def test_too_few_pairs_give_reasons_instead_of_intervals():
    preferences = table(n=6, groups=["g"] * 6)
    page = squeezed(page_of({"table": evaluated(preferences, 0.9)}))
    assert "too few" in page
    assert "Too few independent pairs to test on table." in page


def test_the_same_result_gives_the_same_page_and_nothing_to_evaluate_a_page():
    preferences, accuracy = suite()
    found = evaluated(preferences, accuracy)
    assert page_of({"table": found}) == page_of({"table": found})
    assert "Nothing was evaluated." in squeezed(page_of({}))


def test_several_seeds_are_said_and_speak_of_methods():
    preferences = table()
    ours = [rewards_for(preferences, 0.9, seed) for seed in range(4)]
    theirs = [rewards_for(preferences, 0.7, seed) for seed in range(10, 14)]
    page = squeezed(
        page_of(
            {"table": evaluate_rewards(ours[0], preferences)},
            {"table": compare(ours, theirs, preferences)},
        )
    )
    assert "those of the first of 4 seeds" in page
    assert "Covers seeds and test prompts." in page
    assert "needs more seeds" not in page


@pytest.mark.parametrize(("better", "word"), [(True, "better"), (False, "worse")])
def test_a_lower_log_loss_is_better(better, word):
    preferences = table(n=400)
    sharp, coin = rewards_for(preferences, 0.9), np.zeros((400, 2))
    pair = (sharp, coin) if better else (coin, sharp)
    found = compare(*pair, preferences)
    html = page_of({"table": evaluate_rewards(pair[0], preferences)}, {"table": found})
    below = html[html.index("Of</th>") :]
    row = re.search(r"<th scope=.row.>Log-loss</th>(<td>.*?)</tr>", below, re.DOTALL)[1]
    assert (found.log_loss.difference.estimate < 0) == better
    assert f">{word}<" in row


@pytest.mark.parametrize(
    ("accuracy", "scale", "said", "unsaid"),
    [
        (0.6, 5.0, "are too sure", "are too cautious"),
        (0.95, 0.3, "are too cautious", "are too sure"),
    ],
)
def test_miscalibration_is_said_with_its_direction(accuracy, scale, said, unsaid):
    preferences = table(n=600)
    found = evaluate_rewards(rewards_for(preferences, accuracy, scale=scale), preferences)
    page = squeezed(page_of({"table": found}))
    assert said in page
    assert unsaid not in page


def test_a_group_served_worse_than_by_a_coin_is_named_and_others_are_not():
    preferences = table(n=400, groups=["well", "badly"] * 200)
    right, wrong = rewards_for(preferences, 0.9), rewards_for(preferences, 0.2)
    mixed = np.where((np.arange(400) % 2 == 0)[:, None], right, wrong)
    warned = squeezed(page_of({"table": evaluate_rewards(mixed, preferences)}))
    fine = squeezed(page_of({"table": evaluate_rewards(right, preferences)}))
    assert "served worse than by a coin: badly is lowest" in warned
    assert "worse than by a coin" not in fine


# --- rendering


def test_pages_are_light_and_dark_and_fit_a_telephone():
    html = audit_page(DamageReport("mine", 12, (), ()), UNASKED)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport" content="width=device-width' in html
    assert not re.search(r"https?://|@import|url\(", html)


def test_a_missing_name_is_an_error():
    with pytest.raises(UndefinedError, match="'report' is undefined"):
        render("audit.html.jinja")
