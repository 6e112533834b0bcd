"""Judges of planted preferences: sound ones, and ones with a fault of a size that one chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from scipy.special import expit

from surefoot.arrays import Floats
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.worlds.planted.material import KINDS, PlantedMaterial, clean

#: Sound judges: one that votes as people do; one that takes the side that they likelier take; one
#: that gives the very probabilities; one that contradicts as many single votes as does not matter;
#: and one that has as much of the faults of place, order and retest as does not matter.
SoundKind = Literal["like a person", "decisive", "graded", "careless", "at the edge"]
SOUND: tuple[SoundKind, ...] = get_args(SoundKind)
_SKILL: dict[SoundKind, float] = {"decisive": 50.0, "careless": 0.85}
#: Of the kind at the edge, the share of verdicts that go to the first response unread: it moves
#: half of that to one place, and changes as many verdicts with the order.
_PLACE, _AGAIN = 0.1, 0.05
_OWN = "the judge"


def verdicts(
    people: PlantedMaterial,
    rng: np.random.Generator,
    margins: Floats,
    *,
    labels: float = 0.5,
    first: float = 0.0,
    again: float = 0.0,
    graded: bool = False,
) -> JudgeMaterial:
    """A judge that goes by log-odds of its own.

    Args:
        people: the comparisons.
        rng: draws the verdicts.
        margins: (N,) log-odds that it prefers response a.
        labels: share of the rows that people labelled.
        first: chance that it takes the response shown first unread, the same rows in both orders.
        again: chance that it says the opposite when it is asked again.
        graded: it gives probabilities, not sides.
    """
    rows = len(margins)
    said = expit(margins) if graded else (rng.random(rows) < expit(margins)).astype(np.float64)
    unread = rng.random(rows) < first
    shown = np.where(unread, 1.0, said)
    return JudgeMaterial(
        people=people,
        labelled=rng.permutation(rows) < labels * rows,
        shown=shown,
        turned=np.where(unread, 0.0, said),
        again=np.where(rng.random(rows) < again, 1 - shown, shown),
        addressed=np.zeros(rows),
        name=_OWN,
        seed=people.seed,
    )


def sound(kind: SoundKind, number: int, rows: int = 2000, labels: float = 0.5) -> JudgeMaterial:
    """A judge in which nothing is wrong, by a seed of its own, over the kinds of clean data."""
    rng = np.random.default_rng([2, SOUND.index(kind), number])
    people = _written(clean(KINDS[number % len(KINDS)], rows, rng), rng)
    edge = kind == "at the edge"
    margins = _SKILL.get(kind, 1.0) * people.margins_true
    made = verdicts(
        people,
        rng,
        margins,
        labels=labels,
        first=_PLACE * edge,
        again=_AGAIN * edge,
        graded=kind == "graded",
    )
    return replace(made, addressed=_some(rows, rng))


@dataclass(frozen=True)
class JudgeFault:
    """Something wrong with a judge."""

    name: str  #: in results
    diagnostic: str  #: the name of the one that should find it
    size: str  #: what `plant` is given, in words
    #: a judge with a fault of a size, from the number of rows, a generator and the size
    plant: Callable[[int, np.random.Generator, float], JudgeMaterial]
    sizes: tuple[float, ...]  #: from hardly to plainly there
    surely: float  #: the size that should be found in 95 of 100 worlds of 2,000 rows, half labelled


def _people(rows: int, rng: np.random.Generator) -> PlantedMaterial:
    return _written(clean("unbalanced groups", rows, rng), rng)


def _written(people: PlantedMaterial, rng: np.random.Generator) -> PlantedMaterial:
    """Responses of the judge, in a third of the rows, and of another model."""
    names = np.full((len(people.labels), 2), "another", dtype=object)
    own = np.flatnonzero(rng.random(len(names)) < 1 / 3)
    names[own, rng.integers(0, 2, len(own))] = _OWN
    return replace(people, models=names)


def _some(rows: int, rng: np.random.Generator) -> Floats:
    """In three of ten rows one response speaks to the judge, (rows,)."""
    return rng.choice([-1.0, 0.0, 1.0], rows, p=[0.15, 0.7, 0.15])


def _nothing(rows: int, rng: np.random.Generator, share: float) -> JudgeMaterial:
    people = _people(rows, rng)
    return verdicts(people, rng, np.where(rng.random(rows) < share, 0.0, people.margins_true))


def _first(rows: int, rng: np.random.Generator, share: float) -> JudgeMaterial:
    people = _people(rows, rng)
    return verdicts(people, rng, people.margins_true, first=share)


def _again(rows: int, rng: np.random.Generator, share: float) -> JudgeMaterial:
    people = _people(rows, rng)
    return verdicts(people, rng, people.margins_true, again=share)


def _longer(rows: int, rng: np.random.Generator, slope: float) -> JudgeMaterial:
    people = _people(rows, rng)
    return verdicts(people, rng, people.margins_true + slope * people.contrasts["length"])


def _own(rows: int, rng: np.random.Generator, pull: float) -> JudgeMaterial:
    people = _people(rows, rng)
    made = verdicts(people, rng, people.margins_true)
    return verdicts(people, rng, people.margins_true + pull * made.own)


def _fooled(rows: int, rng: np.random.Generator, pull: float) -> JudgeMaterial:
    people, addressed = _people(rows, rng), _some(rows, rng)
    made = verdicts(people, rng, people.margins_true + pull * addressed)
    return replace(made, addressed=addressed)


def _unsure(rows: int, rng: np.random.Generator, scale: float) -> JudgeMaterial:
    people = _people(rows, rng)
    return verdicts(people, rng, scale * people.margins_true, graded=True)


def _blind_to_some(rows: int, rng: np.random.Generator, share: float) -> JudgeMaterial:
    people = _people(rows, rng)
    rare = people.groupings["group"] == "rare"
    turned = np.where(rare & (rng.random(rows) < share), -1, 1)
    return verdicts(people, rng, 3 * turned * people.margins_true, labels=1.0)


def judge_faults() -> dict[str, JudgeFault]:
    """Every fault of a judge by name."""
    make = JudgeFault
    every = (
        make(
            "a coin",
            "says nothing",
            "share of coins among its verdicts",
            _nothing,
            (0.5, 0.75, 1.0),
            1.0,
        ),
        make(
            "flips with the order",
            "order flips",
            "share that changes with the order",
            _first,
            (0.15, 0.2, 0.3, 1.0),
            0.3,
        ),
        make(
            "takes the first",
            "slot preference",
            "share that goes to the first unread",
            _first,
            (0.15, 0.2, 0.3, 1.0),
            0.3,
        ),
        make(
            "contradicts itself",
            "retest flips",
            "share that changes from run to run",
            _again,
            (0.1, 0.15, 0.3),
            0.15,
        ),
        make(
            "likes length",
            "verbosity",
            "log-odds for a standard deviation of length",
            _longer,
            (0.3, 0.6, 0.9, 1.2),
            1.2,
        ),
        make(
            "likes its own",
            "self-preference",
            "log-odds for a response of its own",
            _own,
            (0.5, 1.0, 2.0),
            2.0,
        ),
        make(
            "fooled by a phrase",
            "injection",
            "log-odds for an appended phrase",
            _fooled,
            (0.5, 1.0, 2.0),
            2.0,
        ),
        make("too sure", "calibration", "factor of its log-odds", _unsure, (1.5, 2.0, 3.0), 3.0),
        make(
            "turned on some",
            "worst group",
            "share of a tenth of the data judged the wrong way",
            _blind_to_some,
            (0.3, 0.6, 1.0),
            1.0,
        ),
    )
    return {one.name: one for one in every}
