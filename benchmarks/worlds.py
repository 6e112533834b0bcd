"""Worlds of bounded and of heavy-tailed quantities whose means are known.

`benchmarks.intervals` measures coverage and width in them; tests repeat a part of it.

A world draws (values, clusters, range) for a number of independent units, which are rows or
clusters of five rows; the range is None where none is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy import stats
from scipy.special import expit

from surefoot.statistics import SHARE, Range, brier, calibration, log_loss, mean, paired_difference

ROWS_OF_A_CLUSTER = 5


@dataclass(frozen=True)
class World:
    """Draws for one cell, the true mean, and whether an interval must hold it 93 times in 100."""

    draw: object
    truth: float
    promised: bool = True

    def estimate(self, rng, units):
        """What surefoot says of one draw."""
        return self.of(self.draw(rng, units))

    def of(self, drawn):
        """The same of values that were drawn."""
        values, ids, within = drawn
        return mean(values, ids, within=within)


class Difference(World):
    """Two models on the same items: `draw` gives the values of both."""

    def of(self, drawn):
        first, second, ids, within = drawn
        return paired_difference(first, second, ids, within=within).difference


class Perfect(World):
    """The calibration error of a model without any."""

    def of(self, drawn):
        return calibration(*drawn).error


def shared(rng, units, clustered, rho=0.4):
    """Standard normal variables and their clusters, alike inside clusters by `rho`."""
    if not clustered:
        return rng.normal(size=units), None
    ids = np.repeat(np.arange(units), ROWS_OF_A_CLUSTER)
    common = rng.normal(size=units)[ids]
    return np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=len(ids)), ids


def predictions(rng, units, spread, clustered=False):
    """True margins, labels drawn from them, and clusters."""
    margins, ids = shared(rng, units, clustered)
    margins = spread * margins
    return margins, (rng.random(len(margins)) < expit(margins)).astype(float), ids


def scored(score, times, spread, clustered, rng, units):
    """A score of a model whose margins are the true ones, times a factor."""
    margins, labels, ids = predictions(rng, units, spread, clustered)
    p = expit(times * margins)
    return score(p, labels), ids, Range.over_labels(partial(score, p), len(p))


def two_scored(times, spread, clustered, rng, units):
    """Log-loss of an overconfident model and of the truth on the same items."""
    margins, labels, ids = predictions(rng, units, spread, clustered)
    p, q = expit(times * margins), expit(margins)
    within = Range.over_labels(lambda y: log_loss(p, y) - log_loss(q, y), len(p))
    return log_loss(p, labels), log_loss(q, labels), ids, within


@cache
def mean_score(score, times, spread):
    """The true mean of a score, by quadrature over margins."""
    z = np.linspace(-9, 9, 40001)
    margins = spread * z
    p = expit(times * margins)
    loss = score(p, expit(margins))  # scores are linear in the label
    return float(np.trapezoid(loss * stats.norm.pdf(z), z))


def through(law, within, clustered, rng, units):
    """Values with this law, alike inside clusters."""
    z, ids = shared(rng, units, clustered)
    return law.ppf(stats.norm.cdf(z)), ids, within


def rare(share, clustered, rng, units):
    """Tiny values, and now and then 1/2: by rows, or a whole cluster."""
    ids = np.repeat(np.arange(units), ROWS_OF_A_CLUSTER) if clustered else np.arange(units)
    hit = rng.random(units) < share
    return np.where(hit[ids], 0.5, 0.002 * rng.random(len(ids))), ids, SHARE


def right(share, rng, units):
    return (rng.random(units) < share).astype(float), None, None


def _losses():
    for clustered in (False, True):
        where = "clusters of 5" if clustered else "rows"
        for spread in (1.0, 2.0, 3.0):
            for times in (1, 2, 4, 6) if not clustered else (1, 3, 6):
                name = f"log-loss, confidence x {times}, margins of deviation {spread:g}, {where}"
                draw = partial(scored, log_loss, times, spread, clustered)
                yield name, World(draw, mean_score(log_loss, times, spread))
        for times in (2, 6):
            truth = mean_score(log_loss, times, 2.0) - mean_score(log_loss, 1, 2.0)
            name = f"difference of log-loss, confidence x {times} and x 1, {where}"
            yield name, Difference(partial(two_scored, times, 2.0, clustered), truth)


def _others():
    for clustered in (False, True):
        where = "clusters of 5" if clustered else "rows"
        draw = partial(scored, brier, 1, 1.2, clustered)
        yield f"Brier score, {where}", World(draw, mean_score(brier, 1, 1.2))
        for a, b in ((2, 2), (8, 8), (0.3, 3), (0.1, 1)):
            law = stats.beta(a, b)
            draw = partial(through, law, SHARE, clustered)
            yield f"probabilities, beta({a:g}, {b:g}), {where}", World(draw, law.mean())
        for share in (0.025, 0.05, 0.1):
            truth = share * 0.5 + (1 - share) * 0.001
            yield (
                f"0 to .002, {share:g} of them 1/2, {where}",
                World(partial(rare, share, clustered), truth),
            )
    for share in (0.5, 0.7, 0.9, 0.97):
        yield f"right or wrong, {share:g} right, rows", World(partial(right, share), share)
    yield (
        "calibration error, none, rows",
        Perfect(lambda rng, n: (lambda m, y, _: (expit(m), y))(*predictions(rng, n, 1.2)), 0.0),
    )


def _without_range():
    normal, tail = stats.norm(), stats.lognorm(1)
    yield "normal, no range", World(partial(through, normal, None, False), 0.0)
    yield "exponential, no range", World(partial(through, stats.expon(), None, False), 1.0)
    yield "lognormal, no range", World(partial(through, tail, None, False), tail.mean(), False)
    for times, spread in ((2, 1.0), (6, 1.0), (6, 3.0)):
        name = f"log-loss, confidence x {times}, margins of deviation {spread:g}, range not given"

        def draw(rng, units, times=times, spread=spread):
            return (*scored(log_loss, times, spread, False, rng, units)[:2], None)

        yield name, World(draw, mean_score(log_loss, times, spread), False)


WORLDS = {**dict(_losses()), **dict(_others()), **dict(_without_range())}
