"""Judges: coverage of corrected rates, error rates of their audit, and how often faults are found.

    python -m benchmarks.judges [--repetitions 2000] [--worlds 1000] [--power-worlds 100]

Coverage is of intervals at 95 % that were given: below 50 labels, or 10 on either side, and for
the two error rates where J may be 0, none is. Sound judges are those of
`surefoot.worlds.planted_judges`, half of 2,000 rows labelled; their whole audit may find anything
in 5 %. Writes `judges.json` and, from it, `judges.md`. About ten minutes of a core.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm
from tqdm.auto import tqdm

from experiments.common import results
from surefoot.arrays import Floats, Ints
from surefoot.auditing.diagnosis import Diagnosis, diagnoses
from surefoot.auditing.diagnostic import Measurement
from surefoot.auditing.judges.diagnostics import judge_diagnostics
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.statistics.misclassified import misclassified
from surefoot.statistics.prediction_powered import prediction_powered
from surefoot.worlds.planted_judges import SOUND, judge_faults, sound


@dataclass(frozen=True)
class Cell:
    """A law of labels and verdicts, of which rows are drawn."""

    labels: int  #: number of rows that people label
    rows: int
    share: float  #: of wins
    true_rate: float
    false_rate: float
    together: int = 1  #: rows of a prompt, all of them labelled or none

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Floats, Ints]:
        """Labels (N,), verdicts (N,) and prompts (N,)."""
        prompts = self.rows // self.together
        prompt = np.repeat(np.arange(prompts), self.together)
        latent = rng.normal(size=len(prompt))
        if self.together > 1:
            latent = (latent + rng.normal(size=prompts)[prompt]) / np.sqrt(2)
        truth = (latent < norm.ppf(self.share)).astype(np.float64)
        chance = np.where(truth > 0.5, self.true_rate, self.false_rate)
        some = rng.permutation(prompts) < self.labels // self.together
        labels = np.where(some[prompt], truth, np.nan)
        return labels, (rng.random(len(prompt)) < chance).astype(np.float64), prompt


CELLS = (
    Cell(50, 2000, 0.5, 0.8, 0.2),
    Cell(50, 300, 0.5, 0.8, 0.2),
    Cell(50, 2000, 0.3, 0.95, 0.1),
    Cell(50, 2000, 0.22, 0.9, 0.3),
    Cell(60, 2000, 0.5, 0.85, 0.1, 3),
    Cell(90, 600, 0.3, 0.85, 0.1, 3),
    Cell(100, 2000, 0.2, 0.9, 0.1),
    Cell(100, 2000, 0.5, 1.0, 0.0),
    Cell(200, 2000, 0.1, 0.95, 0.05),
    Cell(200, 2000, 0.5, 0.6, 0.4),
    Cell(200, 2000, 0.06, 0.9, 0.1),
)
#: Estimates by name.
ESTIMATES = {"by labels and verdicts": prediction_powered, "by error rates": misclassified}


def coverage(cell: Cell, repetitions: int) -> dict[str, Any]:
    """Of either estimate, and of labels alone: how often given, how often right, how wide."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in (*ESTIMATES, "labels alone")}
    for number in range(repetitions):
        drawn = cell.draw(np.random.default_rng([7, CELLS.index(cell), number]))
        made = {name: of(*drawn) for name, of in ESTIMATES.items()}
        found = {name: one.corrected for name, one in made.items()}
        powered = made["by labels and verdicts"]
        if powered.corrected.low is not None:
            found["labels alone"] = powered.labelled  # type: ignore[union-attr]
        for name, one in found.items():
            if one.low is not None and one.high is not None:
                counts[name]["given"] += 1
                counts[name]["right"] += one.low <= cell.share <= one.high
                counts[name]["width"] += one.high - one.low  # type: ignore[assignment]
    return {
        **asdict(cell),
        **{
            name: {
                "given": of["given"] / repetitions,
                "right": of["right"] / max(of["given"], 1),
                "width": of["width"] / max(of["given"], 1),
            }
            for name, of in counts.items()
        },
    }


