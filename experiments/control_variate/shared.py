"""Part 3: the comparisons of a prompt share its reference responses.

So `surefoot sample` draws them. Responses are standard normal in four features, the same law for
every prompt; P(a over b) = sigma((a - b) . w + skew (a1 b2 - a2 b1 + a3 b4 - a4 b3)).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from pydantic import Field

from experiments.common.tabular import as_problem, ratio, solve_between
from surefoot.objectives import Evidence, Objective, ReferencePairs
from surefoot.objectives.label_models.control_variate import ControlVariate
from surefoot.options import Options
from surefoot.scorers.fit.coefficient import fit_coefficient, plain_heads
from surefoot.statistics import Estimate
from surefoot.worlds.linear_fits import LinearProblems

WEIGHTS = np.array([0.8, 0.4, 0.0, -0.4])
MODELS = ("true", "noisy", "useless")
#: Comparisons that the target is computed from.
ENDLESS = 1_000_000


class Sizes(Options):
    """One cell."""

    prompts: int = Field(ge=2)
    rows: int = Field(ge=1)
    """Comparisons of each prompt."""
    pairs: int = Field(ge=1)
    """M, which they share."""

    def __str__(self) -> str:
        return f"{self.prompts} x {self.rows}, M = {self.pairs}"


class Shared(Options):
    """The part."""

    cells: tuple[Sizes, ...]
    skews: dict[str, float]
    """Truths, by name."""
    batches: int = Field(20, ge=10)
    repetitions: int = Field(50, ge=1)
    """In each batch."""
    longer: dict[str, int] = Field({})
    """Batches of single cells, named as `TRUTH, CELL`, where intervals were too wide otherwise."""

    def batches_of(self, truth: str, sizes: Sizes) -> int:
        """Batches of a cell."""
        return self.longer.get(f"{truth}, {sizes}", self.batches)


@dataclass
class Outcome:
    """Squared errors (R,) by one coefficient, batch by batch, and the coefficients that it took."""

    errors: list[np.ndarray] = field(default_factory=list)
    used: list[np.ndarray] = field(default_factory=list)


def probability(a: np.ndarray, b: np.ndarray, skew: float) -> np.ndarray:
    """P(a over b) (...) of features (..., 4)."""
    cycle = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    cycle = cycle + a[..., 2] * b[..., 3] - a[..., 3] * b[..., 2]
    return 1 / (1 + np.exp(-((a - b) @ WEIGHTS + skew * cycle)))


def target(skew: float, l2: float) -> np.ndarray:
    """Weights that endless data lead to, up to a squared error of some 1e-5."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, ENDLESS, 1, 4))
    label = torch.from_numpy(probability(a, b, skew))
    problem = LinearProblems(Objective(), torch.from_numpy(a - b), Evidence(label), l2)
    return problem.solve()[0].numpy()


def draw(
    sizes: Sizes, skew: float, noise: float, seed: list[int], repetitions: int
) -> tuple[torch.Tensor, dict[str, Evidence]]:
    """Differences of features (N + P, R, 4), and the evidence by each auxiliary model."""
    rng = np.random.default_rng(seed)
    count, k = sizes.prompts * sizes.rows, sizes.prompts
    a, b = rng.standard_normal((2, count + k * sizes.pairs, repetitions, 4))
    chance = probability(a, b, skew)
    label = torch.from_numpy((rng.random((count, repetitions)) < chance[:count]).astype(float))
    logits = np.log(chance / (1 - chance)) + noise * rng.standard_normal(chance.shape)
    models = (chance, 1 / (1 + np.exp(-logits)), np.full_like(chance, 0.5))
    sets = torch.arange(k)

    def evidence(g: np.ndarray) -> Evidence:
        references = ReferencePairs(
            torch.from_numpy(g[count:]),
            sets.repeat_interleave(sizes.pairs),
            sets.repeat_interleave(sizes.rows),
            torch.full((k,), float(sizes.pairs), dtype=torch.float64),
        )
        return Evidence(label, torch.from_numpy(g[:count]), references)

    known = {name: evidence(g) for name, g in zip(MODELS, models, strict=True)}
    return torch.from_numpy(a - b), known


