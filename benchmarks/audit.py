"""Error rates of the audit: how often clean data get any finding, and how often faults are found.

    python -m benchmarks.audit [--worlds 1000] [--pairs 2000] [--output benchmarks/results]

Clean data hold effects of just the size that does not matter where their kind has the effect at
all; the whole audit may find anything in 5 % of them. The faults are those of
`surefoot.worlds.planted`.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from surefoot.auditing.diagnosis import Diagnosis, diagnoses
from surefoot.auditing.diagnostic import Measurement
from surefoot.auditing.diagnostics import diagnostics
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import KINDS, PlantedMaterial, clean

ALPHA = 0.05


def judged(world: PlantedMaterial) -> tuple[Diagnosis, ...]:
    """What the whole audit says of a world."""
    measured = [
        (one, result)
        for one in diagnostics().values()
        for result in one.measure(world)
        if isinstance(result, Measurement)
    ]
    return diagnoses(measured)


def null(worlds: int, pairs: int, seed: int = 0) -> dict[str, Any]:
    """By kind of clean data, the share of worlds with any finding, and of each test alone."""
    found: dict[str, Any] = {}
    for k, kind in enumerate(KINDS):
        whole, alone, tests = 0, Counter[str](), Counter[str]()
        for i in tqdm(range(worlds), desc=kind):
            result = judged(clean(kind, pairs, np.random.default_rng([seed, k, i])))
            whole += any(one.verdict == "found" for one in result)
            for one in result:
                if one.measurement.test is not None:
                    tests[one.name] += 1
                    alone[one.name] += one.measurement.test.p_value <= ALPHA
        found[kind] = {
            "any finding": whole / worlds,
            "alone": {name: alone[name] / tests[name] for name in sorted(tests)},
        }
    return found


def power(worlds: int, pairs: int, seed: int = 1) -> dict[str, Any]:
    """By fault, the share of worlds in which the whole audit finds it, for each of its sizes."""
    found: dict[str, Any] = {}
    for k, (name, fault) in enumerate(sorted(faults().items())):
        curve = {}
        for size in tqdm(fault.sizes, desc=name):
            hits = 0
            for i in range(worlds):
                result = judged(fault.plant(pairs, np.random.default_rng([seed, k, i]), size))
                hits += any(d.verdict == "found" for d in result if _of(d) == fault.diagnostic)
            curve[str(size)] = hits / worlds
        found[name] = {"size": fault.size, "surely": fault.surely, "found": curve}
    return found


def _of(diagnosis: Diagnosis) -> str:
    return diagnosis.diagnostic.name


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write `audit.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args(arguments)
    result = {
        "worlds": given.worlds,
        "pairs": given.pairs,
        "clean": null(given.worlds, given.pairs),
        "faults": power(max(given.worlds // 10, 1), given.pairs),
    }
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "audit.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
