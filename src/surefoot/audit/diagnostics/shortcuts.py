"""Do labels follow what can be seen without reading: length, markdown, refusals, flattery?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from surefoot.arrays import Floats
from surefoot.audit.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.audit.features import FEATURES
from surefoot.audit.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.logistic import logistic
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.regression import RegressionFit

#: A feature in which fewer rows differ than this is not tried.
FEWEST = 100
MATTERS = 0.1


def shortcuts(material: Material) -> Iterator[Measurement | Lacking]:
    """A logistic regression of labels on each feature's difference alone, and on all together."""
    if len(np.unique(material.prompts)) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    contrasts = {
        name: in_deviations(values)
        for name, values in material.contrasts.items()
        if int((values != 0).sum()) >= FEWEST
    }
    if not contrasts:
        yield Lacking(f"{DIAGNOSTIC.name}: fewer than {FEWEST} rows differ in any feature of form.")
        return
    together = regressed(material, np.stack(list(contrasts.values()), axis=1))
    for k, (name, values) in enumerate(contrasts.items()):
        alone = regressed(material, values[:, None])
        value, error, freedom = (
            float(part[0]) for part in (alone.coefficients, alone.errors, alone.freedom)
        )
        test = MinimumEffect(value, error, freedom, MATTERS, "either")
        size = test.estimate(len(values), "prompts")
        more = next(one.more for one in FEATURES if one.name == name)
        held = float(together.coefficients[k])
        yield Measurement(
            of=name,
            size=size,
            test=test,
            seen=f"Labels {'prefer' if value > 0 else 'avoid'} {more} responses: {size} log-odds "
            f"for a standard deviation, {held:+.2f} with the other features held fixed.",
            advice="Evaluate on pairs where the feature points the other way, and give training "
            "groups by whether it does.",
            details={"together": held},
        )


def in_deviations(values: Floats) -> Floats:
    """Differences (N,) in standard deviations: about 0, as which response is named first is free.

    So data with the chosen response always first give what they give with sides drawn.
    """
    return values / max(float(np.sqrt(np.square(values).mean())), 1e-300)


def regressed(
    material: Material, features: Floats, rows: npt.NDArray[np.bool_] | None = None
) -> RegressionFit:
    """Labels regressed on features (N, K) and, where it may matter, on a response's place."""
    kept = np.ones(len(features), dtype=bool) if rows is None else rows
    columns = np.hstack([features, material.placed[:, None]])[kept]
    return logistic(columns, material.labels[kept], material.prompts[kept], material.weights[kept])


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
