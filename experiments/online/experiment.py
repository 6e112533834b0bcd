"""Robust policy optimisation where groups of prompts are of unequal difficulty."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.tables import correct, estimate, marked, remaining
from experiments.common.work import Work
from experiments.common.writing import written
from experiments.online.world import (
    TOPICS,
    Asked,
    WorldOptions,
    asked,
    comparisons,
    make_policy,
    true_reward,
)
from surefoot.data.writing import write_preferences
from surefoot.online import OnlineConfig
from surefoot.online.training import train_online
from surefoot.options import Options
from surefoot.runs import is_finished
from surefoot.runs.atomic import write_text
from surefoot.scorers.language.law import SamplingLaw
from surefoot.statistics import hierarchical, hierarchical_difference
from surefoot.training import RunConfig, train

#: Of the methods, what the others are compared with.
BASELINE = "RLOO"
#: The group that was set up to be the worst one, before anything was run.
WORST = "travel"


class Method(Options):
    """One row of the tables."""

    members: int = Field(1, ge=1)
    """Heads of the reward model."""
    objective: dict[str, Any] = Field({})
    """Options of `objective` beside those of all."""


class Settings(Options):
    """The experiment."""

    world: WorldOptions = WorldOptions()
    seeds: int = Field(5, ge=1)
    """Each draws its own prompts, comparisons, reward model and policy."""
    first_seed: int = 0
    """Pilots took seeds from 100 on."""
    samples: int = Field(8, ge=2)
    """Responses of each policy to each test prompt."""
    reward: dict[str, Any] = Field({})
    """Options of the scorer of every reward model."""
    objective: dict[str, Any]
    training: dict[str, Any]
    beta: float = Field(0.05, gt=0)
    methods: dict[str, Method]


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure of all seeds and methods, JSON-ready."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    seeds = range(settings.first_seed, settings.first_seed + settings.seeds)
    by_seed = [_seed(settings, seed, work) for seed in seeds]
    return _figures(settings, by_seed)


def _seed(settings: Settings, seed: int, work: Work) -> dict[str, dict[str, Any]]:
    """True rewards (test prompts) by each method, and what its run said."""
    given = [settings.model_dump(mode="json", exclude={"seeds", "first_seed", "methods"}), seed]
    folder = work.model(given)
    rng = np.random.default_rng(seed)
    prompts, test = asked(settings.world, rng)
    make_policy(settings.world, prompts, seed, folder / "policy")
    data = folder / "pairs.jsonl"
    if not data.is_file():
        write_preferences(comparisons(settings.world, prompts, rng), data)
    found = {"before": {"rewards": _measured(settings, folder / "policy", test, seed)}}
    for name, method in settings.methods.items():
        run = work.model([given, method.model_dump(mode="json")])
        kept = run / "measured.json"
        if not kept.is_file():
            said = _train(settings, method, data, seed, folder, run)
            said["rewards"] = _measured(settings, run, test, seed)
            write_text(kept, json.dumps(said))
        found[name] = json.loads(kept.read_text())
        print(f"seed {seed}, {name}: {np.mean(found[name]['rewards']):.3f}", flush=True)
    return found


def _train(
    settings: Settings, method: Method, data: Path, seed: int, folder: Path, run: Path
) -> dict[str, Any]:
    reward = folder / f"reward-{method.members}"
    if not is_finished(reward):
        train(
            RunConfig(
                data={"train": [str(data)]},
                scorer={"kind": "embedding", "members": method.members, **settings.reward},
                training={"seed": seed},
                output=str(reward),
            ),
            overwrite=True,
        )
    robust = {"baseline": "data", "reward": str(reward), **settings.objective, **method.objective}
    if "pessimism" in robust:
        robust["reward"] = {"members": [str(reward)], "pessimism": robust.pop("pessimism")}
    config = OnlineConfig(
        data={"train": [str(data)]},
        scorer={
            "kind": "policy",
            "model": str(folder / "policy"),
            "beta": settings.beta,
            "max_length": 64,
            "precision": "float32",
        },
        objective={"kind": "online", **robust},
        training={"seed": seed, **settings.training},
        output=str(run),
    )
    done = train_online(config, overwrite=True)
    assert done is not None
    report = done.report
    return {
        "groups": {g.name: {"gain": g.gain, "weight": g.weight} for g in report.groups},
        "sequence_kl": report.last.get("sequence_kl"),
        "proxy": report.last.get("reward"),
    }


def _measured(settings: Settings, place: Path, test: Sequence[Asked], seed: int) -> list[float]:
    """Mean true reward of a policy's responses to each test prompt."""
    law = SamplingLaw(max_new_tokens=settings.objective["max_new_tokens"])
    texts = written(str(place), [one.text for one in test], settings.samples, law, 320, seed)
    return [
        float(np.mean([true_reward(one.topic, text) for text in own]))
        for one, own in zip(test, texts, strict=True)
    ]


