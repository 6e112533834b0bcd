"""Splits, folds and units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.data import Preferences
from surefoot.data.splits import folds, split
from surefoot.data.units import pairs_per_unit, unit_ids
from surefoot.errors import ConfigurationError, DataError


def table(prompts, **columns):
    rows = [
        {"prompt": f"p{p}", "response_a": f"x{i}", "response_b": f"y{i}", "label": 1, "id": i}
        | {name: values[i] for name, values in columns.items()}
        for i, p in enumerate(prompts)
    ]
    return Preferences.from_rows(rows)


prompt_lists = st.lists(st.integers(0, 8), min_size=4, max_size=30).filter(
    lambda p: len(set(p)) > 2
)


@settings(max_examples=30, deadline=None)
@given(prompt_lists, st.integers(0, 5), st.randoms(use_true_random=False))
def test_a_split_covers_all_shares_nothing_and_ignores_order(prompts, seed, random):
    data = table(prompts)
    train, test = split(data, 0.3, seed=seed)
    ids = train.strings("id") + test.strings("id")
    assert sorted(map(int, ids)) == list(range(len(prompts)))
    assert not set(train.prompt_keys()) & set(test.prompt_keys())
    assert len(train)
    assert len(test)
    order = list(range(len(prompts)))
    random.shuffle(order)
    _, again = split(data.select(order), 0.3, seed=seed)
    assert set(again.strings("id")) == set(test.strings("id"))


@settings(max_examples=30, deadline=None)
@given(prompt_lists, st.integers(2, 3), st.integers(0, 5))
def test_folds_keep_units_whole_and_ignore_order(prompts, k, seed):
    data = table(prompts)
    found = folds(data, k, "prompt", seed)
    assert set(found) == set(range(k))
    for prompt in set(prompts):
        assert len({f for f, p in zip(found, prompts, strict=True) if p == prompt}) == 1
    backwards = np.arange(len(prompts))[::-1]
    assert folds(data.select(backwards), k, "prompt", seed)[backwards].tolist() == found.tolist()


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5, 0.9])
def test_the_fraction_is_met_in_rows(fraction):
    _, test = split(table(range(1000)), fraction)
    assert len(test) == pytest.approx(1000 * fraction, abs=1)


def test_folds_are_balanced_in_rows_although_units_are_not():
    sizes = [50, 30, 20, 20, 10, 10, 5, 5]
    counts = np.bincount(folds(table(np.repeat(range(8), sizes)), 3))
    assert counts.max() - counts.min() <= 5


def test_the_seed_matters_and_repeats():
    data = table(range(100))
    first, again, other = (set(split(data, seed=s)[1].strings("id")) for s in (0, 0, 1))
    assert first == again != other


def test_sides_keep_the_order_of_the_rows():
    for side in split(table(range(50))):
        ids = [int(i) for i in side.strings("id")]
        assert ids == sorted(ids)


def test_a_pair_turned_round_stays_with_its_twin():
    rows = [
        {"prompt": "p", "response_a": f"x{i}", "response_b": "z", "label": 1} for i in range(40)
    ]
    turned = [r | {"response_a": "z", "response_b": r["response_a"], "label": 0} for r in rows]
    found = folds(Preferences.from_rows(rows + turned), 5, "row")
    assert found[:40].tolist() == found[40:].tolist()


@pytest.mark.parametrize("by", ["source", "group"])
def test_whole_sources_and_groups(by):
    names = [f"n{i % 5}" for i in range(50)]
    train, test = split(table(range(50), **{by: names}), by=by)
    assert len(set(test.strings(by))) == 1
    assert not set(train.strings(by)) & set(test.strings(by))


def test_what_cannot_be_split():
    with pytest.raises(DataError, match="1 different prompts in 5 rows, and 2 are needed"):
        split(table([0] * 5))
    with pytest.raises(DataError, match=r"3 different prompts .* and 4 are needed"):
        folds(table([0, 1, 2, 2]), 4, "prompt")
    with pytest.raises(DataError, match="'group' is not given in 1 of 2 rows"):
        split(table([0, 1], group=["g", None]), by="group")
    for fraction in (0, 1, -1, float("nan")):
        with pytest.raises(ConfigurationError, match="between 0 and 1"):
            split(table([0, 1]), fraction)
    with pytest.raises(ConfigurationError, match="at least 2; got 1"):
        folds(table([0, 1]), 1)
    with pytest.raises(ConfigurationError, match="did you mean 'prompt'"):
        split(table([0, 1]), by="promt")


def test_units_by_prompt_appear_in_order():
    ids, names = unit_ids(table([3, 1, 3, 2]), "prompt")
    assert ids.tolist() == [0, 1, 0, 2]
    assert names == ["p3", "p1", "p2"]


def test_units_by_column_are_alphabetical_and_pairs_have_names():
    data = table(range(4), source=["b", "a", "b", "c"])
    ids, names = unit_ids(data, "source")
    assert [names[i] for i in ids] == ["b", "a", "b", "c"]
    assert names == ["a", "b", "c"]
    ids, names = unit_ids(data, "pair")
    assert ids.tolist() == [0, 1, 2, 3]
    assert names == ["0", "1", "2", "3"]
    unnamed = Preferences.from_rows(
        [{"prompt": "p", "response_a": "", "response_b": "", "label": 0}]
    )
    assert unit_ids(unnamed, "pair")[1] == ["rows, row 0"]


def test_units_that_are_not_there():
    with pytest.raises(DataError, match="'group' is not given in 2 of 2 rows"):
        unit_ids(table([0, 1]), "group")
    with pytest.raises(ConfigurationError, match="did you mean 'source'"):
        unit_ids(table([0, 1]), "sources")


def test_pairs_per_unit():
    said = "5 pairs in 3 units (1.7 a unit, median 1, largest 3; 2 with a single pair)"
    assert pairs_per_unit(np.array([0, 0, 0, 1, 2])) == said


def test_dialogues_are_whole_and_single_prompts_as_by_prompt():
    def turns(*said):
        roles = ("user", "assistant") * len(said)
        return [{"role": r, "content": c} for r, c in zip(roles, said, strict=False)]

    dialogues = [[turns(f"q{i}"), turns(f"q{i}", "a", "b")] for i in range(40)]
    rows = [
        {"prompt": prompt, "response_a": "x", "response_b": "y", "label": 1}
        for prompt in [one for both in dialogues for one in both]
    ]
    rows += [rows[0] | {"prompt": turns(f"p{i}")} for i in range(40)]
    data = Preferences.from_rows(rows)
    rest, held_out = split(data, 0.3, "dialogue")
    assert not set(rest.opening_keys()) & set(held_out.opening_keys())
    alone = data.select(np.arange(80, 120))
    assert folds(alone, 4, "dialogue").tolist() == folds(alone, 4, "prompt").tolist()
