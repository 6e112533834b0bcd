"""The results of `control_variate.py`: cells, figures and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from tabular_problems import COVERS, ratio, written

from surefoot.statistics import Estimate, mean

if TYPE_CHECKING:
    from control_variate import Settings

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
        errors = [e.mean() for e in self.errors]
        return {
            "ratio": self.ratio.to_dict(),
            "mean_squared_error": mean(errors, covers=COVERS).to_dict(),
            "used": {
                "mean": float(used.mean()),
                "zero": float((used == 0).mean()),
                "std": float(used.std()),
            },
            "repetitions": len(used),
        }


Cells = dict[tuple[str, str, int, str], Cell]


def kept(cells: Cells, truth: str, auxiliary: str, m: int) -> Estimate:
    """Share of a true model's gain that another one keeps, both with `fitted`."""

    def gain(cell: Cell) -> list[np.ndarray]:
        return [p - e for p, e in zip(cell.plain, cell.errors, strict=True)]

    return ratio(*(gain(cells[truth, a, m, "fitted"]) for a in (auxiliary, "true")))


def figures(settings: Settings, biases: list[dict[str, Any]], cells: Cells) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    m = settings.learned_pairs
    safe = {t: cells[t, "useless", m, "fitted"].ratio for t in settings.truths}
    return {
        "schema_version": 1,
        "bias": biases,
        "errors": [
            {"truth": t, "auxiliary": a, "pairs": pairs, "coefficient": c, **cell.to_dict()}
            for (t, a, pairs, c), cell in cells.items()
        ],
        "kept": {
            t: {a: kept(cells, t, a, m).to_dict() for a in ("noisy", "learned")}
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


def markdown(settings: Settings, biases: list[dict[str, Any]], cells: Cells) -> str:
    """The tables."""
    lines = [
        "Largest error of an entry of the expected gradient, by exact enumeration, over "
        f"{settings.bias.worlds} worlds of each truth. The columns say who wrote the compared "
        "responses, and the coefficient.",
        "",
    ]
    columns = [name for name in biases[0] if name not in ("loss", "auxiliary")]
    heads = [f"responses of the {c}" if c.startswith("ref") else f"of {c}" for c in columns]
    lines += [
        f"| loss | auxiliary model | {' | '.join(heads)} |",
        "|---|---|" + "---|" * len(heads),
    ]
    for row in biases:
        values = " | ".join(f"{row[c]:.0e}" for c in columns)
        lines.append(f"| {row['loss']} | {row['auxiliary']} | {values} |")
    m = settings.learned_pairs
    for truth in (*settings.truths, *settings.elsewhere):
        chosen = {k: cell for k, cell in cells.items() if k[0] == truth}
        first = next(iter(chosen.values()))
        error = mean([p.mean() for p in first.plain], covers=COVERS)
        lines += [
            "",
            f"{truth}: mean squared error over the plain loss's (which is {error:.4f}), "
            f"{settings.comparisons} comparisons, {settings.worlds} worlds; intervals cover worlds "
            "and draws.",
            "",
            "| auxiliary model | M | repetitions | c = 1 | shrunk | fitted | fitted c (share 0) |",
            "|---|---|---|---|---|---|---|",
        ]
        for auxiliary, pairs in dict.fromkeys((k[1], k[2]) for k in chosen):
            found = [chosen[truth, auxiliary, pairs, str(c)] for c in COEFFICIENTS]
            used = np.concatenate(found[-1].coefficients)
            ratios = " | ".join(written(cell.ratio) for cell in found)
            lines.append(
                f"| {auxiliary} | {pairs} | {len(used):,} | {ratios} | {used.mean():.2f} "
                f"({(used == 0).mean():.0%}) |"
            )
    lines += ["", f"Share of the true model's gain that others keep, fitted, M = {m}.", ""]
    lines += ["| truth | noisy | learned |", "|---|---|---|"]
    for truth in (*settings.truths, *settings.elsewhere):
        if truth != "Bradley-Terry":
            shares = " | ".join(str(kept(cells, truth, a, m)) for a in ("noisy", "learned"))
            lines.append(f"| {truth} | {shares} |")
    return "\n".join(lines) + "\n"
