"""The settings of the experiment, and what it trains and draws: kept once finished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.work import Work
from experiments.common.writing import written
from experiments.overoptimisation.world import World, WorldOptions
from surefoot.data import Preferences
from surefoot.data.text import Message, Prompt, to_text
from surefoot.data.writing import write_preferences
from surefoot.online import OnlineConfig
from surefoot.online.training import train_online
from surefoot.options import Options
from surefoot.runs import is_finished
from surefoot.runs.atomic import appearing
from surefoot.scorers.ensemble_file import MeanOfMembers, Pessimism
from surefoot.scorers.language.law import SamplingLaw
from surefoot.scorers.loading import load_scorer
from surefoot.scorers.trained import TrainedScorer, rewards_of
from surefoot.training import RunConfig, train

#: Of what is kept: part of its key.
_VERSION = 1
#: Responses that are written at a time.
_BATCH = 1024


class Arm(Options):
    """One way to use the reward models."""

    pessimism: Pessimism | None = None
    """How the members become one; absent: one model alone."""

    @property
    def pessimistic(self) -> bool:
        """Whether disagreement costs reward."""
        return self.pessimism is not None and not isinstance(self.pessimism, MeanOfMembers)

    def proxies(self, members: np.ndarray) -> list[np.ndarray]:
        """From rewards (P, N, K) of the members to proxies (P, N): K of them for one model."""
        if self.pessimism is None:
            return list(np.moveaxis(members, -1, 0))
        return [self.pessimism(members)]

    def reward(self, folder: Path) -> Any:
        """What online training takes as its reward."""
        if self.pessimism is None:
            return str(folder / "seed-0")
        return {"members": [str(folder)], "pessimism": self.pessimism.model_dump(mode="json")}


class Settings(Options):
    """The experiment."""

    worlds: dict[str, WorldOptions] = Field(min_length=1)
    """The first is the one that is tested; the others show what it rests on, by best of n."""
    seeds: int = Field(5, ge=3)
    """Each draws its own world, prompts, comparisons, policy and reward models."""
    first_seed: int = 0
    """Pilots took seeds from 100 on."""
    members: int = Field(5, ge=2)
    """Reward models of each seed; they differ in the start of their head and the order of pairs."""
    reward: dict[str, Any]
    """Options of their training."""
    responses: int = Field(256, ge=8)
    """The policy's, to each test prompt."""
    arms: dict[str, Arm]
    online: dict[str, Any]
    """Options of online training, beside the reward."""
    training: dict[str, Any]
    """Of its section `training`."""
    beta: float = Field(gt=0)
    """Weight of the KL."""
    window: int = Field(10, ge=1)
    """Steps that a figure along training is a mean of."""
    measured: int = Field(32, ge=2)
    """Responses of a trained policy to each test prompt."""

    @property
    def main(self) -> str:
        """The world that is tested."""
        return next(iter(self.worlds))

    @property
    def numbers(self) -> Iterable[int]:
        """Of the seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)


@dataclass(frozen=True)
class Seed:
    """Everything that one seed draws.

    Attributes:
        world: values and prompts.
        folder: with `policy`, `pairs.jsonl` and `reward`, a folder of seeds.
        gold: (P, N) of the responses to the test prompts.
        members: (P, N, K) their rewards by each reward model.
    """

    world: World
    folder: Path
    gold: np.ndarray
    members: np.ndarray

    @property
    def unit(self) -> float:
        """Deviation of the gold reward between two responses to one prompt."""
        return float(np.sqrt(self.gold.var(axis=1, ddof=1).mean()))


@dataclass(frozen=True)
class Checker(TrainedScorer):
    """The gold reward as a reward model that is watched."""

    world: World
    pairwise: bool = False

    def scores(self, preferences: Preferences) -> np.ndarray:
        """Gold rewards (N, 2)."""
        columns = preferences.read("prompt", "response_a", "response_b")
        return np.array(
            [[self.world.gold(to_text(x), to_text(y)) for y in sides] for x, *sides in columns]
        )


def prepare(settings: Settings, options: WorldOptions, number: int, work: Work) -> Seed:
    """The policy to begin with, its responses, the reward models and what they say of these."""
    world = World(options, number)
    described = [_VERSION, options.model_dump(), number]
    folder = work.model([*described, settings.members, settings.reward])
    folder.mkdir(parents=True, exist_ok=True)
    world.make_policy(folder / "policy")
    data, reward = folder / "pairs.jsonl", folder / "reward"
    write_preferences(world.comparisons(), data)
    for k in range(settings.members):
        if not is_finished(reward / f"seed-{k}"):
            _reward_model(
                settings,
                data,
                folder / "policy",
                number * settings.members + k,
                reward / f"seed-{k}",
            )
    path = work.cell([*described, settings.members, settings.reward, settings.responses])
    if not path.is_file():
        prompts = world.prompts[1]
        texts = responses(folder / "policy", prompts, settings.responses, settings.online, number)
        gold = [[world.gold(x, y) for y in own] for x, own in zip(prompts, texts, strict=True)]
        found = [scored(reward / f"seed-{k}", prompts, texts) for k in range(settings.members)]
        _save(path, gold=np.array(gold), members=np.stack(found, axis=-1))
    cell = np.load(path)
    return Seed(world, folder, cell["gold"], cell["members"])


def _reward_model(settings: Settings, data: Path, start: Path, seed: int, place: Path) -> None:
    scorer = {"kind": "reward-model", "model": str(start), "max_length": 64, "precision": "float32"}
    config = RunConfig(
        data={"train": [str(data)], "damaged": "keep"},
        scorer=scorer,
        training={"seed": seed, **settings.reward},
        output=str(place),
    )
    train(config, overwrite=True)


def responses(
    place: Path, prompts: list[str], count: int, online: Mapping[str, Any], seed: int
) -> list[list[str]]:
    """As many responses of a policy to each prompt."""
    law = SamplingLaw(max_new_tokens=online["max_new_tokens"])
    return written(str(place), prompts, count, law, _BATCH, seed)


def scored(place: Path, prompts: list[str], texts: list[list[str]]) -> np.ndarray:
    """Rewards (P, N) of responses to each prompt by a run."""
    turns = [[Message(role="user", content=one)] for one in prompts]
    said = [[[Message(role="assistant", content=one)] for one in own] for own in texts]
    return np.stack(rewards_of(load_scorer(place), list(map(Prompt, turns)), said))


def trained(settings: Settings, arm: Arm, seed: Seed, work: Work) -> Mapping[str, np.ndarray]:
    """Train the policy on an arm's reward, the gold watched; its gold on the test prompts; kept."""
    objective = {"kind": "online", **settings.online}
    training = {"seed": seed.world.seed, **settings.training}
    pessimism = arm.model_dump(mode="json")
    key = [_VERSION, seed.folder.name, pessimism, objective, training, settings.beta]
    path = work.cell([*key, settings.measured])
    if path.is_file():
        return np.load(path)
    run = work.scratch() / "run"
    config = OnlineConfig(
        data={"train": [str(seed.folder / "pairs.jsonl")]},
        scorer={
            "kind": "policy",
            "model": str(seed.folder / "policy"),
            "beta": settings.beta,
            "max_length": 64,
            "precision": "float32",
        },
        objective={**objective, "reward": arm.reward(seed.folder / "reward")},
        training=training,
        output=str(run),
    )
    done = train_online(config, watch=Checker(seed.world), overwrite=True)
    assert done is not None
    history = done.report.history
    prompts, number = seed.world.prompts[1], seed.world.seed
    texts = responses(run, prompts, settings.measured, settings.online, number)
    gold = [[seed.world.gold(x, y) for y in own] for x, own in zip(prompts, texts, strict=True)]
    _save(
        path,
        gold=np.array(gold),
        kl=np.array([one["sequence_kl"] for one in history]),
        proxy=np.array([one["trained_gain"] for one in history]),
        watched=np.array([one["watched_gain"] for one in history]),
        texts=np.array(texts),
    )
    return np.load(path)


def _save(path: Path, **columns: np.ndarray) -> None:
    with appearing(path) as part:
        np.savez(part, **columns)
