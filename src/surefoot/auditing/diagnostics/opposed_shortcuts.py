"""Do two parts prefer opposite forms: one the longer response, the other the shorter?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from surefoot.auditing.blind import in_deviations
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.diagnostics.shortcuts import FEWEST, MATTERS, differs, slope
from surefoot.auditing.features import FEATURES
from surefoot.auditing.material import Material
from surefoot.auditing.parts import LabelsByPart, labels_by_part
from surefoot.auditing.picture import Arrows
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect


class Slope(NamedTuple):
    """How much a part likes a feature."""

    value: float
    error: float
    freedom: float
    feature: str
    part: str

    @property
    def t(self) -> float:
        """How far it lies beyond what matters, in errors."""
        return (self.value - MATTERS) / max(self.error, 1e-12)

    @property
    def turned(self) -> Slope:
        """How much it is disliked."""
        return self._replace(value=-self.value)

    @property
    def words(self) -> str:
        """What the part does with the feature."""
        more = next(one.more for one in FEATURES if one.name == self.feature)
        verb = "prefers" if self.value > 0 else "avoids"
        return f"{self.part!r} {verb} {more} responses ({self.value:+.2f} log-odds)"


def opposed(material: Material) -> Iterator[Measurement | Lacking]:
    """Slopes of labels in each feature, by part: the most positive against the most negative."""
    asked = False
    for cast in labels_by_part(material, FEWEST):
        asked = True
        found = list(_pairs(material, cast))
        if not found:
            yield Lacking(f"{DIAGNOSTIC.name}: two names in {cast.column} with {FEWEST} rows each.")
            continue
        liked, disliked, picked = max(found, key=lambda one: min(one[0].t, one[1].t))
        tests = [
            MinimumEffect(one.value, one.error, one.freedom, MATTERS, picked=picked)
            for one in (liked, disliked)
        ]
        test = max(tests, key=lambda one: (one.p_value, -one.value))  # both have to be found
        column = cast.column
        yield Measurement(
            of=column,
            size=test.estimate(len(material.labels), "prompts"),
            test=test,
            seen=f"For a standard deviation, {column} {liked.words}, {disliked.turned.words}.",
            remedy={"scorer": {"source_aware": True}} if column == "source" else {},
            advice=f"Train one model for each {column}, or one that knows it: pooled, they cancel.",
            picture=Arrows(
                [liked.part, disliked.part],
                [_interval(liked, picked), _interval(disliked.turned, picked)],
                f"log-odds for a standard deviation of {liked.feature}",
                (-MATTERS, MATTERS),
            ),
            details={"feature": liked.feature, "prefers": liked.part, "avoids": disliked.part},
        )
    if not asked:
        yield Lacking(
            f"{DIAGNOSTIC.name}: a column source or group with two names or more, or named "
            "annotators of votes."
        )


def _interval(one: Slope, picked: int) -> Estimate:
    test = MinimumEffect(one.value, one.error, one.freedom, MATTERS, picked=picked)
    return test.estimate(FEWEST, "prompts")


def _pairs(material: Material, cast: LabelsByPart) -> Iterator[tuple[Slope, Slope, int]]:
    """Of each feature, the part that likes it most and the one that dislikes it most (negated)."""
    rows_of = [np.flatnonzero(cast.names == part) for part in cast.parts]
    for feature, values in material.contrasts.items():
        slopes: list[Slope] = []
        scaled = in_deviations(values)
        for part, at in zip(cast.parts, rows_of, strict=True):
            rows = cast.rows[at]
            several = len(np.unique(material.prompts[rows])) >= FEWEST_CLUSTERS
            if several and differs(material, values, rows):
                slopes.append(Slope(*slope(material, scaled, rows, cast.labels[at]), feature, part))
        if len(slopes) > 1:
            liked = max(slopes, key=lambda one: one.t)
            others = [one.turned for one in slopes if one is not liked]
            yield liked, max(others, key=lambda one: one.t), len(slopes) * len(FEATURES)


DIAGNOSTIC = Diagnostic(
    name="opposed shortcuts",
    threat="conflict",
    question="Do two parts of the data, or two annotators, prefer opposite forms of responses?",
    unit="log-odds for a standard deviation, by the less decided of the two",
    matters=MATTERS,
    reference=0.3,
    null="no feature is liked by one part and disliked by another, both by more than this",
    measure=opposed,
)
