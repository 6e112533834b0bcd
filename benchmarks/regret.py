"""Is it safe, and worth it, to follow the audit? Heads trained by its choice against others.

    python -m benchmarks.regret [--draws 2] [--seeds 5] [--output benchmarks/results]

In every world and every real set the audit judges the training pairs and chooses; heads are trained
plainly, by its choice, by the default of docs/risks.md without an auxiliary model (chi-squared .05
over groups, sources or clusters), and by each remedy that a finding or an assumption offers. They
are tried on other pairs: in worlds on what is truly preferred (of the worst group, or of late,
where that is the fault), in real sets on labels of other prompts. The folder of real sets is what
SUREFOOT_SUITES names; without it there are worlds alone. What is finished is kept in `--work`, and
gone on with.

Expected, before the run. A pilot (36 worlds of six faults, first seed 1000, and single splits of
real sets) set the rule of trials: the choice gained .051 in the mean and harmed nowhere.

- In the mean the choice is not worse than plain by more than .005 of accuracy (the lower end of its
  gain lies above -.005), in worlds and in real sets.
- It harms by more than .02 in at most 5 % of worlds, and of the splits of real sets.
- It has at least half of the gain of the best in hindsight where that gains .01 or more.
- The gain comes from sources in conflict, tastes that turn, general preferences and groups with a
  mind of their own; of real sets from HH and XSTest. Remedies for flips gain nothing in order.
- A group of coins is no reason for a risk: it is taken in at most a tenth of such worlds.
- The default wins only where a group has a mind of its own.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from scipy.stats import binomtest
from tqdm.auto import tqdm

from benchmarks.audit import judged
from benchmarks.regret_data import SETS, outcomes_of_set
from experiments.common import results
from experiments.common.work import Work
from surefoot.auditing.diagnosis import Diagnosis
from surefoot.auditing.remedy import Options, remedy_of
from surefoot.auditing.trial import FOLDS, Trials, prepared
from surefoot.errors import SurefootError
from surefoot.scorers.head import cross_validate, margins_of
from surefoot.statistics import mean
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import KINDS, PlantedMaterial, clean

PAIRS, TEST = 2000, 2000
#: From which gain of the best in hindsight on there is something to win; what counts as harm.
SOMETHING, HARM = 0.01, 0.02
DEFAULT = {"kind": "chi-squared", "radius": 0.05}


def outcomes(fault: PlantedFault, size: float, seed: Sequence[int]) -> dict[str, Any]:
    """Accuracies of all ways of training in one world."""
    world = fault.plant(PAIRS + TEST, np.random.default_rng(seed), size)
    training = np.arange(PAIRS + TEST) < PAIRS
    seen = world.part(np.flatnonzero(training))
    found = judged(seen)
    choice = remedy_of(found, Trials(seen))
    column = next((one for one in ("group", "source") if one in world.groupings), None)
    default: Options = {"objective": {"risk": DEFAULT | {"unit": column}}} if column else {}
    in_use = ~training & ((fault.newest == 1) | (world.time >= 1 - fault.newest))
    parts = world.groupings[fault.worst_of][in_use] if fault.worst_of else None

    def accuracy(options: Options) -> float:
        right = _right(world, training, options)[in_use]
        if parts is None:
            return float(right.mean())
        return min(float(right[parts == one].mean()) for one in np.unique(parts))

    return compared(found, choice.options, default, accuracy)


def _right(world: PlantedMaterial, training: np.ndarray, options: Options) -> np.ndarray:
    """How often (N,) the truth is what a head says that was trained on the training pairs."""
    weighted = replace(world, weights=np.where(training, world.weights, 0.0))
    head, problem, _ = prepared(weighted, options)
    chosen = cross_validate(head, problem, torch.from_numpy(weighted.folds(FOLDS))).l2
    problem = replace(problem, l2=torch.tensor([chosen], dtype=torch.float64))
    fitted = head.fit(problem, certify=False)
    margins = margins_of(problem.scores(head, fitted.parameters))[:, 0].double().numpy()
    return expit(np.sign(margins) * world.margins_true)


def compared(
    found: Sequence[Diagnosis], choice: Options, default: Options, accuracy: Any
) -> dict[str, Any]:
    """Accuracies of plain, choice, default and the best of all that can be offered."""
    ways: dict[str, Options] = {"plain": {}, "choice": choice, "default": default}
    offered = [
        one.measurement.remedy
        for one in found
        if one.measurement.remedy and one.verdict in ("found", "assumed")
    ]
    ways |= {str(options): options for options in offered}
    known: dict[str, float] = {}
    for name, options in ways.items():
        same = next((n for n in known if ways[n] == options), None)
        try:
            known[name] = known[same] if same else accuracy(options)
        except SurefootError:  # refused: nobody could have trained by it
            continue
    best = max(known, key=lambda name: known[name])
    return {
        "plain": known["plain"],
        "choice": known["choice"],
        "default": known.get("default", known["plain"]),
        "best": known[best],
        "best_is": best,
        "chosen": {section: dict(one) for section, one in choice.items()},
        "found": [one.name for one in found if one.verdict == "found"],
    }


def cells(draws: int, first: int) -> Iterator[tuple[str, float, PlantedFault, list[int]]]:
    """Name, size, fault and seed of every world; clean ones are faults of no size."""
    for k, (name, fault) in enumerate(sorted(faults().items())):
        for size in fault.sizes:
            for draw in range(draws):
                yield name, size, fault, [first, k, draw]
    for k, kind in enumerate(KINDS):
        fault = PlantedFault(kind, "", "", _clean(kind), (0.0,), 0.0)
        for draw in range(5 * draws):
            yield f"clean: {kind}", 0.0, fault, [first, 100 + k, draw]


def _clean(kind: Any) -> Any:
    return lambda pairs, rng, size: clean(kind, pairs, rng)


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the goals speak of."""
    plain, choice, default, best = (
        np.array([row[way] for row in rows]) for way in ("plain", "choice", "default", "best")
    )
    clusters = [f"{row['name']} {row['size']}" for row in rows]
    gains = {"choice": choice - plain, "default": default - plain, "best": best - plain}
    harmed = int((gains["choice"] < -HARM).sum())
    between = binomtest(harmed, len(rows)).proportion_ci(method="wilson")
    something = gains["best"] >= SOMETHING
    won = gains["choice"][something].sum() / max(gains["best"][something].sum(), 1e-12)
    return {
        "rows": len(rows),
        "gain": {
            name: mean(one, clusters=clusters, covers="worlds").to_dict()
            for name, one in gains.items()
        },
        "harmed": {"share": harmed / len(rows), "interval": [between.low, between.high]},
        "harmed_by_default": float((gains["default"] < -HARM).mean()),
        "with_something_to_win": int(something.sum()),
        "share_of_the_best_gain": float(won) if something.any() else None,
    }