def measured(judge: JudgeMaterial) -> tuple[Diagnosis, ...]:
    """What the whole audit says of a judge."""
    return diagnoses(
        [
            (one, result)
            for one in judge_diagnostics().values()
            for result in one.measure(judge)
            if isinstance(result, Measurement)
        ]
    )


def level(kind: Any, worlds: int, rows: int) -> dict[str, Any]:
    """Of sound judges: the share with any finding, and of each test alone at .05 and .00125."""
    tests, alone, deep, found = Counter[str](), Counter[str](), Counter[str](), 0
    for number in range(worlds):
        result = measured(sound(kind, number, rows))
        found += any(one.verdict == "found" for one in result)
        for one in result:
            if one.measurement.test is not None:
                tests[one.name] += 1
                alone[one.name] += one.measurement.test.p_value <= 0.05
                deep[one.name] += one.measurement.test.p_value <= 0.00125
    shares = {n: {".05": alone[n] / t, ".00125": deep[n] / t} for n, t in sorted(tests.items())}
    return {"worlds": worlds, "any finding": found / worlds, "alone": shares}


def power(worlds: int, rows: int) -> dict[str, Any]:
    """By fault and size, the share of worlds in which the whole audit finds it."""
    curves: dict[str, Any] = {}
    for name, fault in judge_faults().items():
        shares = {}
        for size in fault.sizes:
            judges = (
                fault.plant(rows, np.random.default_rng([8, number]), size)
                for number in range(worlds)
            )
            shares[str(size)] = np.mean(
                [
                    any(
                        one.verdict == "found" and one.diagnostic.name == fault.diagnostic
                        for one in measured(judge)
                    )
                    for judge in judges
                ]
            ).item()
        of = {"diagnostic": fault.diagnostic, "size": fault.size, "surely": fault.surely}
        curves[name] = {**of, "found": shares}
    return curves


def tables(content: dict[str, Any]) -> str:
    """As Markdown: coverage, sound judges, faults."""
    names = (*ESTIMATES, "labels alone")
    lines = [
        "| Labels of rows | wins | TPR, FPR | rows a prompt | "
        + " | ".join(f"{name}: right (given), width" for name in names)
        + " |",
        "| --- " * (4 + len(names)) + "|",
    ]
    for one in content["coverage"]:
        cells = [f"{one['labels']} of {one['rows']:,}", f"{one['share']:.0%}"]
        cells += [f"{one['true_rate']:g}, {one['false_rate']:g}", str(one["together"])]
        for name in names:
            of = one[name]
            cells.append(f"{of['right']:.3f} ({of['given']:.0%}), {of['width']:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| Sound judge | worlds | any finding | most often alone, at 5 % |"]
    lines.append("| --- | --- | --- | --- |")
    for kind, of in content["sound"].items():
        first = sorted(of["alone"].items(), key=lambda one: -one[1][".05"])[:3]
        alone = ", ".join(f"{name} {share['.05']:.1%}" for name, share in first)
        lines.append(f"| {kind} | {of['worlds']} | {of['any finding']:.1%} | {alone} |")
    lines += ["", "| Fault | its size | found, by size; in bold the one to be found surely |"]
    lines.append("| --- | --- | --- |")
    for name, of in content["faults"].items():
        shares = [
            f"**{size}: {share:.0%}**" if float(size) == of["surely"] else f"{size}: {share:.0%}"
            for size, share in of["found"].items()
        ]
        lines.append(f"| {name} | {of['size']} | {', '.join(shares)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write `judges.json` and `judges.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--power-worlds", type=int, default=100, help="of each fault and size")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args(arguments)
    content: dict[str, Any] = {
        "repetitions": given.repetitions,
        "rows": given.rows,
        "coverage": [coverage(cell, given.repetitions) for cell in tqdm(CELLS, disable=None)],
        "sound": {
            kind: level(kind, given.worlds, given.rows) for kind in tqdm(SOUND, disable=None)
        },
        "faults": power(given.power_worlds, given.rows),
    }
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "judges.json").write_text(results.written(content))
    (given.output / "judges.md").write_text(tables(content))
    print(tables(content))


if __name__ == "__main__":
    main()