def _figures(settings: Settings, by_seed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """True reward of each method, by group and over the prompts as they are asked."""
    count, topics = settings.world.test_prompts, list(TOPICS)
    shares = np.asarray(settings.world.shares) / sum(settings.world.shares)
    clusters = [np.arange(count) + seed * count for seed in range(len(by_seed))]

    def values(name: str, what: str) -> list[np.ndarray]:
        """Of each seed, the rewards of the k-th prompt: of a group, or of all in their shares."""
        tables = [np.reshape(one[name]["rewards"], (len(topics), count)) for one in by_seed]
        if what == "mean":
            return [shares @ table for table in tables]
        return [table[topics.index(what)] for table in tables]

    found: dict[str, Any] = {"methods": {}, "differences": {}}
    for name in ("before", *settings.methods):
        found["methods"][name] = {
            what: hierarchical(values(name, what), clusters, covers="test prompts").to_dict()
            for what in ("mean", *topics)
        }
        found["methods"][name]["worst_by_seed"] = [
            float(min(np.reshape(one[name]["rewards"], (len(topics), count)).mean(1)))
            for one in by_seed
        ]
        if name != "before":
            found["methods"][name]["weights"] = [one[name]["groups"] for one in by_seed]
            found["methods"][name]["sequence_kl"] = [one[name]["sequence_kl"] for one in by_seed]
    family = []
    for name in settings.methods:
        if name == BASELINE:
            continue
        gaps = {
            what: hierarchical_difference(
                values(name, what), values(BASELINE, what), clusters, covers="test prompts"
            ).to_dict()
            for what in ("mean", *topics)
        }
        found["differences"][name] = gaps
        family += [gaps["mean"], gaps[WORST]]
    correct(family)
    found["distinguishable"] = remaining(family)
    return found


def markdown(figures: dict[str, Any], settings: Settings) -> str:
    """Both tables."""
    topics = list(TOPICS)
    named = [f"{t} ({s:.0%})" for t, s in zip(topics, settings.world.shares, strict=True)]
    lines = [
        f"True reward, {settings.seeds} seeds; intervals cover seeds and test prompts.",
        "",
        f"| | mean | {' | '.join(named)} | worst group of each seed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in figures["methods"].items():
        cells = [f"{estimate(one[what]):.2f}" for what in ("mean", *topics)]
        worst = ", ".join(f"{value:.2f}" for value in one["worst_by_seed"])
        lines.append(f"| {name} | {' | '.join(cells)} | {worst} |")
    lines += [
        "",
        f"Less {BASELINE}, prompt by prompt and seed by seed. Tested: the mean and {WORST}, which "
        f"was set up to be the worst group ({figures['distinguishable']} distinguishable after "
        "Holm).",
        "",
        "| | mean | travel | garden | kitchen |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, gaps in figures["differences"].items():
        cells = [marked(gaps["mean"]), marked(gaps[WORST])]
        cells += [str(estimate(gaps[what]["difference"])) for what in ("garden", "kitchen")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
