"""DRPO: error of the value of a policy when both, one or neither nuisance is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.tables import table
from experiments.common.work import Work
from experiments.policy_value.scene import (
    ESTIMATORS,
    NUISANCES,
    Array,
    Records,
    Scene,
    draw,
    estimates,
    records,
)
from surefoot.evaluation.policies.value import RatioOptions, effective_size, policy_value
from surefoot.options import Options
from surefoot.statistics import Estimate, hierarchical, mean
from surefoot.statistics.estimate import Scope
from surefoot.worlds import TabularTruth

#: What the tables show: direct knows no reference, importance no preference.
ROWS = {
    **{f"doubly robust, {name}": ("doubly robust", name) for name in NUISANCES},
    "direct, preference right": ("direct", "both right"),
    "direct, preference wrong": ("direct", "wrong preference"),
    "importance, reference right": ("importance", "both right"),
    "importance, reference wrong": ("importance", "wrong reference"),
}


class Settings(Options):
    """The experiment."""

    worlds: int = Field(10, ge=3)
    repetitions: int = Field(400, ge=10)
    counts: tuple[int, ...] = Field((500, 1000, 2000, 4000), min_length=3)
    samples: int = Field(4, ge=2, multiple_of=2)
    truth: TabularTruth = TabularTruth()
    beta: float = Field(0.1, gt=0)
    far_beta: float = Field(0.03, gt=0)
    wrong_reference: float = Field(1.0, gt=0)
    ratios: dict[str, RatioOptions] = Field({})
    covered: int = Field(50, ge=1)

    def scene(self, seed: int, beta: float) -> Scene:
        """One world with a policy in it."""
        return Scene.of(self.truth, seed, beta, self.wrong_reference)


def over(values: list[Array]) -> Estimate:
    """Mean over worlds, with an interval that covers worlds and data sets."""
    ids = [np.arange(len(v)) + 10**6 * i for i, v in enumerate(values)]
    return hierarchical(values, ids, covers="data sets")


def run(settings: Settings) -> dict[str, Any]:
    """Every figure."""
    scenes = [settings.scene(seed, settings.beta) for seed in range(settings.worlds)]
    errors = {name: {e: {n: [] for n in settings.counts} for e in ESTIMATORS} for name in NUISANCES}
    covered = {name: {e: [] for e in ESTIMATORS} for name in NUISANCES}
    for seed, scene in enumerate(scenes):
        for n in settings.counts:
            drawn = draw(scene, n, settings.samples, settings.repetitions, (seed, n))
            for name in NUISANCES:
                data = records(scene, name, drawn)
                for estimator, values in estimates(data, RatioOptions()).items():
                    errors[name][estimator][n].append(values - scene.value)
                if n == middle(settings):
                    for estimator, held in holds(data, scene.value, settings.covered).items():
                        covered[name][estimator].append(held)
        print(f"world {seed}: value {scene.value:.3f}", flush=True)
    exact = [{name: scene.exact(name) for name in NUISANCES} for scene in scenes]
    return {
        "value": mean([scene.value for scene in scenes], covers="worlds"),
        "mse": {
            name: {e: {n: over([v**2 for v in at[n]]) for n in at} for e, at in cells.items()}
            for name, cells in errors.items()
        },
        "slope": {
            name: {e: slope(at) for e, at in cells.items()} for name, cells in errors.items()
        },
        "bias_squared": {
            name: {e: squared_bias([x[name][e] for x in exact], scenes) for e in ESTIMATORS}
            for name in NUISANCES
        },
        "coverage": {
            name: {e: over(held) for e, held in cells.items()} for name, cells in covered.items()
        },
        "ratios": {
            str(beta): of_ratios(settings, beta) for beta in (settings.beta, settings.far_beta)
        },
    }


def squared_bias(tends_to: list[float], scenes: list[Scene]) -> Estimate:
    """Mean over worlds of what the MSE tends to; sums of rounding errors are 0."""
    found = [round((x - one.value) ** 2, 15) for x, one in zip(tends_to, scenes, strict=True)]
    if not any(found):
        return Scope(len(found), "worlds", 0.95).refused(0.0, "0 in every world")
    return mean(found, covers="worlds")


def middle(settings: Settings) -> int:
    """The number of records of everything that is looked at for one number only."""
    return settings.counts[2]


def holds(
    data: Records, value: float, count: int, options: RatioOptions | None = None
) -> dict[str, Array]:
    """Whether the intervals of the first data sets hold the truth, (count,)."""
    found: dict[str, list[float]] = {e: [] for e in ESTIMATORS}
    for r in range(count):
        one = policy_value(
            data.labels[:, r],
            data.auxiliary[:, r],
            data.sampled[:, r],
            data.log_ratios[:, r],
            options=options,
        )
        for estimator in ESTIMATORS:
            at = getattr(one, estimator.replace(" ", "_"))
            found[estimator].append(float(at.low is not None and at.low <= value <= at.high))
    return {e: np.array(values) for e, values in found.items()}


def slope(errors: dict[int, list[Array]]) -> Estimate:
    """Of log MSE on log n, one for each world: -1 falls like 1 / n, 0 does not fall."""
    logs = np.log([[np.mean(world**2) for world in errors[n]] for n in errors])
    return mean(np.polyfit(np.log(list(errors)), logs, 1)[0], covers="worlds")


def of_ratios(settings: Settings, beta: float) -> dict[str, Any]:
    """MSE by how the ratios enter, and what they are worth."""
    n = middle(settings)
    shares, values = [], []
    errors = {
        name: {how: {e: [] for e in ("doubly robust", "importance")} for how in settings.ratios}
        for name in NUISANCES
    }
    covered = {name: {how: [] for how in settings.ratios} for name in NUISANCES}
    for seed in range(settings.worlds):
        scene = settings.scene(seed, beta)
        drawn = draw(scene, n, settings.samples, settings.repetitions, (seed, n, 1))
        logs = records(scene, "both right", drawn).log_ratios
        shares.append(
            np.array([effective_size(logs[:, r]) / (2 * n) for r in range(logs.shape[1])])
        )
        values.append(scene.value)
        for name in NUISANCES:
            data = records(scene, name, drawn)
            for how, options in settings.ratios.items():
                found = estimates(data, options)
                for estimator, cell in errors[name][how].items():
                    cell.append((found[estimator] - scene.value) ** 2)
                held = holds(data, scene.value, settings.covered, options)
                covered[name][how].append(held["doubly robust"])
    return {
        "effective_share": over(shares),
        "value": mean(values, covers="worlds"),
        "mse": {
            name: {how: {e: over(v) for e, v in cell.items()} for how, cell in cells.items()}
            for name, cells in errors.items()
        },
        "coverage": {
            name: {how: over(held) for how, held in cells.items()}
            for name, cells in covered.items()
        },
    }


def cell(found: Mapping[str, Any], scale: float = 1.0, spec: str = ".2f") -> str:
    """A figure with its interval, for a table."""
    values = (found[name] for name in ("estimate", "low", "high"))
    ends = [None if value is None else scale * value for value in values]
    figure = format(ends[0], spec)
    return figure if ends[1] is None else f"{figure} [{ends[1]:{spec}}, {ends[2]:{spec}}]"


def mse(found: Mapping[str, Any]) -> str:
    """In thousandths."""
    return cell(found, 1000)


def markdown(found: Mapping[str, Any], settings: Settings) -> str:
    """The tables."""
    counts = settings.counts
    n = middle(settings)
    lines = [
        f"Mean squared error of the value, in thousandths, over {settings.worlds} worlds of "
        f"{settings.repetitions} data sets each (value {cell(found['value'], spec='.3f')}). "
        "Intervals cover worlds and data sets. *Slope*: of log MSE on log n; −1 falls like 1/n. "
        "*Squared bias*: what the MSE tends to, by enumeration. *Held*: share of 95 % intervals "
        f"that hold the truth, at n = {n}.",
        "",
    ]
    heads = ["", *(f"n = {n}" for n in counts), "slope", "squared bias", "held"]
    rows = []
    for row, (estimator, name) in ROWS.items():
        at = found["mse"][name][estimator]
        rows.append(
            [
                row,
                *(mse(at[str(n)]) for n in counts),
                cell(found["slope"][name][estimator]),
                mse(found["bias_squared"][name][estimator]),
                cell(found["coverage"][name][estimator], spec=".3f"),
            ]
        )
    lines += table(heads, rows)
    for beta, part in found["ratios"].items():
        lines += [
            "",
            f"The same at n = {n}, by how the ratios enter, for the policy of beta = {beta} (value "
            f"{cell(part['value'], spec='.3f')}, effective size of the true ratios as a share of "
            f"the responses {cell(part['effective_share'], spec='.3f')}).",
            "",
        ]
        rows = [
            [row, *(mse(part["mse"][name][how][estimator]) for how in settings.ratios)]
            for row, (estimator, name) in ROWS.items()
            if estimator != "direct"
        ]
        for name in NUISANCES:
            held = (cell(found, spec=".3f") for found in part["coverage"][name].values())
            rows.append([f"*held*: doubly robust, {name}", *held])
        lines += table(["", *settings.ratios], rows)
    return "\n".join(lines) + "\n"


def plain(found: Any) -> Any:
    """JSON-ready."""
    if isinstance(found, Estimate):
        return found.to_dict()
    return {str(key): plain(value) for key, value in found.items()}


def experiment(settings: Settings, _: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return {"schema_version": 1, **plain(run(settings))}
