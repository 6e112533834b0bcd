"""The results: cells, figures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from experiments.common.tables import estimate, table
from experiments.common.tabular import COVERS, ratio, written
from experiments.control_variate.settings import Settings
from experiments.control_variate.shared import Shared
from surefoot.statistics import Estimate, mean

COEFFICIENTS = (1.0, "shrunk", "fitted")


@dataclass
class Cell:
    """Squared errors of the parameters by one method in one setting, in the worlds done so far.

    Attributes:
        errors: W arrays (R,).
        plain: the plain loss's on the same draws.
        coefficients: W arrays (R,).
    """

    errors: list[np.ndarray] = field(default_factory=list)
    plain: list[np.ndarray] = field(default_factory=list)
    coefficients: list[np.ndarray] = field(default_factory=list)

    @cached_property
    def ratio(self) -> Estimate:
        """Mean squared error over the plain loss's."""
        return ratio(self.errors, self.plain)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        used = np.concatenate(self.coefficients)
        return {
            "ratio": self.ratio.to_dict(),
            "used": float(used.mean()),
            "zero": float((used == 0).mean()),
            "repetitions": len(used),
        }


Cells = dict[tuple[str, str, int, str], Cell]


def share_kept(cells: Cells, truth: str, auxiliary: str, m: int) -> Estimate:
    """Share of a true model's gain that another one keeps, both with `fitted`."""

    def gain(cell: Cell) -> list[np.ndarray]:
        return [p - e for p, e in zip(cell.plain, cell.errors, strict=True)]

    return ratio(*(gain(cells[truth, a, m, "fitted"]) for a in (auxiliary, "true")))


def figures(settings: Settings, biases: list[dict[str, Any]], cells: Cells) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    m = settings.learned_pairs
    plain: dict[str, list[float]] = {}
    for (truth, *_), cell in cells.items():  # the first of each truth
        plain.setdefault(truth, [float(values.mean()) for values in cell.plain])
    safe = {t: cells[t, "useless", m, "fitted"].ratio for t in settings.truths}
    return {
        "schema_version": 1,
        "bias": biases,
        "errors": [
            {"truth": t, "auxiliary": a, "pairs": pairs, "coefficient": c, **cell.to_dict()}
            for (t, a, pairs, c), cell in cells.items()
        ],
        "plain": {t: mean(one, covers=COVERS).to_dict() for t, one in plain.items()},
        "kept": {
            t: {a: share_kept(cells, t, a, m).to_dict() for a in ("noisy", "learned")}
            for t in (*settings.truths, *settings.elsewhere)
            if t != "Bradley-Terry"
        },
        "targets": {
            "ratio with a true model, intransitive, M = 8, at most 0.6": cells[
                "intransitive", "true", m, "fitted"
            ].ratio.to_dict(),
            "upper end with a useless model, M = 8, at most 1.05": {
                t: found.to_dict() for t, found in safe.items()
            },
        },
    }


def markdown(found: Mapping[str, Any], settings: Settings) -> str:
    """The tables."""
    lines = [*_bias(found["bias"], settings)]
    for truth in (*settings.truths, *settings.elsewhere):
        lines += ["", *_errors(found, truth, settings)]
    shown = (
        f"Share of the true model's gain that others keep, fitted, M = {settings.learned_pairs}."
    )
    kept = [[t, *(str(estimate(one)) for one in by.values())] for t, by in found["kept"].items()]
    lines += ["", shown, "", *table(["truth", "noisy", "learned"], kept)]
    return "\n".join([*lines, "", *_shared(found["shared_references"], settings.shared)]) + "\n"


def _bias(rows: Sequence[Mapping[str, Any]], settings: Settings) -> list[str]:
    columns = [name for name in rows[0] if name not in ("loss", "auxiliary")]
    heads = [f"responses of the {c}" if c.startswith("ref") else f"of {c}" for c in columns]
    lines = [
        "Largest error of an entry of the expected gradient, by exact enumeration, over "
        f"{settings.bias.worlds} worlds of each truth. The columns say who wrote the compared "
        "responses, and the coefficient.",
        "",
    ]
    shown = [[r["loss"], r["auxiliary"], *(f"{r[c]:.0e}" for c in columns)] for r in rows]
    return lines + table(["loss", "auxiliary model", *heads], shown)


def _errors(found: Mapping[str, Any], truth: str, settings: Settings) -> list[str]:
    """The table of one truth."""
    rows: dict[tuple[str, int], list[Any]] = {}
    for one in found["errors"]:
        if one["truth"] == truth:
            rows.setdefault((one["auxiliary"], one["pairs"]), []).append(one)
    error = estimate(found["plain"][truth])
    lines = [
        f"{truth}: mean squared error over the plain loss's (which is {error:.4f}), "
        f"{settings.comparisons} comparisons, {settings.worlds} worlds; intervals cover worlds "
        "and draws.",
        "",
    ]
    heads = ["auxiliary model", "M", "repetitions", "c = 1", "shrunk", "fitted"]
    shown = []
    for (auxiliary, pairs), by_rule in rows.items():
        ratios = [written(estimate(one["ratio"])) for one in by_rule]
        last = by_rule[-1]
        shown.append([auxiliary, str(pairs), f"{last['repetitions']:,}", *ratios, _used(last)])
    return lines + table([*heads, "fitted c (share 0)"], shown)


def _used(fitted: Mapping[str, Any]) -> str:
    return f"{fitted['used']:.2f} ({fitted['zero']:.0%})"


def _shared(rows: Sequence[Mapping[str, Any]], shared: Shared) -> list[str]:
    """The table where the comparisons of a prompt share its references."""
    total = shared.batches * shared.repetitions
    lines = [
        "Comparisons that share the references of their prompt (prompts x comparisons of each, M "
        f"pairs): mean squared error over the plain loss's, {total:,} draws of data; intervals are "
        f"of {shared.batches} batches of draws"
        + "".join(f"; {cell}: {count} batches" for cell, count in shared.longer.items())
        + ".",
        "",
    ]
    heads = ["truth", "prompts", "auxiliary model", "c = 1", "shrunk", "its c", "fitted"]
    shown = []
    cells: dict[tuple[str, ...], list[Any]] = {}
    for row in rows:
        cells.setdefault((row["truth"], row["cell"], row["auxiliary"]), []).append(row)
    for key, (one, shrunk, fitted) in cells.items():
        ratios = [written(estimate(row["ratio"])) for row in (one, shrunk, fitted)]
        shown.append([*key, *ratios[:2], f"{shrunk['used']:.2f}", ratios[2], _used(fitted)])
    return lines + table([*heads, "its c (share 0)"], shown)
