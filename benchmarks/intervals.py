"""How often intervals hold the true mean, and how wide they are beside the t interval.

    python -m benchmarks.intervals [--repetitions 2000] [--units 20 60 200]

Writes `results/intervals.json` and, from it, `results/intervals.md`. Widths are medians over the
first repetitions.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.worlds import WORLDS, Difference, Perfect, World
from experiments.common import results
from surefoot.statistics.dependence import Dependence, spread

HERE = Path(__file__).parent
#: A cell passes from this coverage on: 95 % nominal.
LEAST = 0.93
_WIDTHS = 200


def t_interval(values: np.ndarray, ids: np.ndarray | None) -> float:
    """Width of the t interval with a cluster-robust error."""
    moments = spread(values, Dependence.of(ids, len(values)), np.ones(len(values)))
    return 2 * float(stats.t.ppf(0.975, max(moments.freedom, 1.0)) * moments.error)


def cell(world: World, units: int, repetitions: int) -> dict[str, Any]:
    """Coverage, refusals and widths of one world at one size."""
    rng = np.random.default_rng(units)
    held, refused, widths, of_t = 0, 0, [], []
    for k in range(repetitions):
        drawn = world.draw(rng, units)
        found = world.of(drawn)
        if found.low is None:
            refused += 1
            continue
        held += found.low <= world.truth <= found.high
        if k >= _WIDTHS or isinstance(world, Perfect):
            continue
        values, ids = drawn[0], drawn[1]
        if isinstance(world, Difference):
            values, ids = drawn[0] - drawn[1], drawn[2]
        widths.append(found.high - found.low)
        of_t.append(t_interval(values, ids))
    answered = repetitions - refused
    made = {"coverage": held / answered if answered else None, "refused": refused / repetitions}
    if widths and np.median(of_t) > 0:
        made["over_t"] = float(np.median(widths) / np.median(of_t))
    return made


def table(content: dict[str, Any]) -> str:
    """Coverage and, in brackets, the width as a multiple of that of t."""
    sizes = content["units"]
    lines = [
        f"Share of {content['repetitions']:,} intervals of nominal 95 % that hold the true mean, "
        f"with {', '.join(map(str, sizes))} independent rows or clusters; in brackets the median "
        "width over that of the t interval, which holds too little of skewed values.",
        "",
        "| values | " + " | ".join(map(str, sizes)) + " |",
        "|---|" + "---|" * len(sizes),
    ]
    for name, cells in content["cells"].items():
        texts = []
        for one in cells.values():
            text = "–" if one["coverage"] is None else f"{one['coverage']:.3f}".lstrip("0")
            ratio = one.get("over_t")
            if ratio is not None:
                text += f" ({ratio:.2f})" if ratio < 10 else " (–)"
            texts.append(text)
        promised = "" if content["promised"][name] else " *"
        lines.append(f"| {name}{promised} | " + " | ".join(texts) + " |")
    lines += [
        "",
        "\\* without the promise of 93 %: the tail is heavier than so few values can show, or the "
        "range of the values was not given. (–): most draws hold nothing but tiny values.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--units", type=int, nargs="+", default=[20, 60, 200])
    parser.add_argument("--output", type=Path, default=HERE / "results")
    args = parser.parse_args(arguments)
    start, cells = time.time(), {}
    for name, world in WORLDS.items():
        cells[name] = {str(n): cell(world, n, args.repetitions) for n in args.units}
        shown = ", ".join(f"{n}: {c['coverage']:.3f}" for n, c in cells[name].items())
        print(f"{name}: {shown}", flush=True)
    content = {
        "repetitions": args.repetitions,
        "units": args.units,
        "promised": {name: world.promised for name, world in WORLDS.items()},
        "cells": cells,
    }
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "intervals.json").write_text(results.written(content))
    (args.output / "intervals.md").write_text(table(content))
    short = [
        f"{name} at {n}"
        for name, found in cells.items()
        for n, one in found.items()
        if WORLDS[name].promised and one["coverage"] < LEAST
    ]
    print(f"{time.time() - start:.0f} s; below {LEAST}: {'; '.join(short) or 'none'}")


if __name__ == "__main__":
    main()
