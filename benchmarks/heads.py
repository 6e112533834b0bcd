"""Ridge logistic heads: a batch, one at a time, and scikit-learn, to the same optimum.

    python -m benchmarks.heads [--pairs 3700] [--repeats 5] [--json benchmarks/results/speed.json]
    python -m benchmarks.heads --objective '{"loss": "hinge"}' --rough --pairs 2000

45 fits (9 penalties x 5 folds) on standard normal features; alternating repetitions in one process;
prints medians and ratios, and checks that all three end at the same objective. Another objective
than ridge logistic is compared without scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from benchmarks.speed import keep
from surefoot.objectives import Evidence, Objective
from surefoot.scorers.head import Problem
from surefoot.scorers.heads.linear import Linear

FOLDS = 5


def problem(pairs: int, dimension: int, objective: Objective) -> Problem:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(pairs, 2, dimension, generator=generator)
    truth = torch.randn(dimension, generator=generator) / dimension**0.5
    margins = (features[:, 0] - features[:, 1]) @ truth
    labels = (torch.rand(pairs, generator=generator) < torch.sigmoid(margins)).double()
    penalties = torch.tensor(Linear.candidates, dtype=torch.float64)
    held_out = torch.nn.functional.one_hot(torch.arange(pairs) % FOLDS, FOLDS)
    mass = (1 - held_out).double().repeat(1, len(penalties))
    l2 = penalties.repeat_interleave(FOLDS)
    return Problem(features, objective, Evidence(labels), mass, l2, tuple(range(len(l2))))


def batched(whole: Problem, certify: bool) -> np.ndarray:
    return Linear().fit(whole, certify).values.numpy()


def looped(whole: Problem, certify: bool) -> np.ndarray:
    alone = (whole.part(torch.tensor([k])) for k in range(len(whole.l2)))
    return np.array([Linear().fit(one, certify).values.item() for one in alone])


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
    parser.add_argument("--objective", type=json.loads, default={})
    parser.add_argument("--rough", action="store_true", help="as folds are fitted")
    parser.add_argument("--json", type=Path, help="a file to put the figures into")
    arguments = parser.parse_args()
    objective, certify = Objective(**arguments.objective), not arguments.rough
    whole = problem(arguments.pairs, arguments.dimension, objective)
    ways = {"batched": partial(batched, certify=certify)}
    ways["one at a time"] = partial(looped, certify=certify)
    if not arguments.objective:
        ways["scikit-learn"] = scikit_learn
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    values = {}
    warnings.simplefilter("ignore")
    for _ in range(arguments.repeats):
        for name, way in ways.items():
            started = time.perf_counter()
            values[name] = way(replace(whole, shared={}))  # nothing is left of the last way
            seconds[name].append(time.perf_counter() - started)
    name = (
        f"{len(whole.l2)} heads, {arguments.pairs} pairs, {arguments.dimension} features, "
        f"{torch.get_num_threads()} threads"
    )
    figures = {
        way: {
            "seconds": statistics.median(taken),
            "above_the_batch": float((values[way] - values["batched"]).max()),
        }
        for way, taken in seconds.items()
    }
    ours = figures["batched"]["seconds"]
    said = "; ".join(
        f"{way} {one['seconds']:.2f} s, {one['seconds'] / ours:.1f} times the batch, objective "
        f"above the batch's by at most {one['above_the_batch']:.1e}"
        for way, one in figures.items()
    )
    print(f"{name}: {said}")
    if arguments.json:
        keep(arguments.json, name, said, figures)


if __name__ == "__main__":
    main()
