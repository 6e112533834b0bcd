"""Every estimator of the statistics package, on values made to break it.

An estimator joins by existing: each function that takes arrays and returns estimates is called with
arguments drawn by the names of its parameters.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import math
import pkgutil
import typing

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from surefoot import statistics
from surefoot.errors import DataError
from surefoot.evaluation.policies.overoptimisation import law
from surefoot.statistics import Comparison, Estimate, Range

#: Distances of histograms are infinite where a unit is absent: null and not reliable in JSON.
MAY_BE_INFINITE = {"shift"}


def _mentions(kind, seen=()):
    """Whether a type holds estimates, through containers and dataclasses."""
    if kind is Estimate:
        return True
    if dataclasses.is_dataclass(kind) and kind not in seen:
        hints = typing.get_type_hints(kind).values()
        return any(_mentions(one, (*seen, kind)) for one in hints)
    return any(_mentions(one, seen) for one in typing.get_args(kind))


def _estimators():
    found = {}
    names = [f"surefoot.statistics.{m.name}" for m in pkgutil.iter_modules(statistics.__path__)]
    for path in [*names, law.__name__]:
        module = importlib.import_module(path)
        for name, function in vars(module).items():
            if not inspect.isfunction(function) or name.startswith("_"):
                continue
            if function.__module__ != module.__name__:
                continue
            annotations = [
                str(p.annotation) for p in inspect.signature(function).parameters.values()
            ]
            takes_data = any("ArrayLike" in text or "BySeed" in text for text in annotations)
            if takes_data and _mentions(typing.get_type_hints(function)["return"]):
                found[name] = function
    return found


ESTIMATORS = _estimators()


@st.composite
def nasty(draw, n):
    """N values: constant, all equal but one, huge, tiny, equal up to rounding, skewed, shares."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.integers(0, 7))
    values = rng.normal(size=n)
    if kind == 0:
        values = np.full(n, draw(st.sampled_from([0.0, 0.5, 1.0, 0.3, -7.0])))
    elif kind == 1:
        values = np.full(n, draw(st.sampled_from([0.0, 0.001, 1.0])))
        values[rng.integers(n)] = draw(st.sampled_from([0.5, 1e6, -3.0]))
    elif kind == 2:
        values = rng.integers(0, 3, n) / 2
    elif kind == 3:
        values = 0.1 * 3 + 1e-17 * rng.integers(-9, 9, n)
    elif kind == 4:
        values = np.exp(10 * values)
    elif kind == 5:
        values = np.array(
            [draw(st.floats(allow_nan=False, allow_infinity=False)) for _ in range(n)]
        )
    scale = draw(st.sampled_from([1.0, 1.0, 1.0, 1e-300, 1e-9, 1e9, 1e150, 1e290]))
    with np.errstate(over="ignore"):
        scaled = values * scale
    return np.where(np.isfinite(scaled), scaled, values)


def shares(n):
    """N values in [0, 1], some of them at its ends or next to them."""
    return nasty(n).map(lambda v: np.clip(np.abs(v) % 1.0 if v.max() > 1 else np.abs(v), 0, 1))


@st.composite
def groups_of_rows(draw, n):
    few = draw(st.integers(1, n))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(0, few, n)


@st.composite
def weights(draw, n):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logs = rng.normal(size=n) * draw(st.sampled_from([0.0, 1.0, 200.0]))
    found = np.exp(np.clip(logs, -700, 700))
    found[rng.random(n) < draw(st.sampled_from([0.0, 0.5]))] = 0.0
    assume(found.any())
    return found


@st.composite
def ranges(draw, values):
    """No range, one for all rows, or one for each."""
    kind = draw(st.integers(0, 2))
    if kind == 0 or np.abs(values).max() > 1e300:
        return None
    room = draw(st.sampled_from([0.0, 1e-6, 1.0])) * max(np.abs(values).max(), 1e-300)
    low, high = values - room, values + room
    return Range(low, high) if kind == 2 else Range(float(low.min()), float(high.max()))


