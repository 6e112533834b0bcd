"""Flip rates from votes and from single labels, where assumptions hold and where not; what helps.

    python -m benchmarks.flip_rates [--worlds 100] [--output benchmarks/results]

Writes `flip_rates.json` and, from it, `flip_rates.md`: of votes the error of the rate; of single
labels the bias of three readings in worlds that keep the assumption of the first or break it; of
linear heads the accuracy that label models gain on the true order. Heads are fitted in a fifth of
the worlds. Half a minute for each of `--worlds`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from scipy.stats import cauchy, norm
from tqdm.auto import tqdm

from experiments.common import results
from surefoot.arrays import Floats
from surefoot.objectives import Objective
from surefoot.scorers.fit.flip_rate import fitted_to, is_asked
from surefoot.scorers.head import cross_validate
from surefoot.scorers.heads.linear import Linear
from surefoot.statistics import disagreement_of, flip_rate_bound, flip_rate_of_votes, mean
from surefoot.statistics.beta_rates import flip_rate_of_beta
from surefoot.statistics.confident_learning import confident_flips
from surefoot.statistics.flip_mixture import WIDEST, flip_mixture
from surefoot.worlds.planted.material import PlantedMaterial, clean

RATES = (0.05, 0.1, 0.2, 0.3)
PAIRS = 2000
#: Of how many of the first suspects it is counted how many are flips.
FIRST = 100


# Votes

#: By name: the flip rates of N pairs, of a mean rate.
LAWS: Mapping[str, Callable[[int, float, np.random.Generator], Floats]] = {
    "one rate": lambda n, rate, rng: np.full(n, rate),
    "beta law": lambda n, rate, rng: rng.beta(2 * rate, 2 * (1 - rate), n),
    "half never": lambda n, rate, rng: np.where(rng.random(n) < 0.5, 0.0, 2 * rate),
}


def of_votes(worlds: int, pairs: int = PAIRS, seed: int = 0) -> list[dict[str, Any]]:
    """Mean and error of both rates, by law, votes on a pair, and true rate."""
    cells = []
    for law, rates in LAWS.items():
        for votes in (3, 5):
            for rate in RATES:
                one, beta = [], []
                for i in range(worlds):
                    rng = np.random.default_rng([seed, votes, i])
                    wrong = rng.binomial(votes, rates(pairs, rate, rng))
                    first = np.where(rng.random(pairs) < 0.5, wrong, votes - wrong)
                    every = np.full(pairs, votes)
                    one.append(flip_rate_of_votes(disagreement_of(first, every)).estimate)
                    beta.append(flip_rate_of_beta(first, every).estimate)
                said = {"one rate": _errors(one, rate), "beta law": _errors(beta, rate)}
                cells.append({"law": law, "votes": votes, "rate": rate} | said)
    return cells


def _errors(found: Sequence[float | None], truth: float) -> dict[str, float] | None:
    given = np.array([one for one in found if one is not None])
    if not len(given):
        return None
    return {"mean": float(given.mean()), "rmse": float(np.sqrt(np.mean((given - truth) ** 2)))}


# Single labels


@dataclass(frozen=True)
class LabelWorld:
    """Single labels of which some are flipped.

    Attributes:
        holds: whether the mixture's assumption does.
        pairs: N.
        sharper: times the margins of a clean world.
        link: from margins to the chance of a label that is not flipped.
        hidden: share of the margins' variance by what the model does not see.
        rates: flip rates (N,) of pairs with these margins, of a mean rate.
    """

    holds: bool
    pairs: int = PAIRS
    sharper: float = 3.0
    link: Callable[[Floats], Floats] = expit
    hidden: float = 0.0
    rates: Callable[[Floats, float], Floats] = lambda margins, rate: np.full(len(margins), rate)

    def draw(self, rate: float, rng: np.random.Generator) -> tuple[PlantedMaterial, Floats]:
        """A world, and which of its labels (N,) are flipped."""
        world = clean("skewed lengths", self.pairs, rng, length=0.0)
        margins = self.sharper * world.margins_true
        unseen = rng.normal(0, margins.std(), self.pairs)
        margins = np.sqrt(1 - self.hidden) * margins + np.sqrt(self.hidden) * unseen
        label = rng.random(self.pairs) < self.link(margins)
        flipped = rng.random(self.pairs) < self.rates(margins, rate)
        return replace(world, labels=(label ^ flipped).astype(np.float64)), flipped.astype(float)


def _hard_ones(margins: Floats, rate: float) -> Floats:
    """More flips where margins are small."""
    ease = np.exp(-np.abs(margins) / np.abs(margins).mean())
    return np.minimum(rate * ease / ease.mean(), 0.5)


LABELS: Mapping[str, LabelWorld] = {
    "logistic, large margins": LabelWorld(True),
    "logistic, small margins": LabelWorld(True, sharper=1.0),
    "logistic, 400 pairs": LabelWorld(True, pairs=400),
    "thinner tails (normal)": LabelWorld(False, link=lambda m: norm.cdf(m / 1.7)),
    "heavier tails (Cauchy)": LabelWorld(False, link=cauchy.cdf),
    "one in ten lapses to the first": LabelWorld(False, link=lambda m: 0.1 + 0.9 * expit(m)),
    "half of what counts is not seen": LabelWorld(False, hidden=0.5),
    "hard pairs are flipped more": LabelWorld(False, rates=_hard_ones),
}


def of_labels(worlds: int, seed: int = 1) -> list[dict[str, Any]]:
    """Mean and error of the readings, and how good the first suspects are, by world and rate."""
    cells = []
    for k, (name, law) in enumerate(LABELS.items()):
        for rate in tqdm((0.0, *RATES), desc=name):
            readings = [
                _read(*law.draw(rate, np.random.default_rng([seed, k, i]))) for i in range(worlds)
            ]
            cell: dict[str, Any] = {"world": name, "holds": law.holds, "rate": rate}
            for key in ("mixture", "confident learning", "at most"):
                cell[key] = _errors([one[key] for one in readings], rate)
            for key in ("covered", "wide", "precision", "expected"):
                cell[key] = float(np.mean([one[key] for one in readings]))
            cells.append(cell)
    return cells


def _read(world: PlantedMaterial, flipped: Floats) -> dict[str, Any]:
    margins, labels = world.margins, world.labels
    mixture = flip_mixture(margins, labels, clusters=world.prompts)
    chance, rate = mixture.flipped(margins, labels), mixture.rate
    first = np.argsort(-chance, kind="stable")[:FIRST]
    low, high = rate.low or 0.0, 0.5 if rate.high is None else rate.high
    return {
        "mixture": rate.estimate,
        "confident learning": confident_flips(margins, labels, clusters=world.prompts).estimate,
        "at most": flip_rate_bound(mean(((margins > 0) == (labels > 0.5)).astype(float))),
        "covered": low <= flipped.mean() <= high,
        "wide": high - low > WIDEST,
        "precision": flipped[first].mean(),
        "expected": chance[first].mean(),
    }


# Heads

#: By name: label models, of a true rate.
REMEDIES: Mapping[str, Callable[[float], Any]] = {
    "smoothed": lambda rate: {"kind": "smoothed", "flip_rate": rate},
    "flip-corrected": lambda rate: {"kind": "flip-corrected", "flip_rate": rate},
    "forward-corrected": lambda rate: {"kind": "forward-corrected", "flip_rate": rate},
    "fitted": lambda rate: {"kind": "forward-corrected", "flip_rate": "fitted"},
}


def of_heads(worlds: int, pairs: int = 1000, seed: int = 2) -> list[dict[str, Any]]:
    """Accuracy of plain heads on the true order of other pairs, and what label models gain."""
    cells = []
    for sharper in (1.0, 3.0, 6.0):
        law = LabelWorld(True, pairs=pairs, sharper=sharper)
        for rate in tqdm((0.0, 0.1, 0.2, 0.3), desc=f"heads, margins {sharper:g}"):
            plain: list[float] = []
            gains: dict[str, list[float]] = {name: [] for name in REMEDIES}
            for i in range(worlds):
                rng = np.random.default_rng([seed, i])
                world, _ = law.draw(rate, rng)
                unseen = clean("skewed lengths", 4 * pairs, rng, length=0.0)
                plain.append(_accuracy(world, Objective(), unseen))
                for name, labels in REMEDIES.items():
                    objective = Objective(labels=labels(rate))
                    gains[name].append(_accuracy(world, objective, unseen) - plain[-1])
            cell: dict[str, Any] = {"sharper": sharper, "rate": rate, "plain": np.mean(plain)}
            for name, found in gains.items():
                one = mean(found, covers="worlds") if worlds > 1 else None
                cell[name] = one.to_dict() if one else {"estimate": found[0]}
            cells.append(cell)
    return cells


def _accuracy(world: PlantedMaterial, objective: Objective, unseen: PlantedMaterial) -> float:
    if is_asked(objective):
        objective, _ = fitted_to(
            objective, world.margins, world.labels, world.weights, world.prompts
        )
    problem = replace(world.problem, objective=objective)
    found = cross_validate(Linear(), problem, torch.from_numpy(world.folds(5)))
    whole = replace(problem, l2=torch.tensor([found.l2], dtype=torch.float64))
    weight = Linear().fit(whole, certify=False).parameters["weight"].double().numpy()[:, 0]
    margins = (unseen.vectors[:, 0] - unseen.vectors[:, 1]) @ weight
    return float((np.sign(margins) == np.sign(unseen.margins_true)).mean())


# Tables


def table(content: Mapping[str, Any]) -> str:
    """All three, in Markdown."""
    lines = [
        f"Votes on {PAIRS:,} pairs, {content['worlds']} worlds each: mean estimate and, in "
        "brackets, root mean squared error.",
        "",
        "| rates of pairs | votes | true mean | one rate | beta law |",
        "|---|---|---|---|---|",
    ]
    for one in content["votes"]:
        figures = " | ".join(_written(one[key]) for key in ("one rate", "beta law"))
        lines.append(f"| {one['law']} | {one['votes']} | {one['rate']:g} | {figures} |")
    lines += [
        "",
        f"Single labels, {content['worlds']} worlds each. *Held*: how often the interval of the "
        f"mixture holds the share that is flipped; *wide*: how often it is wider than {WIDEST:g}; "
        f"*first {FIRST}*: share of flips among the first suspects, and as expected.",
        "",
        f"| world | true | mixture | confident learning | at most | held | wide | first {FIRST} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in content["labels"]:
        name = one["world"] if one["holds"] else f"*{one['world']}*"
        figures = " | ".join(
            _written(one[key]) for key in ("mixture", "confident learning", "at most")
        )
        rest = f"{one['covered']:.2f} | {one['wide']:.2f}"
        first = f"{one['precision']:.2f} ({one['expected']:.2f})"
        lines.append(f"| {name} | {one['rate']:g} | {figures} | {rest} | {first} |")
    lines += [
        "",
        "In worlds in italics the mixture's assumption does not hold.",
        "",
        f"Linear heads on 1,000 pairs, {content['heads_worlds']} worlds each: accuracy of plain "
        "ones on the true order of other pairs, and what label models add to it.",
        "",
        "| margins | flipped | plain | " + " | ".join(REMEDIES) + " |",
        "|---|---|---|" + "---|" * len(REMEDIES),
    ]
    for one in content["heads"]:
        gains = " | ".join(f"{one[name]['estimate']:+.3f}" for name in REMEDIES)
        lines.append(f"| x {one['sharper']:g} | {one['rate']:g} | {one['plain']:.3f} | {gains} |")
    return "\n".join(lines) + "\n"


def _written(errors: Mapping[str, float] | None) -> str:
    return "–" if errors is None else f"{errors['mean']:.3f} ({errors['rmse']:.3f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write `flip_rates.json` and `flip_rates.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args(arguments)
    heads = max(given.worlds // 5, 1)
    content = {
        "worlds": given.worlds,
        "heads_worlds": heads,
        "votes": of_votes(given.worlds),
        "labels": of_labels(given.worlds),
        "heads": of_heads(heads),
    }
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "flip_rates.json").write_text(results.written(content))
    (given.output / "flip_rates.md").write_text(table(content))
    print(table(content))


if __name__ == "__main__":
    main()
