"""Controlled sentiment: what policies write, in worlds whose preferences are known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.common.work import Work
from experiments.sentiment.data import Settings, Task, label, prepare, prepare_seed
from experiments.sentiment.runs import judged_by_auxiliary, run_cell
from experiments.sentiment.tables import BASELINE, correct_all, markdown
from experiments.sentiment.task import Truth
from surefoot.statistics import Comparison, Estimate, hierarchical, hierarchical_difference

__all__ = ["Settings", "experiment", "markdown"]

REFERENCE, BEST_OF = "reference itself", "best of {} by the true reward"


@dataclass
class Outcome:
    """What one policy writes, by seed.

    Attributes:
        attributes: (P, K, 3) of each seed, of K responses to each of P test prompts.
        log_ratios: (P, K) to the reference.
        words: (P, K) of each response.
        cut: (P, K) whether each reached the largest number of tokens.
        judged: wins over the reference by prompt (P,), by the seed's auxiliary model.
        coefficients: of the control variate, where it was fitted.
        seconds: of training, on one core.
    """

    attributes: list[np.ndarray] = field(default_factory=list)
    log_ratios: list[np.ndarray] = field(default_factory=list)
    words: list[np.ndarray] = field(default_factory=list)
    cut: list[np.ndarray] = field(default_factory=list)
    judged: list[np.ndarray] = field(default_factory=list)
    coefficients: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, cell: Mapping[str, np.ndarray], judged: np.ndarray) -> None:
        """One more seed."""
        self.judged.append(judged)
        self.attributes.append(cell["attributes"])
        self.log_ratios.append(cell["log_ratios"])
        self.words.append(cell["words"])
        self.cut.append(cell["cut"])
        self.coefficients.append(float(cell["coefficient"]))
        self.seconds.append(float(cell["training_seconds"]))

    @property
    def rewards(self) -> list[np.ndarray]:
        """Mean true reward by prompt (P,), of each seed."""
        return [found[..., 0].mean(-1) for found in self.attributes]

    @property
    def divergences(self) -> list[np.ndarray]:
        """Mean log-ratio by prompt (P,), of each seed: the KL divergence to the reference."""
        return [found.mean(-1) for found in self.log_ratios]

    def wins(self, truth: Truth, others: list[np.ndarray], counted: bool = False) -> list[Any]:
        """P(preferred to another policy's response) by prompt (P,), of each seed.

        Args:
            truth: of the world.
            others: (P, K', 3) attributes of the other policy's responses, of each seed.
            counted: as a judge who always takes the likelier one: 1 where P is above one half.
        """
        pairs = zip(self.attributes, others, strict=True)
        chances = [truth(own[:, :, None], their[:, None]) for own, their in pairs]
        return [((c > 0.5) if counted else c).mean((1, 2)) for c in chances]


World = dict[str, Outcome]


def run(settings: Settings, work: Work) -> dict[str, Any]:
    """Every cell; all methods of a seed and world before the next."""
    task = prepare(settings, work)
    worlds: dict[str, World] = {
        name: {title: Outcome() for title in settings.methods} for name in settings.worlds
    }
    labels: dict[str, list[dict[str, float]]] = {name: [] for name in settings.worlds}
    checks = []
    for number in range(settings.first_seed, settings.first_seed + settings.seeds):
        seed = prepare_seed(settings, task, number, work)
        checks.append(seed.check)
        for name, truth in settings.worlds.items():
            data = label(settings, truth, seed, work)
            labels[name].append(data.described)
            for title, method in settings.methods.items():
                outcome = worlds[name][title]
                cell = run_cell(settings, method, task, data, number, work)
                outcome.add(cell, judged_by_auxiliary(task, data, cell, work))
                wins = outcome.wins(truth, [task.opponents] * len(outcome.attributes))[-1]
                print(
                    f"seed {number}, {name}, {title}: reward {outcome.rewards[-1].mean():.3f}, KL "
                    f"{outcome.divergences[-1].mean():.2f}, wins {wins.mean():.3f}, "
                    f"{cell['training_seconds']:.0f} s of training, {cell['seconds']:.0f} s",
                    flush=True,
                )
    return {"task": task, "worlds": worlds, "labels": labels, "checks": checks}


def _rulers(task: Task) -> World:
    """The reference against itself, and the best of K of its responses."""
    rows = np.arange(len(task.prompts))
    best = task.others[rows, task.others[..., 0].argmax(1)][:, None]
    k = task.others.shape[1]
    return {REFERENCE: Outcome([task.others]), BEST_OF.format(k): Outcome([best])}


def figures(found: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    task: Task = found["task"]
    ids = np.arange(len(task.prompts))

    def mean(values: list[np.ndarray]) -> dict[str, Any]:
        estimate: Estimate = hierarchical(values, ids, covers="test prompts")
        return estimate.to_dict()

    def less(first: list[np.ndarray], second: list[np.ndarray]) -> dict[str, Any]:
        compared: Comparison = hierarchical_difference(first, second, ids, covers="test prompts")
        return compared.to_dict()

    def judged(outcome: Outcome, truth: Truth) -> dict[str, Any]:
        opponents = [task.opponents] * len(outcome.attributes)
        return {
            "reward": mean(outcome.rewards),
            "wins": mean(outcome.wins(truth, opponents)),
            "wins_counted": mean(outcome.wins(truth, opponents, counted=True)),
        }

    def one(title: str, world: World, truth: Truth) -> dict[str, Any]:
        outcome, plain = world[title], world[BASELINE]
        content = {
            **judged(outcome, truth),
            "divergence": mean(outcome.divergences),
            "wins_by_auxiliary": mean(outcome.judged),
            "words": float(np.mean(outcome.words)),
            "cut": float(np.mean(outcome.cut)),
            "training_seconds": float(np.mean(outcome.seconds)),
            "reward_by_seed": [float(v.mean()) for v in outcome.rewards],
        }
        if not np.isnan(outcome.coefficients).all():
            content["coefficient"] = float(np.mean(outcome.coefficients))
        if title != BASELINE:
            opponents = [task.opponents] * len(outcome.attributes)
            over = outcome.wins(truth, plain.attributes)
            content["reward_difference"] = less(outcome.rewards, plain.rewards)
            content["wins_difference"] = less(
                outcome.wins(truth, opponents), plain.wins(truth, opponents)
            )
            content["over_baseline"] = mean(over)
            content["over_baseline_counted"] = mean(
                outcome.wins(truth, plain.attributes, counted=True)
            )
            content["over_one_half"] = less(over, [np.full_like(v, 0.5) for v in over])
        return content

    content = {
        "schema_version": 1,
        "small_model": task.described,
        "scorer_accuracy": task.scorer.accuracy,
        "labelled_sentences": len(task.sentences.texts),
        "prompts": {name: len(some) for name, some in task.sentences.prompts.items()},
        "reference_checks": found["checks"],
        "labels": {
            name: {key: float(np.mean([one[key] for one in some])) for key in some[0]}
            for name, some in found["labels"].items()
        },
        "cycles": {
            name: truth.cycles_among(np.concatenate([task.opponents, task.others], axis=1))
            for name, truth in settings.worlds.items()
        },
        "rulers": {
            name: {title: judged(outcome, truth) for title, outcome in _rulers(task).items()}
            for name, truth in settings.worlds.items()
        },
        "worlds": {
            name: {title: one(title, world, settings.worlds[name]) for title in world}
            for name, world in found["worlds"].items()
        },
    }
    correct_all(content)
    return content


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(run(settings, work), settings)