@st.composite
def arguments(draw, function):
    """Arguments by the names of parameters."""
    n = draw(st.integers(2, 60))
    seeds = draw(st.integers(1, 5))
    ids = draw(groups_of_rows(n))
    nodes = np.stack([ids, draw(groups_of_rows(n))], axis=1)
    values = draw(nasty(n))
    other = draw(st.sampled_from([values, values + 0.0, values[::-1].copy(), draw(nasty(n))]))
    by_seed = [draw(st.sampled_from([values, draw(nasty(n))])) for _ in range(seeds)]
    names = inspect.signature(function).parameters
    some = draw(st.booleans()) and {"proxy", "verdicts"} & names.keys()
    unlabelled = (ids == ids[0]) & bool(some)
    known = {
        "values": lambda: values,
        "a": lambda: values,
        "b": lambda: other,
        "values_by_seed": lambda: by_seed,
        "a_by_seed": lambda: by_seed,
        "b_by_seed": lambda: [one[::-1].copy() for one in by_seed],
        "clusters": lambda: draw(st.sampled_from([None, ids, *([] if "kl" in names else [nodes])])),
        "weights": lambda: draw(st.none() | weights(n)),
        "groups": lambda: draw(st.sampled_from([ids.astype(str).tolist(), ["x"] * n, [None] * n])),
        "level": lambda: draw(st.sampled_from([0.5, 0.9, 0.95, 0.999])),
        "covers": lambda: "rows",
        "within": lambda: (
            None if "a" in names or "values_by_seed" in names else draw(ranges(values))
        ),
        "probabilities": lambda: draw(shares(n)),
        "outcomes": lambda: draw(shares(n)),
        "disagreement": lambda: draw(shares(n)),
        "proxy": lambda: draw(shares(n)),
        "verdicts": lambda: draw(shares(n)),
        "margins": lambda: values,
        "first": lambda: np.minimum(ids, ids[::-1]) if "votes" in names else values,
        "second": lambda: other,
        "log_odds": lambda: values,
        "votes": lambda: ids,
        "labels": lambda: np.where(unlabelled, np.nan, draw(shares(n))),
        "bins": lambda: draw(st.integers(1, 12)),
        "kl": lambda: np.array([0.2, 0.7, 1.5]),
        "gains": lambda: [np.stack([one, one / 2, one[::-1]], axis=1) for one in by_seed],
        "by": lambda: draw(st.sampled_from(["best-of-n", "training"])),
        "before": lambda: ids,
        "after": lambda: draw(groups_of_rows(n)),
        "units": lambda: n,
        "pairs": lambda: draw(st.none() | st.just(1 + ids)),
        "seed": lambda: 0,
    }
    given_ = {}
    for name, parameter in names.items():
        if name in known:
            given_[name] = known[name]()
        elif parameter.default is inspect.Parameter.empty:
            pytest.fail(f"{function.__name__}: say here what its parameter {name!r} is drawn from.")
    return given_


def found_in(result):
    """All estimates and comparisons inside a result."""
    if isinstance(result, Estimate | Comparison):
        yield result
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, list | tuple):
        for one in result:
            yield from found_in(one)
    elif dataclasses.is_dataclass(result):
        for field in dataclasses.fields(result):
            yield from found_in(getattr(result, field.name))


def test_the_estimators_are_found():
    assert {"mean", "by_group", "worst_group", "paired_difference", "hierarchical"} <= set(
        ESTIMATORS
    )
    assert {"hierarchical_difference", "calibration", "flip_rate_of_votes", "fit_law"} <= set(
        ESTIMATORS
    )
    assert "compared" not in ESTIMATORS  # takes moments


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", ESTIMATORS)
@given(data=st.data())
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_intervals_are_finite_and_within_the_range(name, data):
    function = ESTIMATORS[name]
    chosen = data.draw(arguments(function))
    try:
        result = function(**chosen)
    except (ValueError, DataError):  # refused, in words: a sum beyond floating point, a bad range
        return
    for one in found_in(result):
        json.dumps(one.to_dict(), allow_nan=False)
        assert str(one)
        if isinstance(one, Comparison):
            assert one.p_value is None or 0 <= one.p_value <= 1
            assert one.minimum_detectable is None or 0 <= one.minimum_detectable < math.inf
        elif name not in MAY_BE_INFINITE:
            assert one.estimate is None or math.isfinite(one.estimate)
            assert (one.low is None) == (one.high is None)
            if one.low is None:
                assert one.note
            else:
                lowest, highest = one.within
                assert lowest <= one.low <= one.high <= highest
                assert math.isfinite(one.low)
                assert math.isfinite(one.high)
