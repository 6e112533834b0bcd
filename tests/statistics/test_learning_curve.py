"""Power laws of learning curves: exact ones are recovered, others are nearest."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot.statistics.learning_curve import power_law

SHARES = np.array([0.125, 0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize("floor", [0.0, 0.2])
@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_a_power_law_is_found_again(floor, exponent):
    law = power_law(SHARES, floor + 0.1 * SHARES**-exponent)
    assert float(law.floor) == pytest.approx(floor, abs=1e-9)
    assert float(law.scale) == pytest.approx(0.1)
    assert float(law.at(2)) == pytest.approx(floor + 0.1 * 2**-exponent)


def test_what_does_not_fall_stays():
    law = power_law(SHARES, np.array([0.30, 0.31, 0.32, 0.33, 0.34]))
    assert float(law.scale) == 0
    assert float(law.at(2)) == pytest.approx(0.32)


def test_curves_are_fitted_each_on_its_own():
    curves = np.stack([0.2 + 0.1 * SHARES**-0.5, np.full(5, 0.4)])
    together = power_law(SHARES, curves)
    for k, curve in enumerate(curves):
        assert float(together.at(2)[k]) == pytest.approx(float(power_law(SHARES, curve).at(2)))


def test_no_law_of_the_grid_is_nearer():
    rng = np.random.default_rng(0)
    errors = 0.2 + 0.1 * SHARES**-0.6 + 0.01 * rng.normal(size=5)
    law = power_law(SHARES, errors)
    best = sum((float(law.at(s)) - e) ** 2 for s, e in zip(SHARES, errors, strict=True))
    for exponent in np.linspace(0.3, 1.2, 10):
        for floor in np.linspace(0, 0.3, 31):
            for scale in np.linspace(0, 0.3, 31):
                other = np.square(floor + scale * SHARES**-exponent - errors).sum()
                assert best <= other + 1e-12
