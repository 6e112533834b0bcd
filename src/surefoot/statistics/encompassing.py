"""Does a prediction know of the labels what margins do not? Forecast encompassing (Chong and Hendry
1986), for preferences.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from surefoot.arrays import Floats, Ints
from surefoot.statistics.logistic import logistic
from surefoot.statistics.minimum_effect import MinimumEffect


def added_by(
    prediction: Floats,
    margins: Floats,
    placed: Floats,
    labels: Floats,
    clusters: Ints,
    weights: Floats,
    matters: float,
) -> MinimumEffect | None:
    """Labels regressed on margins, and on what lies in a prediction beside them.

    The effect is the log-odds for a standard deviation of it, in which rows count by p (1 - p), as
    they do in what can be learnt of it. The prediction is itself learnt, from about as many rows as
    it is tried on; so the error is that of the coefficient times the square root of 2, as where
    the prediction has an error of its own as large. Without that, effects of a size that does not
    matter are found too often, where they rest on few labels.

    Args:
        prediction: (N,) log-odds by a model of earlier rows.
        margins: (N,) log-odds by the model that is tested.
        placed: (N,) 1 where a response's place may have moved the label.
        labels: (N,) P(first preferred).
        clusters: (N,) what rows share.
        weights: (N,) positive.
        matters: the effect up to which nothing is found.

    Returns:
        None where the prediction adds nothing that differs between rows.
    """
    unsure = 4 * weights * expit(margins) * expit(-margins)
    steep = float(unsure @ margins**2)
    beside = prediction - margins * (unsure @ (margins * prediction) / steep if steep > 0 else 0.0)
    deviation = float(np.sqrt(unsure @ beside**2 / weights.sum()))
    if not deviation > 1e-9:
        return None
    columns = np.stack([margins, placed, beside / deviation], axis=1)
    fit = logistic(columns, labels, clusters, weights)
    value, error, freedom = (float(part[2]) for part in (fit.coefficients, fit.errors, fit.freedom))
    return MinimumEffect(value, float(np.sqrt(2)) * error, freedom, matters)
