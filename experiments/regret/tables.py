"""The results: figures and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.common.tables import estimate, table
from experiments.common.tabular import COVERS, ratio, written
from experiments.regret.rewards import Settings
from surefoot.statistics import Estimate, mean


@dataclass(frozen=True)
class Choice:
    """What the sweep chose."""

    strength: float
    ridge: float


@dataclass
class Table:
    """The results of one truth and one class of policies.

    Attributes:
        choices: by method.
        regrets: by method and n, W arrays (R,).
        limits: by method, (W,) with endless data.
        best: (W,) regret of the best policy of the class.
        coefficients: by method and n, those that were fitted.
    """

    choices: dict[str, Choice]
    regrets: dict[tuple[str, int], list[np.ndarray]]
    limits: dict[str, list[float]]
    best: list[float]
    coefficients: dict[tuple[str, int], list[float]]

    def regret(self, method: str, n: int) -> Estimate:
        """Mean over worlds and draws."""
        return mean([values.mean() for values in self.regrets[method, n]], covers=COVERS)

    def against(self, method: str, baseline: str, n: int) -> Estimate:
        """Ratio of mean regrets on the same data."""
        return ratio(self.regrets[method, n], self.regrets[baseline, n])


def baseline(method: str, settings: Settings) -> str:
    """What a method is compared with: the plain loss that it is made of."""
    plain = {"loss": settings.methods[method].parsed().loss.kind}
    squared = plain["loss"] == "squared" and settings.methods[method].auxiliary
    return "IPO" if squared else "DPO"


def figures(settings: Settings, tables: dict[tuple[str, str], Table]) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    rows = []
    for (truth, policies), of in tables.items():
        for name in settings.methods:
            chosen = of.choices[name]
            ends = [value for value in of.limits[name] if not np.isnan(value)]
            row: dict[str, Any] = {
                "truth": truth,
                "policies": policies,
                "method": name,
                "strength": chosen.strength,
                "ridge": chosen.ridge,
                "compared_with": baseline(name, settings),
                "limit": mean(ends, covers="worlds").to_dict() if ends else None,
                "regret": {str(n): of.regret(name, n).to_dict() for n in settings.comparisons},
            }
            if name != row["compared_with"]:
                row["ratio"] = {
                    str(n): of.against(name, row["compared_with"], n).to_dict()
                    for n in settings.comparisons
                }
            if (name, settings.comparisons[0]) in of.coefficients:
                row["mean_coefficient"] = {
                    str(n): float(np.mean(of.coefficients[name, n])) for n in settings.comparisons
                }
            rows.append(row)
    best = {", ".join(key): mean(t.best, covers="worlds").estimate for key, t in tables.items()}
    return {"schema_version": 1, "regret": rows, "best_in_class": best}


def markdown(found: Mapping[str, Any], settings: Settings) -> str:
    """The tables; regrets are in hundredths."""
    lines, counts = [], [str(n) for n in settings.comparisons]
    tables: dict[str, list[Any]] = {}
    for row in found["regret"]:
        tables.setdefault(f"{row['truth']}, {row['policies']}", []).append(row)
    for name, rows in tables.items():
        among = name.replace("log-linear", "log-linear policies")
        lines += [
            f"{among}: regret in hundredths, {settings.worlds} worlds x {settings.repetitions} "
            "draws; intervals cover both. The best policy of the class has "
            f"{abs(100 * found['best_in_class'][name]):.2f}. The ratio is to DPO on the same data, "
            "that of VRPO on IPO to IPO.",
            "",
        ]
        heads = [head for n in counts for head in (f"n = {n}", "ratio")]
        shown = []
        for row in rows:
            cells = [row["method"]]
            for n in counts:
                cells.append(f"{100 * row['regret'][n]['estimate']:.2f}")
                cells.append(written(estimate(row["ratio"][n])) if "ratio" in row else "")
            end = row["limit"]
            cells.append("none" if end is None else f"{abs(100 * end['estimate']):.2f}")
            shown.append(cells)
        lines += [*table(["method", *heads, "endless data"], shown), ""]
    return "\n".join(lines)
