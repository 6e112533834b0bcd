"""Rows that are mended are looked at again."""

from __future__ import annotations

import pytest

from surefoot.auditing.cleaning import cleaned
from surefoot.data import Preferences
from surefoot.data.checks import check


def row(a, b="No.", prompt="Is it?", **more):
    return {"prompt": prompt, "response_a": a, "response_b": b, "label": 1.0, **more}


def clean(*rows):
    preferences = Preferences.from_rows([row("Yes."), *rows])
    return cleaned(preferences, check(preferences))


@pytest.mark.parametrize(
    ("damaged", "reasons"),
    [
        (row("cafÃ©", "café"), ("identical-responses",)),
        (row("\u200b\u200b"), ("empty-response",)),
        (row("Well.", prompt="\ufeff"), ("empty-prompt",)),
        (row("Yes.\u200b"), ("duplicate",)),
    ],
)
def test_what_mending_shows_is_left_out(damaged, reasons):
    found = clean(damaged, row("naïve"))
    assert found.dropped == {1: reasons}
    assert not found.mended
    assert found.kept.texts("response")[0] == ["Yes.", "naïve"]
    (change,) = found.changes()
    assert change["original"]["response_a"] == damaged["response_a"]


def test_of_two_rows_that_become_one_the_first_is_kept():
    found = clean(row("cafÃ©", id="mended"), row("café", id="sound"))
    assert found.kept.strings("id") == [None, "mended"]
    assert (list(found.mended), list(found.dropped)) == ([1], [2])


def test_damage_that_hides_other_damage_is_mended_too():
    found = clean(row("caf\u200bÃ\u200b©"))
    assert found.mended == {1: ("control-character", "mojibake")}
    assert found.kept.texts("response")[0] == ["Yes.", "café"]
    assert check(found.kept).findings == ()


def test_nothing_is_done_where_nothing_is_wrong():
    found = clean(row("naïve"), row("Yes."))  # the same judgment twice may be wanted
    assert not found.dropped
    assert not found.mended
    assert len(found.kept) == 3
