"""Variances and correlations among responses to one prompt, over the prompts of a sample.

Responses of P prompts stand in one array (R,), beside the number of each one's prompt, 0 to P - 1.
Of a prompt with K responses the moments are the unbiased ones, over K - 1.
"""

from __future__ import annotations

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.statistics.dependence import Spread

#: As a share of the largest value, what rounding may leave of nothing.
_ROUNDING = 1e-9
#: Degrees of freedom that are always left to an error.
_FEWEST = 1.0


def centred(values: Floats, prompt: Ints) -> Floats:
    """Values (R,) less the mean of their prompt; 0 where no more than rounding is left."""
    less = values - (np.bincount(prompt, values) / np.bincount(prompt))[prompt]
    return np.where(np.abs(less) > _ROUNDING * np.abs(values).max(initial=0.0), less, 0.0)


def covariances(first: Floats, second: Floats, prompt: Ints) -> Floats:
    """Covariance (P,) of two values (R,) among the responses to each prompt, of two or more.

    >>> covariances(np.array([0.0, 2.0, 1.0, 1.0]), np.array([1.0, 5.0, 3.0, 9.0]),
    ...             np.array([0, 0, 1, 1])).tolist()
    [4.0, 0.0]
    """
    products = centred(first, prompt) * centred(second, prompt)
    return np.asarray(np.bincount(prompt, products) / (np.bincount(prompt) - 1))


def correlation_within(first: Floats, second: Floats, prompt: Ints) -> Spread:
    """Correlation of two values (R,) among the responses to one prompt, over all prompts.

    The mean of covariances over the root of the means of variances, each prompt with equal weight.

    Returns:
        With the jackknife's error over prompts. NaN where a value is the same for all responses to
        each prompt.
    """
    one, other = (values / _unit(values) for values in (first, second))
    pairs = (one, other), (one, one), (other, other)
    return correlation_of_sums(*(covariances(*pair, prompt) for pair in pairs))


def correlation_of_sums(products: Floats, first: Floats, second: Floats) -> Spread:
    r"""Correlation sum a / sqrt(sum b sum c) of C independent clusters with a, b and c each, (C,).

    The error is the jackknife's, and its degrees of freedom those of a variance of values with the
    kurtosis k of the C steps: 2 C / (k - 1), C - 1 at most. Few clusters that decide leave few.
    """
    n, sums = len(products), (products.sum(), first.sum(), second.sum())
    if n < 2 or not (sums[1] > 0 and sums[2] > 0):
        return Spread(float("nan"), float("inf"), 0.0)
    value = sums[0] / np.sqrt(sums[1] * sums[2])
    rest = np.maximum(sums[1] - first, 0) * np.maximum(sums[2] - second, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (sums[0] - products) / np.sqrt(rest)
    if not np.isfinite(without).all():  # one cluster holds all there is
        return Spread(float(value), float("inf"), 0.0)
    steps = without - without.mean()
    squares = np.square(steps)
    error = np.sqrt((n - 1) / n * squares.sum())
    if not error > 0:
        return Spread(float(value), 0.0, n - 1.0)
    kurtosis = n * np.square(squares / squares.max()).sum() / (squares / squares.max()).sum() ** 2
    freedom = np.clip(2 * n / max(kurtosis - 1, 1e-9), _FEWEST, n - 1)
    return Spread(float(value), float(error), float(freedom))


def _unit(values: Floats) -> float:
    """The largest size, by which values are divided so that their squares are numbers."""
    return float(np.abs(values).max(initial=0.0)) or 1.0
