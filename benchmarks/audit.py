"""Error rates of the audit: how often clean data get any finding, and how often faults are found.

    python -m benchmarks.audit [--worlds 1000] [--power-worlds 100] [--pairs 2000]

Clean data hold effects of just the size that does not matter where their kind has the effect at
all; the whole audit may find anything in 5 % of them. The faults are those of
`surefoot.worlds.planted`, each in sizes. Writes `audit.json` and, from it, `audit.md`. Half a
second of a core for each world; what is finished is kept in `--work`, and gone on with.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from tqdm.auto import tqdm

from experiments.common import results
from experiments.common.work import Work
from surefoot.auditing.diagnosis import Diagnosis, diagnoses
from surefoot.auditing.diagnostic import Measurement
from surefoot.auditing.diagnostics import diagnostics
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import KINDS, PlantedMaterial, clean

ALPHA = 0.05
#: Worlds that are counted, and kept, together.
TOGETHER = 25
CLEAN = "clean"


@dataclass(frozen=True)
class Cell:
    """Worlds of one kind: clean ones, or a fault in a size."""

    part: str  #: `clean` or the name of a fault
    kind: str  #: of clean data, or the size of the fault
    numbers: tuple[int, ...]  #: of the worlds
    pairs: int

    def world(self, number: int) -> PlantedMaterial:
        """One of the worlds, by a seed of its own."""
        if self.part == CLEAN:
            seed = [0, KINDS.index(self.kind), number]  # type: ignore[arg-type]
            return clean(self.kind, self.pairs, np.random.default_rng(seed))  # type: ignore[arg-type]
        rng = np.random.default_rng([1, sorted(faults()).index(self.part), number])
        return faults()[self.part].plant(self.pairs, rng, float(self.kind))

    def counts(self) -> dict[str, Any]:
        """In how many worlds each diagnostic found something, and rejects when it is alone."""
        found, alone, tests = Counter[str](), Counter[str](), Counter[str]()
        for number in self.numbers:
            result = judged(self.world(number))
            found.update({_of(one) for one in result if one.verdict == "found"})
            found["any"] += any(one.verdict == "found" for one in result)
            for one in result:
                if one.measurement.test is not None:
                    tests[one.name] += 1
                    alone[one.name] += one.measurement.test.p_value <= ALPHA
        return {"worlds": len(self.numbers), "found": found, "alone": alone, "tests": tests}


def judged(world: PlantedMaterial) -> tuple[Diagnosis, ...]:
    """What the whole audit says of a world."""
    measured = [
        (one, result)
        for one in diagnostics().values()
        for result in one.measure(world)
        if isinstance(result, Measurement)
    ]
    return diagnoses(measured)


def _of(diagnosis: Diagnosis) -> str:
    return diagnosis.diagnostic.name


def cells(worlds: int, power_worlds: int, pairs: int) -> Iterator[Cell]:
    """All worlds, some together."""
    kinds = [(CLEAN, kind, worlds) for kind in KINDS]
    kinds += [(n, str(s), power_worlds) for n, f in sorted(faults().items()) for s in f.sizes]
    for part, kind, count in kinds:
        for first in range(0, count, TOGETHER):
            yield Cell(part, kind, tuple(range(first, min(first + TOGETHER, count))), pairs)


def _counts(cell: Cell, work: Work) -> dict[str, Any]:
    torch.set_num_threads(1)
    depends = [cell.part, cell.kind, cell.numbers, cell.pairs]
    return dict(work.figures(depends, cell.counts))


def measured(all_cells: Sequence[Cell], work: Work, processes: int) -> dict[str, Any]:
    """Counts of all worlds, summed by part and kind."""
    summed: dict[str, dict[str, dict[str, Counter[str]]]] = {}
    with ProcessPoolExecutor(processes) as pool:
        runs = pool.map(_counts, all_cells, [work] * len(all_cells))
        for cell, counts in zip(all_cells, tqdm(runs, total=len(all_cells)), strict=True):
            of = summed.setdefault(cell.part, {}).setdefault(cell.kind, {})
            for name in ("found", "alone", "tests"):
                of.setdefault(name, Counter()).update(counts[name])
            of.setdefault("worlds", Counter())["all"] += counts["worlds"]
    return summed


def report(summed: Mapping[str, Any], pairs: int) -> dict[str, Any]:
    """Shares: of clean worlds with a finding and by test; of faults that were found, by size."""
    content: dict[str, Any] = {"pairs": pairs, "clean": {}, "faults": {}}
    for kind, of in summed[CLEAN].items():
        worlds, any_found = of["worlds"]["all"], of["found"]["any"]
        between = binomtest(any_found, worlds).proportion_ci(method="wilson")
        content["clean"][kind] = {
            "worlds": worlds,
            "any finding": any_found / worlds,
            "interval": [between.low, between.high],
            "found": {name: n for name, n in sorted(of["found"].items()) if n and name != "any"},
            "alone": {name: of["alone"][name] / n for name, n in sorted(of["tests"].items())},
        }
    for name, fault in sorted(faults().items()):
        curve = summed.get(name, {})
        content["faults"][name] = {
            "diagnostic": fault.diagnostic,
            "size": fault.size,
            "surely": fault.surely,
            "found": {
                size: of["found"][fault.diagnostic] / of["worlds"]["all"]
                for size, of in curve.items()
            },
            "worlds": max((of["worlds"]["all"] for of in curve.values()), default=0),
        }
    return content


def tables(content: Mapping[str, Any]) -> dict[str, str]:
    """As Markdown: of clean data, and of faults."""
    of_clean = ["| Clean data | worlds | any finding | most often alone, at 5 % |"]
    of_clean.append("| --- | --- | --- | --- |")
    for kind, of in content["clean"].items():
        low, high = of["interval"]
        first = sorted(of["alone"].items(), key=lambda one: -one[1])[:3]
        alone = ", ".join(f"{name} {share:.1%}" for name, share in first)
        share = f"{of['any finding']:.1%} [{low:.1%}, {high:.1%}]"
        of_clean.append(f"| {kind} | {of['worlds']} | {share} | {alone} |")
    of_faults = ["| Fault | its size | found, by size; in bold the one to be found surely |"]
    of_faults.append("| --- | --- | --- |")
    for name, of in content["faults"].items():
        shares = [
            f"**{size}: {share:.0%}**" if float(size) == of["surely"] else f"{size}: {share:.0%}"
            for size, share in of["found"].items()
        ]
        of_faults.append(f"| {name} | {of['size']} | {', '.join(shares)} |")
    return {"clean": "\n".join(of_clean), "faults": "\n".join(of_faults)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write `audit.json` and `audit.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--power-worlds", type=int, default=100, help="of each fault and size")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--work", type=Path, default=Path("experiments/runs/error-rates-of-audits"))
    given = parser.parse_args(arguments)
    everything = list(cells(given.worlds, given.power_worlds, given.pairs))
    content = report(measured(everything, Work(given.work), given.processes), given.pairs)
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "audit.json").write_text(results.written(content))
    shown = tables(content)
    (given.output / "audit.md").write_text("\n\n".join(shown.values()) + "\n")
    print(*shown.values(), sep="\n\n")


if __name__ == "__main__":
    main()
