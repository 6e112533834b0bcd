"""Do labels follow what can be seen without reading: length, markdown, refusals, flattery?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.blind import in_deviations
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.features import FEATURES
from surefoot.auditing.material import Material, Placed
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.logistic import deviance_explained, logistic, out_of_fold, sure_slope
from surefoot.statistics.minimum_effect import MinimumEffect

#: A feature in which fewer rows with a weight differ is not tried.
FEWEST = 100
MATTERS = 0.1
#: Length has more of the error rate than other features: labels follow it most often. With an equal
#: share, no test of 2,000 pairs finds .2 log-odds beyond what matters in 95 of 100 data sets.
OF_LENGTH = 3.0
#: A coefficient beside others is said where its error is smaller: lists are hardly ever
#: distinguished from markdown.
VAGUE = 0.3


def shortcuts(material: Material) -> Iterator[Measurement | Lacking]:
    """A logistic regression of labels on each feature's difference alone, and on all together."""
    if not ((material.labels != 0.5) & (material.weights > 0)).any():
        yield Lacking(f"{DIAGNOSTIC.name}: rows with a weight, and with labels that are no ties.")
        return
    if len(np.unique(material.prompts[material.weights > 0])) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    contrasts = {
        name: in_deviations(values)
        for name, values in material.contrasts.items()
        if differs(material, values)
    }
    if not contrasts:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST} rows that differ in a feature of form, and not by the "
            "place of a response alone."
        )
        return
    every = np.stack(list(contrasts.values()), axis=1)
    together = logistic(
        _placed(material, every), material.labels, material.prompts, material.weights
    )
    share = explained(material, every)
    for k, (name, values) in enumerate(contrasts.items()):
        value, error, freedom = slope(material, values)
        test = MinimumEffect(value, error, freedom, MATTERS, "either")
        size = test.estimate(len(values), "prompts")
        more = next(one.more for one in FEATURES if one.name == name)
        held, own = float(together.coefficients[k]), explained(material, values[:, None])
        known = together.errors[k] < VAGUE
        beside = f", {held:+.2f} with the other features held fixed" if known else ""
        yield Measurement(
            of=name,
            size=size,
            test=test,
            seen=f"Labels {'prefer' if value > 0 else 'avoid'} {more} responses: {size} log-odds "
            f"for a standard deviation{beside}. Alone that "
            f"explains {own:.1%} of the labels' deviance out of fold, all features {share:.1%}.",
            advice="Evaluate on pairs where the feature points the other way, and give training "
            "groups by whether it does.",
            details={
                "together": held if known else None,
                "explained": own,
                "explained_together": share,
            },
            weight=OF_LENGTH if name == "length" else 1.0,
        )


def differs(material: Placed, values: Floats, rows: Ints | slice = slice(None)) -> bool:
    """Whether enough rows with a weight differ in a feature (N,), and not as their places do."""
    kept = material.weights[rows] > 0
    own, place = values[rows][kept], material.placed[rows][kept]
    beside = own - place * (place @ own / max(float(place @ place), 1.0))
    several = int((own != 0).sum()) >= FEWEST
    return several and bool(np.square(beside).sum() > 1e-9 * np.square(own).sum())


def explained(material: Material, features: Floats) -> float:
    """Share of the labels' deviance that features (N, K) explain out of fold, 0 where none is."""
    x, y, w = _placed(material, features), material.labels, material.weights
    place, folds = x[:, features.shape[1] :], material.folds(5)
    margins, base = (out_of_fold(one, y, w, folds) for one in (x, place))
    return max(deviance_explained(margins, y, w, base), 0.0)


def slope(
    material: Material,
    values: Floats,
    rows: Ints | slice = slice(None),
    labels: Floats | None = None,
) -> tuple[float, float, float]:
    """Slope of labels in a feature, a response's place beside it, its error and its freedom.

    Args:
        material: the comparisons.
        values: (N,) of the feature, for all rows.
        rows: that count, any of them several times.
        labels: of these rows, where they are not the data's own.
    """
    columns = _placed(material, values[:, None])[rows]
    given = material.labels[rows] if labels is None else labels
    return sure_slope(columns, given, material.prompts[rows], material.weights[rows], MATTERS)


def _placed(material: Material, features: Floats) -> Floats:
    """Features (N, K) beside a response's place, (N, K + 1)."""
    return np.hstack([features, material.placed[:, None]])


DIAGNOSTIC = Diagnostic(
    name="shortcuts",
    threat="shortcut",
    question="Do labels follow the form of responses?",
    unit="log-odds for a standard deviation of the feature",
    matters=MATTERS,
    reference=0.3,
    null="the label's log-odds move by at most this much with the feature",
    measure=shortcuts,
)
