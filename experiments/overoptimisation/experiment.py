"""Over-optimisation: best of n up to 256 and RL on one reward model, the mean, WCO and UWO of five.

The setting follows Coste et al., 2310.02743, at a small size, in a world whose gold reward is
known.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.common.tables import correct, remaining
from experiments.common.work import Work
from experiments.overoptimisation.runs import Arm, Seed, Settings, prepare, trained
from experiments.overoptimisation.tables import SINGLE, markdown
from surefoot.errors import DataError
from surefoot.evaluation.policies.overoptimisation.curve import best_of_n, best_of_n_curve
from surefoot.evaluation.policies.overoptimisation.law import fit_law
from surefoot.statistics import hierarchical, hierarchical_difference

__all__ = ["Settings", "experiment", "markdown"]

Floats = np.ndarray
#: What the intervals cover beside seeds.
_COVERS = "prompts"


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure of all worlds, seeds and arms, JSON-ready."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    figures: dict[str, Any] = {"best_of_n": {}, "training": {}}
    for name, world in settings.worlds.items():
        seeds = []
        for number in settings.numbers:
            seeds.append(prepare(settings, world, number, work))
            print(f"{name}, seed {number}: responses and reward models", flush=True)
        figures["best_of_n"][name] = _best_of_n(settings, seeds)
        if name == settings.main:
            figures["training"] = _training(settings, seeds, work)
    chosen, rl = figures["best_of_n"][settings.main], figures["training"]
    for family in ("question", "reasons"):
        tested = [one for part in (chosen, rl) for one in part["differences"][family].values()]
        correct(tested)
        figures[f"{family}_distinguishable"] = remaining(tested)
    return figures


def pairs_of_arms(arms: Mapping[str, Arm]) -> dict[str, list[tuple[str, str]]]:
    """The two families that are tested: what the issue asks, and what tells the reasons apart."""
    pessimistic = [name for name, arm in arms.items() if arm.pessimistic]
    plain = [name for name, arm in arms.items() if not arm.pessimistic and name != SINGLE]
    return {
        "question": [(name, SINGLE) for name in pessimistic],
        "reasons": [(name, SINGLE) for name in plain]
        + [(name, other) for name in pessimistic for other in plain],
    }


def _clusters(seeds: Sequence[Floats]) -> list[Floats]:
    """Ids of prompts: each seed has its own."""
    count = len(seeds[0])
    return [np.arange(count) + k * count for k in range(len(seeds))]


def _differences(
    arms: Mapping[str, Arm], gains: Mapping[str, Sequence[Floats]]
) -> dict[str, dict[str, Any]]:
    """Of gains (U,) of each seed, prompt by prompt and seed by seed."""
    return {
        family: {
            f"{a} less {b}": hierarchical_difference(
                gains[a], gains[b], _clusters(gains[a]), covers=_COVERS
            ).to_dict()
            for a, b in pairs
        }
        for family, pairs in pairs_of_arms(arms).items()
    }


def _best_of_n(settings: Settings, seeds: Sequence[Seed]) -> dict[str, Any]:
    """Gold and proxy gains along n by each arm, in deviations between responses to one prompt."""
    found: dict[str, Any] = {"arms": {}}
    last: dict[str, list[Floats]] = {}
    for name, arm in settings.arms.items():
        # One model: each member in turn, and the mean of their curves.
        proxies = [arm.proxies(seed.members) for seed in seeds]
        curves = [
            [best_of_n_curve([proxy], seed.gold) for proxy in of_seed]
            for of_seed, seed in zip(proxies, seeds, strict=True)
        ]
        gold = [np.mean([c.gold_gains[0] for c in own], axis=0) for own in curves]
        n, kl, ids = curves[0][0].n, curves[0][0].kl, _clusters(gold)
        fitted = [t for t, size in enumerate(n) if 1 < size <= n[-1] // 2]
        law = fit_law(
            np.array(kl)[fitted], [g[:, fitted] for g in gold], "best-of-n", ids, covers=_COVERS
        )
        promised = [np.mean([[e.estimate for e in c.proxy] for c in own], 0) for own in curves]
        found["arms"][name] = {
            "n": list(n),
            "kl": list(kl),
            "gold": [
                hierarchical([g[:, t] for g in gold], ids, covers=_COVERS).to_dict()
                for t in range(1, len(n))
            ],
            "proxy": np.mean(promised, axis=0).tolist(),
            "law": _shown(law.to_dict()),
        }
        last[name] = [g[:, -1] for g in gold]
    sizes = found["arms"][SINGLE]["n"]
    possible = [np.mean([best_of_n(g, g, sizes) for g in s.gold], 0) / s.unit for s in seeds]
    found["possible"] = (np.mean(possible, 0) - np.mean(possible, 0)[0]).tolist()
    found["members"] = _members(seeds)
    found["differences"] = _differences(settings.arms, last)
    return found


def _members(seeds: Sequence[Seed]) -> dict[str, Any]:
    """Correlations over the responses to one prompt: of two members, and of one with the gold.

    The temperature of a member is one over what a deviation of its reward is worth in log-odds.
    """
    between, with_gold, temperatures = [], [], []
    for seed in seeds:
        both = [np.corrcoef(np.c_[m, g].T) for m, g in zip(seed.members, seed.gold, strict=True)]
        mean = np.mean(both, axis=0)
        count = len(mean) - 1
        between.append(mean[:count, :count][np.triu_indices(count, 1)].mean())
        with_gold.append(mean[:count, count].mean())
        described = [seed.folder / "reward" / f"seed-{k}" / "surefoot.json" for k in range(count)]
        temperatures += [json.loads(path.read_text())["temperature"] for path in described]
    return {
        "between_members": float(np.mean(between)),
        "with_gold": float(np.mean(with_gold)),
        "count": len(temperatures),
        "temperature_above_10": sum(one > 10 for one in temperatures),
    }


def _shown(law: Mapping[str, Any]) -> dict[str, Any]:
    """What the tables show of a law."""
    return {key: law[key] for key in ("slope_at_the_end", "peak", "end")}


def _training(settings: Settings, seeds: Sequence[Seed], work: Work) -> dict[str, Any]:
    """Gold and proxy gains along RL by each arm; the gold at its end on the test prompts."""
    found: dict[str, Any] = {"arms": {}}
    last: dict[str, list[Floats]] = {}
    for name, arm in settings.arms.items():
        cells = []
        for seed in seeds:
            cells.append(trained(settings, arm, seed, work))
            print(f"{name}, seed {seed.world.seed}: {cells[-1]['gold'].mean():.3f}", flush=True)
        # Windows of steps: means of what the policy wrote in training.
        windows = [
            _windows(cell, seed, settings.window) for cell, seed in zip(cells, seeds, strict=True)
        ]
        gains = [
            (cell["gold"].mean(1) - np.mean(seed.gold, axis=1)) / seed.unit
            for cell, seed in zip(cells, seeds, strict=True)
        ]
        last[name] = gains
        found["arms"][name] = {
            "steps": ((np.arange(windows[0].shape[1]) + 1) * settings.window).tolist(),
            **{
                key: np.mean(windows, axis=0)[row].tolist()
                for row, key in enumerate(("kl", "proxy", "gold"))
            },
            "best_by_seed": [float(w[2].max()) for w in windows],
            "slope_by_seed": [_slope(w) for w in windows],
            "end": hierarchical(gains, _clusters(gains), covers=_COVERS).to_dict(),
            "end_by_seed": [float(g.mean()) for g in gains],
            "written": [
                _written(cell["texts"], seed) for cell, seed in zip(cells, seeds, strict=True)
            ],
        }
    found["differences"] = _differences(settings.arms, last)
    return found


def _written(texts: Floats, seed: Seed) -> dict[str, float]:
    """Shares of empty responses, and of words that the first policy seldom writes."""
    rare = set(seed.world.words[len(seed.world.words) // 2 :])
    known = [w for one in texts.ravel() for w in one.split() if w in seed.world.words]
    return {
        "empty": float((texts == "").mean()),
        "rare": float(np.mean([w in rare for w in known])) if known else 0.0,
    }


def _windows(cell: Mapping[str, Floats], seed: Seed, window: int) -> Floats:
    """KL, proxy gain and gold gain (3, windows) along a run; the gold in its unit."""
    columns = np.stack([cell["kl"], cell["proxy"], cell["watched"] / seed.unit])
    whole = columns.shape[1] // window * window
    return columns[:, :whole].reshape(3, -1, window).mean(-1)


def _slope(windows: Floats) -> float | None:
    """Of the law along one run at its end; none where it has no law."""
    kl, _, gold = windows[:, windows[0] > 0]
    try:
        return fit_law(kl, [gold[None]], "training").slope.estimate
    except DataError:
        return None
