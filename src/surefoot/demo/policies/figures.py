"""From implicit rewards and written responses to the rows of the policies' table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.arrays import Floats
from surefoot.demo.methods import Method
from surefoot.demo.policies.methods import PolicyKey
from surefoot.demo.policies.training import Completion
from surefoot.demo.progress import Record
from surefoot.demo.result import Cell, Row
from surefoot.statistics import (
    Comparison,
    Estimate,
    hierarchical,
    hierarchical_difference,
    log_loss,
    mean,
)
from surefoot.statistics.ties import credit, side_of_rewards
from surefoot.worlds import TextWorld, WorldPairs
from surefoot.worlds.pool import RARE
from surefoot.worlds.text_truth import TextTruth, truth_of

_COVERS = "test prompts"


@dataclass(frozen=True)
class Scored:
    """Implicit rewards beta log(pi / pi_ref) by (prompt, response), and their beta."""

    rewards: Mapping[tuple[str, str], float]
    beta: float

    def of(self, pairs: WorldPairs) -> Floats:
        """Rewards (N, 2) of some pairs."""
        sides = ("response_a", "response_b")
        return np.array(
            [[self.rewards[row["prompt"], row[side]] for side in sides] for row in pairs.rows]
        )


@dataclass(frozen=True)
class Outcomes:
    """What became of one method on one seed: scores (None without preferences) and responses."""

    scored: Scored | None
    written: tuple[Completion, ...]

    @classmethod
    def of(cls, record: Record, beta: float) -> Outcomes:
        """What a seed's record says."""
        found = record["scored"]
        rewards = None if found is None else {(prompt, text): r for prompt, text, r in found}
        written = tuple(Completion(**one) for one in record["written"])
        return cls(None if rewards is None else Scored(rewards, beta), written)


@dataclass(frozen=True)
class _Values:
    """A figure before it is averaged: a value (S, N) for each item of each seed, and clusters."""

    by_seed: list[Floats]
    clusters: npt.NDArray[np.str_]

    def estimate(self) -> Estimate:
        return hierarchical(self.by_seed, self.clusters, covers=_COVERS)

    def against(self, other: _Values | None) -> Comparison:
        """Paired difference; None is 0 everywhere."""
        zeros = [np.zeros_like(one) for one in self.by_seed]
        theirs = zeros if other is None else other.by_seed
        return hierarchical_difference(self.by_seed, theirs, self.clusters, covers=_COVERS)


def rows_of(
    compared: Sequence[Method],
    outcomes: Mapping[str, Sequence[Outcomes]],
    tests: Mapping[str, WorldPairs],
    world: TextWorld,
) -> tuple[Row, ...]:
    """The rows, each against the row that its method names."""
    values = {name: _values(runs, tests, world) for name, runs in outcomes.items()}
    return tuple(
        Row(
            method,
            {
                key: _cell(key, one, values.get(method.against))
                for key, one in values[method.name].items()
            },
            {"written": _judged(outcomes[method.name])},
        )
        for method in compared
    )


def _cell(key: PolicyKey, values: _Values, baseline: Mapping[PolicyKey, _Values] | None) -> Cell:
    if baseline is None or (key not in baseline and key != "change"):
        return Cell(values.estimate())
    against = values.against(baseline.get(key))  # without preferences nothing has changed
    return Cell(values.estimate(), against)


def _values(
    runs: Sequence[Outcomes], tests: Mapping[str, WorldPairs], world: TextWorld
) -> dict[PolicyKey, _Values]:
    found: dict[PolicyKey, _Values] = {}
    scored = [run.scored for run in runs if run.scored is not None]
    if scored:
        found |= _on_pairs(scored, tests)
    return found | _on_written([run.written for run in runs], world)


def _on_pairs(
    scored: Sequence[Scored], tests: Mapping[str, WorldPairs]
) -> dict[PolicyKey, _Values]:
    def accuracy(name: str, group: str | None = None) -> _Values:
        pairs = tests[name]
        rows = np.array([group in (None, row["group"]) for row in pairs.rows])
        right = [credit(side_of_rewards(one.of(pairs)), pairs.truth) for one in scored]
        return _Values([one[rows] for one in right], _prompts(pairs)[rows])

    test = tests["test"]
    rewards = [one.of(test) for one in scored]
    probabilities = [1 / (1 + np.exp(r[:, 1] - r[:, 0])) for r in rewards]
    preferred = (test.rewards[:, 1] > test.rewards[:, 0]).astype(int)
    rows = np.arange(len(test))
    changes = [r[rows, preferred] / one.beta for r, one in zip(rewards, scored, strict=True)]
    return {
        "clean": accuracy("test"),
        "shifted": accuracy("shifted"),
        "rare": accuracy("alike", RARE),
        "log-loss": _Values([log_loss(p, test.truth) for p in probabilities], _prompts(test)),
        "change": _Values(changes, _prompts(test)),
    }


def _on_written(runs: Sequence[Sequence[Completion]], world: TextWorld) -> dict[PolicyKey, _Values]:
    groups = {prompt.text: prompt.group for prompt in world.prompts["test"]}
    prompts = np.array([one.prompt for one in runs[0]])
    rare = np.array([groups[prompt] == RARE for prompt in prompts])
    rewards = [np.array([_reward(one, groups[one.prompt], world) for one in run]) for run in runs]
    lengths = [np.array([float(one.tokens) for one in run]) for run in runs]
    return {
        "reward": _Values([one[~rare] for one in rewards], prompts[~rare]),
        "hurried": _Values([one[rare] for one in rewards], prompts[rare]),
        "length": _Values(lengths, prompts),
    }


def _reward(written: Completion, group: str, world: TextWorld) -> float:
    """The world's reward of a text, by its sentences."""
    found = truth_of(written.prompt, written.text)
    cost = world.brevity if group == RARE else 0.0
    return world.steepness * found.quality - cost * found.filler


def _prompts(pairs: WorldPairs) -> npt.NDArray[np.str_]:
    return np.array([row["prompt"] for row in pairs.rows])


def _judged(runs: Sequence[Outcomes]) -> dict[str, Estimate]:
    """What the responses are made of: means for each seed, with intervals over seeds."""
    judged = [[truth_of(one.prompt, one.text) for one in run.written] for run in runs]
    by_seed: dict[str, list[float]] = {
        name: [float(np.mean([getattr(one, name) for one in some])) for some in judged]
        for name in ("content", "filler", "repeated")
    }
    by_seed["known"] = [_known(some) for some in judged]
    by_seed["ended"] = [float(np.mean([one.finished for one in run.written])) for run in runs]
    return {name: mean(values, covers="seeds") for name, values in by_seed.items()}


def _known(judged: Sequence[TextTruth]) -> float:
    """Share of the sentences that the world has."""
    every = sum(one.sentences for one in judged)
    return 1 - sum(one.unknown for one in judged) / every if every else 0.0
