"""Independent, slow references: one number at a time, by definition or by a general solver.

A member joins the conformance suite with one entry: the options to try it at, and its reference.
It stands here, or in a test of the member in this folder: `RISKS["group"] = ...`.
"""

from __future__ import annotations

import importlib
import math
import re
import warnings
from pathlib import Path

import cvxpy
import numpy as np
from scipy.optimize import linprog, minimize, minimize_scalar
from scipy.stats import norm

MARGIN_LOSSES = {
    "logistic": ([{}], lambda m, o: math.log1p(math.exp(-m)) if m > -700 else -m),
    "probit": ([{}], lambda m, o: -norm.logcdf(m)),
    "hinge": ([{}], lambda m, o: max(0.0, 1 - m)),
    "ramp": ([{}], lambda m, o: max(0.0, 1 - m) - max(0.0, -0.5 - m)),
    "squared": ([{}, {"tau": 0.1}], lambda m, o: (m - 1 / (2 * o.get("tau", 0.5))) ** 2),
}


def _expected(psi, m, p):
    return p * psi(m) + (1 - p) * psi(-m)


def _flip_corrected(psi, m, y, g, r, o):
    # Solve (1-e) L(y) + e L(1-y) = l(y), (1-e) L(1-y) + e L(y) = l(1-y) for the corrected loss L.
    e = o["flip_rate"]
    system = np.array([[1 - e, e], [e, 1 - e]])
    return np.linalg.solve(system, [_expected(psi, m, y), _expected(psi, m, 1 - y)])[0]


def _forward_corrected(psi, m, y, g, r, o):
    # By the total probability of the label that was seen, flipped or not.
    e, right, wrong = o["flip_rate"], math.exp(-psi(m)), math.exp(-psi(-m))
    of_first, of_second = (1 - e) * right + e * wrong, (1 - e) * wrong + e * right
    return -y * math.log(of_first) - (1 - y) * math.log(of_second)


def _slack(psi, m, y, g, r, o):
    def side(margin):
        bought = minimize_scalar(
            lambda d: psi(margin + d) + o["penalty"] * d,
            bounds=(0, 60),
            method="bounded",
            options={"xatol": 1e-10},
        )
        return min(bought.fun, psi(margin))

    return y * side(m) + (1 - y) * side(-m)


def _preference_ball(psi, m, y, g, r, o):
    reach = math.sqrt(o["radius"] * y * (1 - y))
    grid = np.clip(np.linspace(y - reach, y + reach, 2001), 0, 1)
    return max(_expected(psi, m, p) for p in grid)


def _control_variate(psi, m, y, g, r, o):
    # r: (margin, P(first preferred)) of each reference pair of this row.
    c = o["coefficient"] if o["coefficient"] != "shrunk" else len(r) / (len(r) + o["sharing"])
    cap = o.get("margin_limit", math.inf)
    m, r = min(max(m, -cap), cap), [(min(max(k, -cap), cap), p) for k, p in r]
    known = g * psi(m) + (1 - g) * psi(-m)
    expected = sum(p * psi(k) + (1 - p) * psi(-k) for k, p in r) / len(r)
    return _expected(psi, m, y) - c * known + c * expected


LABEL_MODELS = {
    "observed": ([{}], lambda psi, m, y, g, r, o: _expected(psi, m, y)),
    "smoothed": (
        [{"flip_rate": 0.2}],
        lambda psi, m, y, g, r, o: (
            (1 - o["flip_rate"]) * _expected(psi, m, y) + o["flip_rate"] * _expected(psi, m, 1 - y)
        ),
    ),
    "flip-corrected": ([{"flip_rate": 0.1}, {"flip_rate": 0.4}], _flip_corrected),
    "forward-corrected": (
        [{"flip_rate": 0.1}, {"flip_rate": "column"}, {"flip_rate": 0.4}],
        _forward_corrected,
    ),
    "slack": ([{"penalty": 0.3}, {"penalty": 0.8}], _slack),
    "preference-ball": ([{"radius": 0.1}, {"radius": 2.0}], _preference_ball),
    "control-variate": (
        [{"coefficient": 1.0}, {"coefficient": "shrunk"}, {"coefficient": 0.4, "margin_limit": 2}],
        _control_variate,
    ),
    "conditional-expectation": ([{}], lambda psi, m, y, g, r, o: _expected(psi, m, g)),
}


def _cvar(losses, mass, o):
    # The linear programme of the definition: weights at most mass / level, summing to 1.
    bounds = [(0, p / o["level"]) for p in mass]
    return -linprog(-losses, A_eq=np.ones((1, len(mass))), b_eq=[1], bounds=bounds).fun


def penalised(losses, mass, temperature, sign):
    # min over q of sign * sum q L + t KL(q || p), by a general solver in logits.
    def value(logits):
        q = np.exp(logits - logits.max()) * mass
        q = q / q.sum()
        return sign * q @ losses + temperature * q @ (np.log(q) - np.log(mass))

    best = minimize(value, np.zeros_like(losses), method="BFGS", options={"gtol": 1e-9})
    return sign * best.fun


def in_ball(losses, mass, kind, radius):
    """The largest mean loss in a ball, and where, by a conic solver; in units of the range."""
    low, span = losses.min(), max(np.ptp(losses), 1e-300)
    t = cvxpy.Variable(len(mass), nonneg=True)  # q / p
    away = {
        "tv": lambda: cvxpy.norm1(cvxpy.multiply(mass, t - 1)) <= 2 * radius,
        # As a norm: a cone is solved more accurately than a sum of squares.
        "chi-squared": lambda: (
            cvxpy.norm(cvxpy.multiply(np.sqrt(mass), t - 1)) <= math.sqrt(2 * radius)
        ),
        "kl": lambda: cvxpy.sum(cvxpy.multiply(mass, cvxpy.kl_div(t, 1))) <= radius,
    }
    problem = cvxpy.Problem(
        cvxpy.Maximize((mass * (losses - low) / span) @ t), [mass @ t == 1, away[kind]()]
    )
    with warnings.catch_warnings():  # of accuracy: what is asked is more than it can promise
        warnings.simplefilter("ignore")
        problem.solve("CLARABEL", tol_gap_abs=1e-13, tol_gap_rel=1e-13, tol_feas=1e-13)
    return low + span * problem.value, mass * t.value


def _ball(kind):
    return lambda losses, mass, o: in_ball(losses, mass, kind, o["radius"])[0]


RISKS = {
    "mean": ([{}], lambda losses, mass, o: float(losses @ mass)),
    "soft-minimum": (
        [{"temperature": 0.5}],
        lambda losses, mass, o: penalised(losses, mass, o["temperature"], 1),
    ),
    "kl-penalised": (
        [{"temperature": 0.7}],
        lambda losses, mass, o: penalised(losses, mass, o["temperature"], -1),
    ),
    "cvar": ([{"level": 0.3}, {"level": 0.95}], _cvar),
    "tv": ([{"radius": 0.15}, {"radius": 0.6}], _ball("tv")),
    "chi-squared": ([{"radius": 0.1}, {"radius": 1.0}], _ball("chi-squared")),
    "kl": ([{"radius": 0.1}, {"radius": 0.8}], _ball("kl")),
}


for _path in sorted(Path(__file__).parent.glob("test_*.py")):
    if re.search(r"^(MARGIN_LOSSES|LABEL_MODELS|RISKS)\[", _path.read_text(), re.MULTILINE):
        importlib.import_module(_path.stem)
