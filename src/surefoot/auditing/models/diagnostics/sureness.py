"""Is it as sure as it is right?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.models.material import RewardMaterial
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.logistic import logistic
from surefoot.statistics.minimum_effect import MinimumEffect

#: A slope of .75 or 1.25 moves a probability of .8 by less than .06.
MATTERS = 0.25


def slope(material: RewardMaterial) -> Iterator[Measurement | Lacking]:
    """Slope of labels in the model's own log-odds, less 1: 0 where it is as sure as it is right."""
    live = np.flatnonzero(material.weights > 0)
    if len(np.unique(material.prompts[live])) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    odds = np.clip(material.log_odds[live], -30, 30)
    scale = float(np.sqrt(np.square(odds).mean())) or 1.0
    found = logistic(
        (odds / scale)[:, None],
        material.labels[live],
        material.prompts[live],
        material.weights[live],
    )
    value = float(found.coefficients[0]) / scale
    error = float(found.errors[0]) / scale
    test = MinimumEffect(value - 1, error, float(found.freedom[0]), MATTERS, "either")
    size = test.estimate(len(live), "prompts")
    how = "too sure" if value < 1 else "not sure enough"
    temperature = f"temperature {1 / value:.2f}" if value > 0 else "no temperature"
    yield Measurement(
        size=size,
        test=test,
        seen=f"Labels follow its log-odds with a slope of {value:.2f} (1: as sure as it is right; "
        f"below: too sure). That is {size} from 1: it is {how}, and {temperature} would mend it.",
        advice="surefoot calibrate MODEL DATA fits the temperature; the order of pairs stays."
        if value > 0
        else "The surer it is, the more often it is wrong: no temperature mends an order.",
    )


DIAGNOSTIC = Diagnostic(
    name="sureness",
    threat="reward model",
    question="Is the model as sure as it is right?",
    unit="from a slope of 1 of labels in its log-odds",
    matters=MATTERS,
    reference=0.5,
    null="the slope of labels in the model's log-odds is at most this far from 1",
    measure=slope,
    source="Cox, Two further applications of a model for binary regression (Biometrika 1958)",
)
