"""Edits by rule: each changes what it says, nothing else, and leaves what it does not apply to."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.auditing.models.edits import EDITS, another_prompts
from surefoot.data.text import Message, Prompt

TEXT = """# How to bake

You need **flour** and "time". Don't hurry! Knead it well. Let it rest in a café. Then bake it.

- one bowl
- two hands

Bread keeps for a week in a cloth, as long as the kitchen is dry and nobody is hungry."""
ASKED = Prompt([Message(role="user", content="How do I bake bread?")], conversational=True)
BY_NAME = {edit.name: edit for edit in EDITS}


def _rng():
    return np.random.default_rng(0)


def _words(text):
    return sorted(re.findall(r"\w+", unicodedata.normalize("NFC", text)))


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_every_edit_applies_somewhere_and_leaves_what_it_does_not_apply_to(edit):
    paragraphs = "Bread is good for all.\n\nMilk keeps you well.\n\nCheese is made from milk."
    edited = [edit.apply(ASKED, text, _rng()) for text in (TEXT, paragraphs)]
    assert any(one is not None for one in edited)
    assert all(one != (ASKED, text) for one, text in zip(edited, (TEXT, paragraphs), strict=True))
    assert edit.apply(Prompt([]), "", _rng()) is None
    again = edit.apply(ASKED, TEXT, _rng())
    assert again == edited[0]  # by the seed alone


@pytest.mark.parametrize("edit", [e for e in EDITS if e.expects == "same"], ids=lambda e: e.name)
@given(text=st.text(alphabet="ab é\"'*_`-#>.\n1", max_size=60))
def test_what_must_not_change_a_reward_keeps_every_word(edit, text):
    edited = edit.apply(ASKED, text, _rng())
    if edited is not None:
        prompt, response = edited
        assert prompt == ASKED
        drop = re.compile(r"[\s*_`#\-\"'“”’]")
        kept = [drop.sub("", unicodedata.normalize("NFC", one)) for one in (text, response)]
        assert kept[0].casefold() == kept[1].casefold()


def test_typos_keep_all_letters_and_are_few():
    text = "the quick brown fox jumps over the lazy dog " * 10
    _, edited = BY_NAME["typos, one in 100 characters"].apply(ASKED, text, _rng())
    assert sorted(edited) == sorted(text)
    assert 2 <= sum(a != b for a, b in zip(edited, text, strict=True)) <= 2 * 5


@pytest.mark.parametrize("name", ["sentences shuffled", "paragraphs in another order"])
def test_another_order_keeps_every_word(name):
    text = "One is red. Two is blue. Three is green. Four is grey."
    if name.startswith("paragraphs"):
        text = text.replace(". ", ".\n\n")
    _, edited = BY_NAME[name].apply(ASKED, text, _rng())
    assert _words(edited) == _words(text)
    assert edited != text


def test_paragraphs_that_go_on_from_the_one_before_stay():
    text = "Wash it.\n\nThen dry it.\n\nPut it away."
    assert BY_NAME["paragraphs in another order"].apply(ASKED, text, _rng()) is None


def test_code_keeps_its_spaces_and_quotes():
    code = "Run:\n\n```python\nprint('a')\n```\n"
    for name in ("spaces at line ends", "curly quotes", "markdown to plain"):
        assert BY_NAME[name].apply(ASKED, code, _rng()) is None


def test_a_polite_request_and_a_system_prompt_change_the_prompt_alone():
    for name, turns in (("a polite request", 1), ("a system prompt", 2)):
        prompt, response = BY_NAME[name].apply(ASKED, TEXT, _rng())
        assert (response, len(prompt.prompt)) == (TEXT, turns)
        assert prompt.prompt[-1]["content"].endswith("How do I bake bread?")
    plain = ASKED._replace(conversational=False)
    assert BY_NAME["a system prompt"].apply(plain, TEXT, _rng()) is None


@given(keys=st.lists(st.integers(0, 5), min_size=1, max_size=30), seed=st.integers(0, 5))
def test_another_prompt_is_another_one(keys, seed):
    found = another_prompts(np.array(keys), np.random.default_rng(seed))
    if len(set(keys)) == 1:
        assert (found == -1).all()
    else:
        assert all(keys[i] != keys[j] for i, j in enumerate(found))


def test_every_row_of_another_prompt_is_as_likely():
    keys = np.array([0, 0, 1, 2, 2, 2])
    drawn = np.array([another_prompts(keys, np.random.default_rng(s))[0] for s in range(2000)])
    shares = np.bincount(drawn, minlength=6) / 2000
    assert shares[:2].sum() == 0
    assert np.abs(shares[2:] - 0.25).max() < 0.04