def tables(found: Mapping[str, Any]) -> str:
    """As Markdown."""
    lines = ["| | worlds | plain | choice | default | best in hindsight | harmed by > .02 |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for part in ("worlds", "real"):
        names = dict.fromkeys(row["name"] for row in found.get(part, ()))
        for name in names:
            rows = [row for row in found[part] if row["name"] == name]
            ways = ("plain", "choice", "default", "best")
            means = [f"{np.mean([row[way] for row in rows]):.3f}" for way in ways]
            harmed = sum(row["choice"] - row["plain"] < -HARM for row in rows)
            lines.append(f"| {name} | {len(rows)} | {' | '.join(means)} | {harmed} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write `regret.json` and `regret.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=1, help="seed of worlds and splits")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--work", type=Path, default=Path("experiments/runs/regret-of-audits"))
    given = parser.parse_args(arguments)
    work, worlds = Work(given.work), []
    for name, size, fault, seed in tqdm(list(cells(given.draws, given.first)), desc="worlds"):
        depends = ["world", name, size, seed, PAIRS, TEST]
        row = work.figures(depends, lambda f=fault, s=size, r=seed: outcomes(f, s, r))
        worlds.append({"name": name, "size": size, "seed": seed} | row)
    content: dict[str, Any] = {"pairs": PAIRS, "worlds": worlds, "of_worlds": summary(worlds)}
    if place := os.environ.get("SUREFOOT_SUITES"):
        real = []
        cases = [(name, given.first + k) for name in SETS for k in range(given.seeds)]
        for name, seed in tqdm(cases, desc="real sets"):
            make = lambda n=name, s=seed: outcomes_of_set(n, Path(place), s, compared, DEFAULT)  # noqa: E731
            real.append({"name": name, "size": 0, "seed": seed})
            real[-1] |= work.figures(["real", name, seed], make)
        content |= {"real": real, "of_real": summary(real)}
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "regret.json").write_text(results.written(content))
    (given.output / "regret.md").write_text(tables(content))
    print(tables(content))
    print({name: content[name] for name in ("of_worlds", "of_real") if name in content})


if __name__ == "__main__":
    main()
