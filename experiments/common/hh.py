"""HH's pairs as several experiments take them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import numpy as np
from datasets import Value

from surefoot.data import Preferences
from surefoot.data.checks import check, without
from surefoot.data.prompts import training_prompt_keys
from surefoot.data.text import normalised
from surefoot.evaluation.suite import FOLDER_VARIABLE
from surefoot.evaluation.suites import load_suite

SOURCES = ("helpful", "harmless")


def load_sound() -> Preferences:
    """All pairs but those that the damage report calls errors; read once in a process."""
    return _sound(os.environ.get(FOLDER_VARIABLE))


@cache
def _sound(_: str | None) -> Preferences:
    everything = load_suite("hh_rlhf")
    return without(everything, [f for f in check(everything).findings if f.severity == "error"])


def by_source(
    pairs: Preferences, names: Iterable[str], limit: int | None = None
) -> dict[str, Preferences]:
    """The pairs of each source, or the first of them."""
    named = np.array(pairs.strings("source"))
    return {name: pairs.select(np.flatnonzero(named == name)[:limit]) for name in names}


def load_sources(names: Iterable[str], limit: int | None = None) -> dict[str, Preferences]:
    """Each source of the sound pairs; `group` is the opening turn.

    Some dialogues of HH occur again with more turns. They share their opening turn, so one side
    of a split holds all of them.
    """
    sound = load_sound()
    opening = [normalised(prompt[0]["content"]) for (prompt,) in sound.read("prompt")]
    dataset = sound.dataset.remove_columns("group")
    dataset = dataset.add_column("group", opening, feature=Value("string"))
    return by_source(replace(sound, dataset=dataset), names, limit)


def flipped(preferences: Preferences, rate: float, seed: int) -> Preferences:
    """The same pairs, each label flipped with this probability; the same ones for every method."""
    flips = np.random.default_rng(seed).random(len(preferences)) < rate
    return preferences.with_labels(np.where(flips, 1 - preferences.labels, preferences.labels))


def unseen(test: Preferences, train: Iterable[Preferences]) -> Preferences:
    """The test pairs whose prompt occurs in no training data."""
    seen = set().union(*(training_prompt_keys(part) for part in train))
    return test.select([i for i, key in enumerate(test.prompt_keys()) if int(key) not in seen])
