"""What rows share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from surefoot.data import Preferences
from surefoot.data.checks import check
from surefoot.data.keys import connected


def reached(pairs):
    """For each pair the least response that it leads to, one step after the other."""
    least = [min(pair) for pair in pairs]
    for _ in pairs:
        for i, one in enumerate(pairs):
            for j, other in enumerate(pairs):
                if set(one) & set(other):
                    least[i] = min(least[i], least[j])
    return least


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=12))
def test_connected_pairs_have_the_least_key_that_they_reach(pairs):
    assert connected(np.array(pairs)).tolist() == reached(pairs)


def test_rows_without_a_prompt_go_by_what_they_compare():
    sides = [("x", "y"), ("z", "x"), ("v", "w")]
    rows = [{"prompt": "", "response_a": a, "response_b": b, "label": 1.0} for a, b in sides]
    asked = [{**row, "prompt": "Which?"} for row in rows]
    keys = Preferences.from_rows([*rows, *asked]).prompt_keys().tolist()
    assert keys[0] == keys[1] != keys[2]
    assert len({*keys[:3], keys[3]}) == 3
    assert len(set(keys[3:])) == 1


def test_data_without_prompts_are_not_told_that_they_lack_them():
    rows = [{"prompt": "", "response_a": "x", "response_b": "y", "label": 1.0}]
    assert check(Preferences.from_rows(rows)).of("empty-prompt") is None
    rows.append({"prompt": "Which?", "response_a": "v", "response_b": "w", "label": 1.0})
    assert check(Preferences.from_rows(rows)).of("empty-prompt").positions.tolist() == [0]
