"""The audit of reward models: how often it finds what is, and what is not there.

    python -m benchmarks.models [--worlds 1000] [--power-worlds 200]

Of sound models, of which much is of just the size that does not matter, the share found at levels
.05 and .00125, which is about what the audit leaves to one of its tests, and the share of audits
that find anything; of models with one planted fault, the share of audits that name it, on 500,
1,000 and 2,000 pairs. Writes `models.json` and `models.md`. About ten minutes of a core.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common import results
from surefoot.auditing.diagnosis import ask
from surefoot.auditing.models import model_diagnostics
from surefoot.worlds.models import FAULTS, SOUND, planted, sound

ALPHA, DEEP = 0.05, 0.00125
PAIRS = 500, 1000, 2000
#: Questions that a kind of sound model is no null of: served worse in parts, it is too sure.
NO_NULL = {"parts": ("sureness",)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--power-worlds", type=int, default=200)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args(arguments)
    found = {
        "worlds": options.worlds,
        "power_worlds": options.power_worlds,
        "null": {kind: null(kind, options.worlds) for kind in SOUND},
        "power": {name: power(name, options.power_worlds) for name in FAULTS},
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "models.json").write_text(results.written(found), encoding="utf-8")
    (options.output / "models.md").write_text(table(found), encoding="utf-8")


def null(kind: str, worlds: int, pairs: int = 1000) -> dict[str, Any]:
    """Shares found of each test alone at both levels, and of audits that find anything."""
    left_out = NO_NULL.get(kind, ())
    alone: Counter[str] = Counter()
    deep: Counter[str] = Counter()
    audits = 0
    for seed in range(worlds):
        questions = [one for name, one in model_diagnostics().items() if name not in left_out]
        diagnoses, _ = ask(questions, sound(pairs, np.random.default_rng([1, seed]), kind))
        audits += any(one.verdict == "found" for one in diagnoses)
        for one in diagnoses:
            if (test := one.measurement.test) is not None:
                alone[one.name] += test.p_value < ALPHA
                deep[one.name] += test.p_value < DEEP
    return {
        "audits": audits / worlds,
        "tests": {
            name: {"alone": alone[name] / worlds, "deep": deep[name] / worlds} for name in alone
        },
    }


def power(name: str, worlds: int) -> dict[str, float]:
    """By pairs, the share of audits that name a planted fault."""
    options, named = FAULTS[name]
    found = {}
    for pairs in PAIRS:
        hits = 0
        for seed in range(worlds):
            rng = np.random.default_rng([2, seed])
            diagnoses, _ = ask(model_diagnostics().values(), planted(pairs, rng, **options))
            hits += any(one.verdict == "found" and one.name == named for one in diagnoses)
        found[str(pairs)] = hits / worlds
    return found


def table(found: dict[str, Any]) -> str:
    """Both tables, as Markdown."""
    worst = {kind: max(one["tests"].items(), key=lambda item: item[1]["alone"])
             for kind, one in found["null"].items()}  # fmt: skip
    lines = [
        f"| {found['worlds']:,} sound models on 1,000 pairs | audits that find anything | "
        "largest share at .05 of one test | largest at .00125 |",
        "| --- | --- | --- | --- |",
    ]
    for kind, one in found["null"].items():
        name, shares = worst[kind]
        deep = max(test["deep"] for test in one["tests"].values())
        share = f"{shares['alone']:.3f} ({name})"
        lines.append(f"| {kind} | {one['audits']:.3f} | {share} | {deep:.4f} |")
    lines += [
        "",
        "| a model that | named by | " + " | ".join(f"on {n:,} pairs" for n in PAIRS) + " |",
        "| --- | --- |" + " --- |" * len(PAIRS),
    ]
    for name, own in found["power"].items():
        shares = " | ".join(f"{share:.2f}" for share in own.values())
        lines.append(f"| {name} | {FAULTS[name][1]} | {shares} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
