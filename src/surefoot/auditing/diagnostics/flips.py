"""How many single labels are flipped, and which: what models that did not see them say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.blind import margins_of_form
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Dots
from surefoot.statistics import Estimate, flip_rate_bound, mean
from surefoot.statistics.confident_learning import confident_flips
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.flip_mixture import ASSUMPTION, WIDEST, flip_mixture
from surefoot.statistics.ranges import SHARE
from surefoot.statistics.ties import credit, side_of_margins
from surefoot.statistics.two_models import Contradicted, contradicted

MATTERS = 0.05
#: Rows with at least this chance of a flip are suspects: of those that just are, one in four.
SUSPECTED = 0.25
#: Fewer flips than this are not worth a remedy.
SURE_OF = 0.02
#: Of how many of the first suspects it is said how many should be flips.
FIRST = (10, 30, 100, 300, 1000)


def flips(material: Material) -> Iterator[Measurement | Lacking]:
    """Margins out of fold read by three assumptions; suspects by that of the mixture."""
    margins, labels, weights = material.margins, material.labels, material.weights
    if len(np.unique(material.prompts[weights > 0])) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    found = flip_mixture(margins, labels, weights, clusters=material.prompts)
    rate = found.rate
    if rate.estimate is None or rate.low is None or rate.high is None:
        yield Lacking(f"{DIAGNOSTIC.name}: labels on pairs that a model distinguishes.")
        return
    confident = confident_flips(margins, labels, weights, material.prompts)
    decided = (labels != 0.5) & (weights > 0)
    right = credit(side_of_margins(margins), labels)[decided]
    accuracy = mean(right, material.prompts[decided], weights[decided], within=SHARE)
    bound = flip_rate_bound(accuracy)
    chance = np.where(decided, found.flipped(margins, labels), 0.0)
    toward = np.where(decided, margins * np.sign(labels - 0.5), np.inf)
    ranked = np.argsort(toward, kind="stable")  # by chance too, where it is not 0 throughout
    suspects = ranked[chance[ranked] >= SUSPECTED]
    against = contradicted(margins, margins_of_form(material), labels, weights, material.prompts)
    wide = rate.high - rate.low > WIDEST
    yield Measurement(
        size=rate,
        test=None,
        seen=_readings(rate, confident, bound)
        + ("" if wide else _suspects(chance[suspects]))
        + _against(against),
        rows=None if wide else RowScores(suspects, chance[suspects]),
        remedy={} if wide else _remedy(rate.estimate, rate.low, labels),
        advice="Collect a second vote on some of the pairs: votes show what single labels do not."
        if wide
        else "Read the first suspects. A hard pair that was labelled rightly looks like a flip "
        "where the model is wrong.",
        assumption=ASSUMPTION,
        widest=WIDEST,
        picture=Dots(
            ("margins right up to scale", "right where it is sure", "at most"),
            {"": (rate, confident, None if bound is None else _point(bound, accuracy.n))},
            DIAGNOSTIC.unit,
            (None, MATTERS),
        ),
        details={
            "confident learning": confident.to_dict(),
            "at most": bound,
            "suspects": len(suspects),
            "expected precision": {
                str(k): float(chance[ranked[:k]].mean()) for k in FIRST if k <= len(ranked)
            },
            "against two models": against.to_dict(),
        },
    )


def _remedy(rate: float, low: float, labels: Floats) -> dict[str, Any]:
    """The rate's label model, where flips are sure; soft labels are a remedy already."""
    if low < SURE_OF or not np.isin(labels, (0.0, 0.5, 1.0)).all():
        return {}
    return {"objective": {"labels": {"kind": "forward-corrected", "flip_rate": round(rate, 2)}}}


def _point(value: float, n: int) -> Estimate:
    return Estimate(value, None, None, n, "labels", note="a bound")


def _readings(rate: Estimate, confident: Estimate, bound: float | None) -> str:
    """The three figures, each with what it takes for granted."""
    sure = "" if confident.estimate is None else f", {confident} if it is right where it is sure"
    most = "" if bound is None else f"; {bound:.2f} at most, if flips fall on any pair alike"
    return (
        f"Read by a model that did not see them, {rate} of the labels are flipped if its margins "
        f"are right up to their scale{sure}{most}."
    )


def _suspects(chances: Floats) -> str:
    if not len(chances):
        return f" No label is flipped with a chance of {SUSPECTED:g} or more."
    first = chances[: FIRST[0]]
    return (
        f" {len(chances):,} rows are suspects; {chances.mean():.0%} of these should be flips, of "
        f"the first {len(first)} {first.mean():.0%}."
    )


def _against(found: Contradicted) -> str:
    """What two unlike models say together."""
    if found.excess.estimate is None:
        return ""
    return (
        f" Of {found.sure:,} pairs of which a model of the texts and one of their form are sure, "
        f"{len(found.rows):,} are labelled the other way; chance gives {found.expected:.0f}."
    )


DIAGNOSTIC = Diagnostic(
    name="flipped labels",
    threat="noise",
    question="How many single labels are flipped, and which?",
    unit="of labels flipped",
    matters=MATTERS,
    reference=0.10,
    null="no label is flipped",
    measure=flips,
    embeds=True,
    source="Patrini et al. (1609.13944), forward correction; Northcutt et al. (1911.00068), "
    "confident learning",
)
