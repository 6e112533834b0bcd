"""Diagnostics of a reward model under a policy: how often they find what is, and what is not there.

    python -m benchmarks.policy_samples [--worlds 1000] [--power-worlds 200]

Of samples in which everything is of the size that just does not matter, the share found at levels
.05 and .00125, which is about what the audit of a model leaves to one of its tests; and by the size
of a fault, the share found at .00125, from 8 responses to each of 100, 200 or 400 prompts. Writes
`policy_samples.json` and `policy_samples.md`. About ten minutes of a core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

from experiments.common import results
from surefoot.auditing.diagnostic import Diagnostic, Measurement
from surefoot.auditing.models.diagnostics import (
    flat_prompts,
    forecast,
    members_disagree,
    over_optimisation,
)
from surefoot.auditing.models.samples import PolicySamples
from surefoot.worlds.planted_policies import LAWS, PlantedPolicy, planted_policy, planted_samples

ALPHA, DEEP = 0.05, 0.00125
#: Makes a world of some prompts.
Make = Callable[[np.random.Generator], PlantedPolicy]


@dataclass(frozen=True)
class Cell:
    """Worlds of one kind for one test."""

    diagnostic: Diagnostic
    of: str  #: what is measured, if it measures several things
    name: str
    make: Make


def sounds() -> list[Cell]:
    """Where all is of the size that just does not matter."""
    drawn = (20, 4), (100, 4), (100, 8), (400, 8)
    cells = [_flat(*sizes) for sizes in drawn]
    cells += [
        Cell(
            members_disagree.DIAGNOSTIC,
            "",
            f"{prompts} prompts, {responses} responses",
            partial(_policy, (prompts, responses), {"flat": 0.0}, {}),
        )
        for prompts, responses in drawn
    ]
    cells += [_falling(law, prompts) for law in LAWS for prompts in (20, 100)]
    backed = (0.2, -0.1, 1), (0.6, 0.1, 2), (0.6, 0.1, 50)
    return cells + [_pushed(law, *one) for law in LAWS for one in backed]


def _policy(
    drawn: tuple[int, int],
    samples: dict[str, Any],
    pairs: dict[str, Any],
    rng: np.random.Generator,
) -> PlantedPolicy:
    return planted_policy(planted_samples(*drawn, rng, **samples), rng, **pairs)


def _flat(prompts: int, responses: int) -> Cell:
    chance = chi2.cdf(flat_prompts.HARDLY * (responses - 1), responses - 1)
    flat = (flat_prompts.MATTERS - chance) / (1 - chance)  # beside those counted by chance
    name = f"{prompts} prompts, {responses} responses"
    make = partial(_policy, (prompts, responses), {"flat": flat}, {})
    return Cell(flat_prompts.DIAGNOSTIC, "", name, make)


def _falling(law: str, prompts: int) -> Cell:
    def make(rng: np.random.Generator) -> PlantedPolicy:
        samples = planted_samples(prompts, 16, rng, law=law, flat=0.0, agrees=0.0)
        return planted_policy(just_falling(samples, rng), rng, pairs=50)

    name = f"{law}, {prompts} prompts, 16 responses"
    return Cell(over_optimisation.DIAGNOSTIC, "", name, make)


def _pushed(law: str, pushed: float, labelled: float, per: int) -> Cell:
    samples = {"law": law, "flat": 0.0, "pushed": pushed}
    pairs = {"law": law, "labelled": labelled, "pairs_per_prompt": per}
    name = f"{law}, reward {pushed:+g}, labels {labelled:+g}, {per} pairs a prompt"
    return Cell(forecast.DIAGNOSTIC, "length", name, partial(_policy, (100, 8), samples, pairs))


def just_falling(samples: PolicySamples, rng: np.random.Generator) -> PolicySamples:
    """Gold that has nothing to do with the reward, but that the best of all is sometimes worst."""
    gold = []
    for reward, wanted in zip(samples.each(samples.rewards), _gold(samples), strict=True):
        worst = over_optimisation.MATTERS / (0.5 - 0.5 / len(reward))
        best = reward.argmax() if rng.random() < worst else -1
        gold.append(np.where(np.arange(len(reward)) == best, wanted.min() - 1, wanted))
    return replace(samples, gold=np.concatenate(gold))


def _gold(samples: PolicySamples) -> list[Any]:
    assert samples.gold is not None
    return samples.each(samples.gold)


#: By fault: the diagnostic, what it measured, the option that has its size, sizes, other options.
FAULTS: dict[str, tuple[Diagnostic, str, str, tuple[float, ...], dict[str, float]]] = {
    "share of prompts at which the reward is flat": (
        flat_prompts.DIAGNOSTIC,
        "",
        "flat",
        (0.35, 0.45, 0.6),
        {},
    ),
    "correlation of reward and length; labels have none": (
        forecast.DIAGNOSTIC,
        "length",
        "pushed",
        (0.4, 0.6, 0.8, 1.0),
        {"flat": 0.0},
    ),
    "share of pairs that members order differently": (
        members_disagree.DIAGNOSTIC,
        "",
        "disagree",
        (0.28, 0.3, 0.35),
        {"flat": 0.0},
    ),
    "gold lost for each deviation beyond the first": (
        over_optimisation.DIAGNOSTIC,
        "",
        "hacked",
        (1.0, 2.0, 4.0),
        {"agrees": 0.0, "flat": 0.0},
    ),
}


def p_values(cell: Cell, worlds: int, seed: int) -> np.ndarray:
    """Of the test in so many worlds."""
    made = (cell.make(np.random.default_rng([seed, number])) for number in range(worlds))
    every = (one for world in made for one in cell.diagnostic.measure(world))
    of = (one for one in every if isinstance(one, Measurement) and one.of == cell.of)
    return np.array([one.test.p_value for one in of if one.test is not None])


def power(worlds: int, prompts: Sequence[int]) -> dict[str, Any]:
    """By fault, prompts and size, the share found at the deep level."""
    content: dict[str, Any] = {}
    for name, (diagnostic, of, option, sizes, others) in FAULTS.items():
        found: dict[str, dict[str, float]] = {}
        for count in prompts:
            for size in sizes:
                make = partial(_policy, (count, 8), {option: size, **others}, {})
                p = p_values(Cell(diagnostic, of, name, make), worlds, 12)
                found.setdefault(str(count), {})[str(size)] = float((p <= DEEP).mean())
        content[name] = {"diagnostic": diagnostic.name, "found": found}
    return content


def tables(content: dict[str, Any]) -> str:
    """As Markdown: what is sound, and faults."""
    lines = ["| Diagnostic | all of the size that just does not matter | at .05 | at .00125 |"]
    lines.append("| --- | --- | --- | --- |")
    for one in content["sound"]:
        name = f"| {one['diagnostic']} | {one['name']} "
        lines.append(f"{name}| {one['.05']:.3f} | {one['.00125']:.4f} |")
    lines += ["", "| Diagnostic | fault, by its size | prompts | found at .00125 |"]
    lines.append("| --- | --- | --- | --- |")
    for name, one in content["faults"].items():
        for prompts, found in one["found"].items():
            shares = ", ".join(f"{size}: {share:.0%}" for size, share in found.items())
            lines.append(f"| {one['diagnostic']} | {name} | {prompts} | {shares} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write `policy_samples.json` and `policy_samples.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--power-worlds", type=int, default=200)
    parser.add_argument("--prompts", type=int, nargs="*", default=[100, 200, 400])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args(arguments)
    sound = []
    for cell in sounds():
        p = p_values(cell, given.worlds, 11)
        shares = {".05": float((p <= ALPHA).mean()), ".00125": float((p <= DEEP).mean())}
        sound.append({"diagnostic": cell.diagnostic.name, "name": cell.name, **shares})
        print(sound[-1], flush=True)
    content = {
        "worlds": given.worlds,
        "power_worlds": given.power_worlds,
        "sound": sound,
        "faults": power(given.power_worlds, given.prompts),
    }
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "policy_samples.json").write_text(results.written(content))
    (given.output / "policy_samples.md").write_text(tables(content))
    print(tables(content))


if __name__ == "__main__":
    main()
