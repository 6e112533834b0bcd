"""Pairs for a proof are like none of those that are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from encoders import WORDS

from surefoot.data import Preferences
from surefoot.data.apart import FEWEST, set_apart
from surefoot.data.checks import check


def preferences(n, prompt, **columns):
    return Preferences.from_rows(
        {
            "prompt": prompt(i),
            "response_a": f"yes {i}",
            "response_b": f"no {i}",
            "label": 1.0,
            **{name: value(i) for name, value in columns.items()},
        }
        for i in range(n)
    )


def asked(i):
    return " ".join(np.random.default_rng(i).choice(WORDS, 12))


def test_no_prompt_of_the_rest_nor_one_like_it_is_held_out():
    def in_twos(i):  # every second row has the prompt of the one before; of some, nearly
        return asked(i // 2) + (" now" if i % 10 in (1, 3) else "")

    data = preferences(800, in_twos, source=lambda i: "rare" if i % 20 == 0 else "common")
    found = set_apart(data)
    assert found.held_out is not None
    assert len(found.rest) + len(found.held_out) == 800
    assert 0.1 < len(found.held_out) / 800 < 0.18
    report = check(found.held_out, against=found.rest)
    assert report.of("leaked-prompt") is None
    assert report.of("leaked-near-duplicate") is None
    rare = found.held_out.strings("source").count("rare")
    assert rare / 40 == pytest.approx(len(found.held_out) / 800, abs=0.1)


def test_branches_of_a_dialogue_stay_together():
    def branch(i):  # four dialogues in ten share their first turn with another
        opening = asked(i // 2 if i % 10 < 4 else i + 9000)
        turns = [("user", opening), ("assistant", "well"), ("user", f"{asked(i + 5000)}?")]
        return [{"role": role, "content": content} for role, content in turns]

    found = set_apart(preferences(800, branch))
    assert 80 < len(found.held_out) < 160
    rest, held_out = (
        {prompt[0]["content"] for (prompt,) in side.read("prompt")}
        for side in (found.rest, found.held_out)
    )
    assert not rest & held_out


def test_a_template_is_held_out_by_prompt_alone():
    def templated(i):
        return f"Would you say the following of yourself in all earnest, or not: number {i}?"

    found = set_apart(preferences(600, templated))
    assert len(found.held_out) == 120
    assert "template" in found.sentence
    assert not set(found.rest.prompt_keys()) & set(found.held_out.prompt_keys())


def test_branches_of_templates_stay_together():
    """Three branches each, of openings that all resemble each other."""

    def branch(i):
        opening = (
            f"Would you say the following of yourself in all earnest or not? Number {i % 200}."
        )
        turns = [("user", opening), ("assistant", "well"), ("user", f"and then {i}?")]
        return [{"role": role, "content": content} for role, content in turns]

    found = set_apart(preferences(600, branch))
    assert len(found.held_out) == 120
    assert "template" in found.sentence
    assert not set(found.rest.opening_keys()) & set(found.held_out.opening_keys())


def test_where_all_begin_alike_prompts_are_held_out():
    def branch(i):
        turns = [("user", "Hello."), ("assistant", "Hello!"), ("user", asked(i))]
        return [{"role": role, "content": content} for role, content in turns]

    found = set_apart(preferences(600, branch))
    assert len(found.held_out) == 120
    assert not set(found.rest.prompt_keys()) & set(found.held_out.prompt_keys())


def test_few_rows_and_a_single_prompt_are_left_whole():
    assert set_apart(preferences(FEWEST - 1, asked)).held_out is None
    one = set_apart(preferences(600, lambda i: "why?"))
    assert one.held_out is None
    assert "one prompt" in one.sentence


def test_every_name_gives_its_share_and_names_of_few_prompts_are_no_more():
    data = preferences(1200, asked, group=lambda i: f"g{i % 3}" if i < 900 else f"rare {i}")
    found = set_apart(data, seed=3).held_out
    counts = [found.strings("group").count(f"g{k}") for k in range(3)]
    assert counts == pytest.approx([60, 60, 60], abs=3)
    assert len(found) == pytest.approx(240, abs=6)


def without_prompt(*pairs):
    return Preferences.from_rows(
        [{"prompt": "", "response_a": a, "response_b": b, "label": 1.0} for a, b in pairs]
    )


def test_pairs_without_a_prompt_are_held_out_with_those_that_share_a_response():
    chain = ("ab", "bc", "dc")
    pairs = [(f"{i} {a}", f"{i} {b}") for i in range(200) for a, b in chain]
    apart = set_apart(without_prompt(*pairs))
    rest, held_out = (
        {text for side in part.texts("response") for text in side}
        for part in (apart.rest, apart.held_out)
    )
    assert not rest & held_out
    assert len(apart.held_out) == pytest.approx(120, abs=3)
    assert "all pairs that share a response" in apart.sentence


def test_pairs_that_are_all_connected_are_not_parted():
    apart = set_apart(without_prompt(*((f"{i}", f"{i + 1}") for i in range(600))))
    assert apart.held_out is None
    assert "connected by responses" in apart.sentence