def run(shared: Shared, noise: float, folds: int, l2: float) -> dict[tuple[str, ...], Outcome]:
    """Every (truth, cell, auxiliary model, coefficient); the plain loss has neither of the last."""
    found: dict[tuple[str, ...], Outcome] = {}
    for number, (truth, skew) in enumerate(shared.skews.items()):
        right = target(skew, l2)
        for sizes in shared.cells:
            started = time.time()
            for batch in range(shared.batches_of(truth, sizes)):
                seed = [number, sizes.prompts, sizes.rows, sizes.pairs, batch]
                x, evidence = draw(sizes, skew, noise, seed, shared.repetitions)
                for key, weights, used in _fits(x, evidence, folds, l2):
                    outcome = found.setdefault((truth, str(sizes), *key), Outcome())
                    outcome.errors.append(np.square(weights.numpy() - right).sum(1))
                    outcome.used.append(used)
            print(f"{truth}, {sizes}: {time.time() - started:.0f} s", flush=True)
    return found


def _fits(
    x: torch.Tensor, evidence: dict[str, Evidence], folds: int, l2: float
) -> Iterator[tuple[tuple[str, ...], torch.Tensor, np.ndarray]]:
    """Auxiliary model and coefficient, the weights (R, 4) and the coefficients taken (R,)."""
    label = evidence["true"].label
    rows, repetitions = label.shape
    plain = LinearProblems(Objective(), x[:rows], Evidence(label), l2)
    weights = plain.solve()
    yield ("plain",), weights, np.zeros(repetitions)
    fold = torch.arange(rows) % folds  # rows have no order, and prompts may be too few
    heads = [
        plain_heads(as_problem(x[:rows, r], Evidence(label[:, r]), Objective()), fold)
        for r in range(repetitions)
    ]
    fitted = Objective(labels=ControlVariate())
    for name, known in evidence.items():
        whole = LinearProblems(Objective(labels=ControlVariate(coefficient=1.0)), x, known, l2)
        m, n = float(known.references.independent[0]), float(known.references.rows[0])
        problems = (as_problem(x[:, r], known.column(r), fitted) for r in range(repetitions))
        found = [fit_coefficient(p, fold, h) for p, h in zip(problems, heads, strict=True)]
        of_rule = {
            "1.0": np.ones(repetitions),
            "shrunk": np.full(repetitions, m / (m + n)),
            "fitted": np.array([one.value for one in found]),
        }
        for rule, used in of_rule.items():
            live = torch.from_numpy(np.flatnonzero(used))
            ended = weights.clone()
            if len(live):
                share, start = torch.from_numpy(used)[live], weights[live]
                ends = plain.part(live), whole.part(live)
                ended[live] = solve_between(*ends, share, start, 1e-7)
            yield (name, rule), ended, used


def against_plain(found: dict[tuple[str, ...], Outcome], key: tuple[str, ...]) -> Estimate:
    """Mean squared error over the plain loss's on the same draws."""
    return ratio(found[key].errors, found[*key[:2], "plain"].errors)


def figures(found: dict[tuple[str, ...], Outcome]) -> list[dict[str, Any]]:
    """Every figure, JSON-ready."""
    return [
        {
            "truth": key[0],
            "cell": key[1],
            "auxiliary": key[2],
            "coefficient": key[3],
            "ratio": against_plain(found, key).to_dict(),
            "used": float(np.mean(outcome.used)),
            "zero": float((np.concatenate(outcome.used) == 0).mean()),
            "repetitions": sum(map(len, outcome.errors)),
        }
        for key, outcome in found.items()
        if key[2] != "plain"
    ]
