"""The policy part of the demo: small language models, what they write, and the table."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from io import StringIO

import numpy as np
import pytest
import torch
from rich.console import Console

pytest.importorskip("trl", reason="the policy part needs the extra `trl`")

from surefoot.demo import print_policies
from surefoot.demo.page import policy_section
from surefoot.demo.policies.figures import Outcomes, Scored, _on_pairs, _on_written, rows_of
from surefoot.demo.policies.methods import POLICY_COLUMNS, policy_methods
from surefoot.demo.policies.part import WITHOUT_TRL, why_not
from surefoot.demo.policies.training import Completion, GenerationOptions, write_responses
from surefoot.demo.result import PolicyResult
from surefoot.demo.table import markdown, policy_summary
from surefoot.objectives import Objective
from surefoot.report.words import number
from surefoot.worlds import TextWorld, WorldPairs
from surefoot.worlds.bank import DISMISSIVE, FILLER, TOPICS, VAGUE
from surefoot.worlds.language_model import (
    LanguageOptions,
    make_model,
    make_tokenizer,
    plain_copy,
    train_supervised,
)
from surefoot.worlds.pool import CORE, RARE
from surefoot.worlds.text_truth import truth_of

TEXTS = [("What is good?", "Rest is good. Sleep well."), ("What is bad?", "Noise is bad.")]
SMALL = LanguageOptions(vocabulary=300, width=16, layers=1, heads=2, epochs=1)


@pytest.fixture(scope="module")
def small():
    tokenizer = make_tokenizer((t for pair in TEXTS for t in pair), SMALL.vocabulary)
    return make_model(tokenizer, SMALL, 128, seed=0), tokenizer


def test_what_is_written_has_its_minimum_and_no_banned_token(small):
    model, tokenizer = small
    with torch.no_grad():  # a model that wants nothing but to stop, or to pad
        model.lm_head.weight.zero_()
        model.lm_head.weight[tokenizer.eos_token_id] = 50
    options = GenerationOptions(min_new_tokens=7, max_new_tokens=9, responses=3, batch=4)
    written = write_responses(model, tokenizer, [p for p, _ in TEXTS], options, seed=0)
    assert [one.prompt for one in written] == ["What is good?"] * 3 + ["What is bad?"] * 3
    assert all(7 <= one.tokens <= 9 for one in written)
    assert not any(mark in one.text for one in written for mark in ("<pad>", "<s>", "</s>"))
    again = write_responses(model, tokenizer, [p for p, _ in TEXTS], options, seed=0)
    assert again == written


def test_supervised_training_lowers_the_loss_and_a_copy_is_its_own(small):
    tokenizer = small[1]
    model = make_model(tokenizer, SMALL, 128, seed=1)
    options = SMALL.model_copy(update={"epochs": 40.0})
    losses = train_supervised(model, tokenizer, TEXTS * 4, options, seed=0)
    assert losses[-1] < losses[0]
    copied = plain_copy(model)
    assert copied.config.use_cache  # without it every token reads all of the text again
    ids = torch.tensor([[5, 6, 7]])
    before = copied(ids).logits
    with torch.no_grad():
        model.model.embed_tokens.weight.zero_()
    assert torch.equal(copied(ids).logits, before)


class TestJudge:
    world = TextWorld()

    def test_it_agrees_with_the_pool(self):
        """Every response of the pool is worth what the pool says."""
        for prompt in self.world.prompts["test"][:10]:
            for response in prompt.responses:
                found = truth_of(prompt.text, response.text)
                assert found.unknown == found.repeated == 0
                assert found.filler == response.filler
                assert found.quality == response.quality
                assert found.content == CORE

    def test_a_sentence_of_each_kind(self):
        prompt = self.world.prompts["test"][0]
        assert prompt.topic == "gardening"
        subject = next(s for s in TOPICS["gardening"].subjects if s in prompt.text)
        other = next(s for s in TOPICS["gardening"].subjects if s != subject)
        about = next(one for one in TOPICS["gardening"].advice if "{subject}" in one)
        far = TOPICS["cooking"]
        worth = {
            about.format(subject=subject): (1, 0, 1),
            about.format(subject=other): (-1, 0, 1),  # advice about something else
            far.advice[0].format(subject=far.subjects[0]): (-1, 0, 1),
            VAGUE[0]: (0, 0, 1),
            DISMISSIVE[0]: (-1, 0, 1),
            FILLER[0]: (0, 1, 0),
            "Nobody says this.": (0, 0, 0),
        }
        for sentence, expected in worth.items():
            found = truth_of(prompt.text, sentence)
            assert (found.quality, found.filler, found.content) == expected, sentence
        whole = truth_of(prompt.text, " ".join(worth))
        assert (whole.quality, whole.filler, whole.content, whole.unknown) == (-2, 1, 5, 1)

    def test_what_is_broken_or_said_again_adds_nothing(self):
        prompt = self.world.prompts["test"][0]
        text = prompt.responses[0].text
        once, twice = truth_of(prompt.text, text), truth_of(prompt.text, f"{text} {text} And so on")
        assert twice.quality == once.quality
        assert twice.repeated == once.content
        assert twice.unknown == 1

    def test_a_prompt_of_no_world(self):
        with pytest.raises(KeyError):
            truth_of("What is the time?", "Late.")


def test_every_method_is_a_valid_objective_and_predicts_columns_that_exist():
    compared = policy_methods(TextWorld())
    names = [method.name for method in compared]
    for method in compared:
        Objective(**(method.objective or {}))
        assert set(method.predicted) <= set(POLICY_COLUMNS)
        assert method.against in {"", *names}
        words = {word for key in method.predicted for word in POLICY_COLUMNS[key].words}
        assert set(method.predicted.values()) <= words


def _pairs(*rows):
    """Pairs by hand: prompt, group, true rewards of both responses."""
    return WorldPairs(
        "by hand",
        tuple(
            {"prompt": p, "group": group, "response_a": f"{p} a", "response_b": f"{p} b"}
            for p, group, _ in rows
        ),
        np.array([rewards for *_, rewards in rows], dtype=float),
        np.zeros(len(rows), dtype=bool),
        np.zeros((len(rows), 2), dtype=int),
    )


#: Implicit rewards of a policy with beta 0.5, by response; the truth prefers b, a, a, b.
PAIRS = _pairs(("p", "", (0, 2)), ("q", RARE, (1, -1)), ("r", RARE, (3, 0)), ("s", "", (0, 1)))
REWARDS = {"p": (1.0, 2.0), "q": (0.5, 0.0), "r": (-1.0, 1.0), "s": (0.3, 0.3)}
SCORED = Scored(
    {(p, f"{p} {s}"): r[i] for p, r in REWARDS.items() for i, s in enumerate("ab")}, 0.5
)
TESTS = {"test": PAIRS, "shifted": PAIRS, "alike": PAIRS}


def test_figures_on_pairs_by_hand():
    found = _on_pairs([SCORED], TESTS)
    assert found["clean"].by_seed[0].tolist() == [1, 1, 0, 0.5]  # right, right, wrong, tied
    assert found["rare"].by_seed[0].tolist() == [1, 0]
    assert found["change"].by_seed[0].tolist() == [4, 1, -2, 0.6]  # of b, a, a, b, over beta
    truth = 1 / (1 + np.exp(-np.array([-2, 2, 3, -1])))
    implied = 1 / (1 + np.exp(-np.array([-1, 0.5, -2, 0])))
    losses = -truth * np.log(implied) - (1 - truth) * np.log(1 - implied)
    np.testing.assert_allclose(found["log-loss"].by_seed[0], losses)


def _write(world, *sentences):
    """The same response to every test prompt."""
    texts = [(p.text, " ".join(sentences)) for p in world.prompts["test"]]
    return tuple(Completion(prompt, text, 7, True) for prompt, text in texts)


def test_figures_of_what_is_written_by_hand():
    world = TextWorld()
    found = _on_written([_write(world, DISMISSIVE[0], *FILLER[:3])], world)
    ordinary, hurried, length = (found[key].by_seed[0] for key in ("reward", "hurried", "length"))
    rare = sum(p.group == RARE for p in world.prompts["test"])
    assert (len(ordinary), len(hurried)) == (len(world.prompts["test"]) - rare, rare)
    np.testing.assert_allclose(ordinary, -world.steepness)
    np.testing.assert_allclose(hurried, -world.steepness - 3 * world.brevity)
    assert world.brevity > 0
    assert set(length) == {7.0}


def test_predictions_over_three_seeds_are_tested_against_the_row_they_name():
    """Plain gains on the supervised model and the likelihood term on plain, with some noise."""
    world = TextWorld()
    rng = np.random.default_rng(0)
    prompts = [(f"p{i}", RARE if i % 2 else "", (i // 2 % 2, 0.5)) for i in range(48)]
    pairs = _pairs(*prompts)

    def run(shift, sentences):
        rewards = {
            (p, f"{p} {side}"): shift * scale + 0.01 * rng.normal()
            for p, *_ in prompts
            for side, scale in (("a", 0.5), ("b", 1.0))
        }
        return Outcomes(Scored(rewards, 0.5), _write(world, *sentences))

    shifts = {"plain (DPO)": -2.0, "with chosen likelihood (RPO)": -1.0}
    outcomes = {
        method.name: [
            Outcomes(None, _write(world, VAGUE[0], DISMISSIVE[0]))
            if method.objective is None
            else run(shifts.get(method.name, -2.0), (VAGUE[0],))
            for _ in range(3)
        ]
        for method in policy_methods(world)
    }
    tests = {"test": pairs, "shifted": pairs, "alike": pairs}
    rows = rows_of(policy_methods(world), outcomes, tests, world)
    result = PolicyResult(
        world=world,
        seeds=3,
        rows=rows,
        notes={},
        options={},
        parameters=0,
        supervised_loss=0.0,
        samples={},
    )
    claims = {(c.method, c.column): c for c in result.claims}
    assert len(claims) == sum(len(m.predicted) for m in policy_methods(world))
    falls = claims["plain (DPO)", "change"]
    assert (falls.against, falls.found, falls.held) == ("supervised only", "worse", True)
    assert falls.difference.difference.estimate == pytest.approx(-3.0, abs=0.1)
    kept = claims["with chosen likelihood (RPO)", "change"]
    assert (kept.against, kept.found, kept.held) == ("plain (DPO)", "better", True)
    assert kept.difference.difference.estimate == pytest.approx(1.5, abs=0.1)
    same = claims["smoothed labels (cDPO)", "change"]
    assert (same.found, same.held) == ("not distinguishable", False)
    assert same.adjusted >= same.difference.p_value
    assert kept.difference.difference.covers == "seeds and test prompts"


@pytest.fixture
def policies(result):
    return result.policies


@pytest.mark.slow
def test_a_whole_part_in_small(policies):
    assert [row.method.name for row in policies.rows] == [
        method.name for method in policy_methods(policies.world)
    ]
    first, *others = policies.rows
    assert set(first.cells) == {"reward", "hurried", "length"}  # no preferences, no implicit reward
    assert all(set(row.cells) == set(POLICY_COLUMNS) for row in others)
    lengths = [row.cells["length"].value.estimate for row in policies.rows]
    assert all(4 <= length <= 8 for length in lengths)
    json.dumps(policies.to_dict(), allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 220])
def test_the_table_shows_the_figures_whole(policies, width):
    console = Console(file=StringIO(), width=width)
    print_policies(policies, console)
    shown = console.file.getvalue()
    figures = shown.split("A model of")[0]
    for row in policies.rows:
        assert row.method.name.split()[0] in shown
        for key, cell in row.cells.items():
            assert number(cell.value.estimate, POLICY_COLUMNS[key].digits) in figures
    assert "…]" not in figures
    assert "[−.…" not in figures
    lines = markdown(policies.rows, POLICY_COLUMNS).splitlines()
    assert len(lines) == len(policies.rows) + 2
    assert len({line.count("|") for line in lines}) == 1
    held = sum(claim.held for claim in policies.claims)
    assert re.search(
        rf"{len(policies.claims)} predictions; {held} held", "\n".join(policy_summary(policies))
    )


@pytest.mark.slow
def test_the_section_of_the_page(policies):
    page = policy_section(policies, "")
    assert "<script" not in page
    assert not re.search(r"(src|href)\s*=", page)
    for row in policies.rows:
        assert row.method.name in page
        for key, cell in row.cells.items():  # the figures of the JSON
            assert number(cell.value.estimate, POLICY_COLUMNS[key].digits) in page
    bad = "<script>alert(1)</script>"
    name = policies.rows[0].method.name
    hostile = replace(policies.samples[name][0], text=bad, prompt=bad)
    page = policy_section(replace(policies, samples={bad: (hostile,)}), "")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 3


def test_the_page_says_why_there_are_no_policies():
    assert f"This part did not run: {WITHOUT_TRL}." in unescape(policy_section(None, WITHOUT_TRL))


def test_without_trl_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("surefoot.demo.policies.part.find_spec", lambda name: None)
    assert "surefoot[encoder,trl]" in why_not()
    monkeypatch.undo()
    assert why_not() == ""
