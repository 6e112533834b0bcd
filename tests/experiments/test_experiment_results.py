"""The short form in which results are kept: nothing is lost but digits that no table shows."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.common import results
from surefoot.statistics import mean, paired_difference

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
WORDS = st.sampled_from(["seeds", "items", 'a "quoted" }', "é"])
ESTIMATES = st.fixed_dictionaries(
    {"estimate": NUMBERS, "low": NUMBERS, "high": NUMBERS, "n": st.integers()},
    optional={"note": WORDS},
).flatmap(
    lambda one: st.fixed_dictionaries(
        {key: st.just(value) for key, value in one.items()}
        | {"level": st.sampled_from([0.9, 0.95]), "covers": WORDS}
    )
)
FIGURES = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | WORDS | ESTIMATES,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(WORDS, inner, max_size=8),
    max_leaves=40,
)


@given(st.dictionaries(WORDS, FIGURES))
@example({"seeds": 0.02500000037252903})
@example({"seeds": 0.4950000047683716})
def test_what_is_read_is_what_was_written_up_to_digits(figures):
    found = results.parsed(results.written(figures))
    same(figures, found)
    assert results.parsed(results.written(found)) == found


def same(given, found):
    if isinstance(given, dict):
        assert given.keys() == found.keys()
        for key in given:
            same(given[key], found[key])
    elif isinstance(given, list):
        assert len(given) == len(found)
        for one, other in zip(given, found, strict=True):
            same(one, other)
    elif isinstance(given, float):
        assert found == pytest.approx(given, rel=1e-5, abs=0)
        for spec in (".1f", ".2f", ".3f", ".4f", ".5f", ".0%", ".1%"):
            assert format(found, spec) == format(given, spec)
    else:
        assert found == given


def test_a_number_that_is_none_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        results.written({"a": [float("nan")]})


def test_what_all_repeat_is_said_once_and_a_row_is_a_line():
    values = [0.1, 0.2, 0.4, 0.3]
    rows = [mean(values, covers="seeds").to_dict() for _ in range(30)]
    rows.append(paired_difference(values, [0.3, 0.2, 0.1, 0.1], covers="worlds").to_dict())
    text = results.written({"rows": rows})
    assert text.count('"seeds"') == text.count('"level"') == text.count('"power"') == 1
    assert text.count("\n") == 1 + 1 + 1 + 31 + 1 + 1
    assert all(len(line) < results.WIDTH for line in text.splitlines())
    assert json.loads(text)["rows"][-1]["difference"]["covers"] == "worlds"
