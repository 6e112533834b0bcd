"""Ridge logistic heads: a batch, one at a time, and scikit-learn, to the same optimum.

    python benchmarks/heads.py [--pairs 3700] [--repeats 5]

45 fits (9 penalties x 5 folds) on standard normal features; alternating repetitions in one process;
prints medians and ratios, and checks that all three end at the same objective.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from surefoot.objectives import Evidence, Objective
from surefoot.scorers.head import Problem
from surefoot.scorers.heads.linear import Linear

FOLDS = 5


def problem(pairs: int, dimension: int) -> Problem:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(pairs, 2, dimension, generator=generator)
    truth = torch.randn(dimension, generator=generator) / dimension**0.5
    margins = (features[:, 0] - features[:, 1]) @ truth
    labels = (torch.rand(pairs, generator=generator) < torch.sigmoid(margins)).double()
    penalties = torch.tensor(Linear().candidates(), dtype=torch.float64)
    held_out = torch.nn.functional.one_hot(torch.arange(pairs) % FOLDS, FOLDS)
    mass = (1 - held_out).double().repeat(1, len(penalties))
    l2 = penalties.repeat_interleave(FOLDS)
    return Problem(features, Objective(), Evidence(labels), mass, l2, tuple(range(len(l2))))


def one(whole: Problem, fit: int) -> Problem:
    mass, l2 = whole.mass[:, fit : fit + 1], whole.l2[fit : fit + 1]
    return Problem(whole.features, whole.objective, whole.evidence, mass, l2, (0,))


def batched(whole: Problem) -> np.ndarray:
    return Linear().fit(whole).values.numpy()


def looped(whole: Problem) -> np.ndarray:
    return np.array([Linear().fit(one(whole, k)).values.item() for k in range(len(whole.l2))])


def scikit_learn(whole: Problem) -> np.ndarray:
    x = (whole.features[:, 0] - whole.features[:, 1]).double().numpy()
    y = whole.evidence.label.numpy()
    values = []
    for k, l2 in enumerate(whole.l2.tolist()):
        rows = whole.mass[:, k].numpy() > 0
        head = LogisticRegression(
            C=1 / (l2 * rows.sum()), fit_intercept=False, tol=1e-6, max_iter=1000
        )
        w = head.fit(x[rows], y[rows]).coef_[0]
        margins = (2 * y[rows] - 1) * (x[rows] @ w)
        values.append(np.logaddexp(0, -margins).mean() + l2 / 2 * w @ w)
    return np.array(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3700)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    whole = problem(arguments.pairs, arguments.dimension)
    ways = {"batched": batched, "one at a time": looped, "scikit-learn": scikit_learn}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    values = {}
    warnings.simplefilter("ignore")
    for _ in range(arguments.repeats):
        for name, way in ways.items():
            started = time.perf_counter()
            values[name] = way(whole)
            seconds[name].append(time.perf_counter() - started)
    print(
        f"{len(whole.l2)} heads, {arguments.pairs} pairs, {arguments.dimension} features, "
        f"{torch.get_num_threads()} threads"
    )
    ours = statistics.median(seconds["batched"])
    for name, taken in seconds.items():
        excess = (values[name] - values["batched"]).max()
        median = statistics.median(taken)
        print(
            f"{name:>14}: {median:7.2f} s, {median / ours:5.1f} times the batch; "
            f"objective above the batch's by at most {excess:.1e}"
        )


if __name__ == "__main__":
    main()
