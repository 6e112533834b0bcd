"""What the demo compares, where it looks, and what theory says before anything is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from surefoot.worlds import TextWorld

ColumnKey = Literal["clean", "noisy", "shifted", "rare", "log-loss"]
Word = Literal["better", "worse", "longer", "shorter"]


@dataclass(frozen=True)
class Measure:
    """A column of a table."""

    title: str
    meaning: str  #: what is measured
    lower_is_better: bool = False
    #: for a larger and a smaller figure (where lower is better: the other way round)
    words: tuple[Word, Word] = ("better", "worse")
    digits: int = 3  #: after the decimal point


COLUMNS: dict[ColumnKey, Measure] = {
    "clean": Measure(
        "as trained", "Accuracy against the truth on new prompts; pairs drawn as in training."
    ),
    "noisy": Measure("noisy labels", "Accuracy on the same pairs against labels with flips."),
    "shifted": Measure(
        "length reversed",
        "Accuracy against the truth in deployment, where the longer response is mostly worse.",
    ),
    "rare": Measure(
        "rare group",
        "Accuracy against the truth for people in a hurry, the group that is rare in training.",
    ),
    "log-loss": Measure(
        "log-loss",
        "Of the true preference, pairs as in training, in nats: lower is better.",
        lower_is_better=True,
    ),
}


PLAIN = "plain"
CALIBRATED = "plain, calibrated for the flips"


@dataclass(frozen=True)
class Method:
    """A row of a table."""

    name: str
    objective: Mapping[str, Any] | None  #: as in a configuration; None: no preference training
    theory: str  #: what to expect and why
    #: where theory says how it differs from `against`
    predicted: Mapping[Any, Word] = field(default_factory=dict)
    against: str = PLAIN  #: the row that it is compared with
    #: flip rate that the temperature of the probabilities allows for; None: the objective's own
    calibrated_for: float | None = None


#: Settings are the members' defaults, save two. The flip rate is the world's, which the annotators'
#: repeated votes would show. The temperature over groups is about the standard error of the mean
#: loss of the rare group (a standard deviation of .6 over some 320 pairs), so that the draw of
#: pairs alone cannot move much weight; .1 and .01 were tried too, in pilot runs.
GROUP_TEMPERATURE = 0.03

_GAINS: dict[ColumnKey, Word] = {
    "rare": "better",
    "shifted": "better",
    "clean": "worse",
}


def methods(world: TextWorld) -> tuple[Method, ...]:
    """Plain first, then the others.

    What is given the flip rate is compared with plain whose temperature is, too: otherwise an
    objective would be credited with what calibration does.
    """
    return (*_of_labels(world), _SOFT_MINIMUM, *_of_groups(world), *_OVER_PAIRS)


def _of_labels(world: TextWorld) -> tuple[Method, ...]:
    """Plain, and label models against flips."""
    return (
        Method(PLAIN, {}, "The mean of the logistic loss: every label at its word.", against=""),
        Method(
            CALIBRATED,
            {},
            "Plain's margins; only the temperature of the probabilities is given the flip rate, so "
            "that they are those of the truth and not of its noisy labels.",
            {"log-loss": "better"},
            calibrated_for=world.flip_rate,
        ),
        Method(
            "smoothed labels",
            {"labels": {"kind": "smoothed", "flip_rate": world.flip_rate}},
            "Random flips hardly turn a linear head, and the temperature is given the flip rate "
            "here too: nothing is predicted beyond what calibration does.",
            against=CALIBRATED,
        ),
        Method(
            "flip-corrected labels",
            {"labels": _corrected(world)},
            "Unbiased for the loss on clean labels; for a linear head as for smoothed labels.",
            against=CALIBRATED,
        ),
        Method(
            "slack (R3M)",
            {"labels": "slack"},
            "Caps how hard one pair pulls. It does not know the flip rate, and random flips hardly "
            "turn a linear head: nothing is predicted.",
        ),
    )


def _of_groups(world: TextWorld) -> tuple[Method, ...]:
    """Risks over groups against shift."""
    over_groups = {"kind": "kl-penalised", "temperature": GROUP_TEMPERATURE, "unit": "group"}
    return (
        Method(
            "KL over groups",
            {"risk": over_groups},
            "Gives weight to the group that fits badly. The rare group's pairs speak against "
            "length, so accuracy rises there and where length is reversed; the mean pays.",
            _GAINS,
        ),
        Method(
            "CVaR over groups",
            {"risk": {"kind": "cvar", "unit": "group"}},
            "The same, with a cap instead of a price: no fifth of the people made of groups fares "
            "worse.",
            _GAINS,
        ),
        Method(
            "KL over groups, flip-corrected",
            {"labels": _corrected(world), "risk": over_groups},
            "Both remedies: the correction holds on average inside a group, so it may stand under "
            "a risk over groups.",
            _GAINS,
            against=CALIBRATED,
        ),
    )


def _corrected(world: TextWorld) -> dict[str, Any]:
    return {"kind": "flip-corrected", "flip_rate": world.flip_rate}


_SOFT_MINIMUM = Method(
    "soft minimum (Dr. DPO)",
    {"risk": "soft-minimum"},
    "Distrusts pairs that fit badly: flipped ones, and those of the rare group. Nothing is "
    "predicted.",
)

#: Risks against shift over single pairs.
_OVER_PAIRS = (
    Method(
        "KL over pairs (KLDPO)",
        {"risk": "kl-penalised"},
        "Gives weight to pairs that fit badly, and flipped labels fit worst. No gain is "
        "predicted; the loss depends on the temperature.",
    ),
    Method(
        "CVaR over pairs",
        {"risk": "cvar"},
        "The worst fifth of single pairs is mostly wrong labels: the best that a head can do "
        "against them is to prefer nothing.",
        {"clean": "worse", "log-loss": "worse"},
    ),
)
