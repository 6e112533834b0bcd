"""Policies before and after: what a forecast is made from, and what RLOO then wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.hh import flipped
from experiments.common.small_model import SmallModel, make_small_model
from experiments.common.work import Work
from experiments.common.writing import written
from experiments.overoptimisation import runs
from experiments.overoptimisation.runs import Settings
from experiments.sentiment.data import attributes, pairs_of, quietly
from experiments.sentiment.task import Scorer, SentenceOptions, Truth, read_sentences
from surefoot.arrays import Floats
from surefoot.auditing.features import FEATURES
from surefoot.data.writing import write_preferences
from surefoot.online import OnlineConfig
from surefoot.online.training import train_online
from surefoot.options import Options
from surefoot.runs import is_finished
from surefoot.scorers.language.law import SamplingLaw
from surefoot.training import RunConfig, train

Texts = list[list[str]]
#: From P prompts and their responses to values (P, K).
Features = Mapping[str, Callable[[Sequence[str], Texts], Floats]]
#: Words whose use is a feature each, the commonest of the policy.
_WORDS = 15
_BATCH = 512
#: How far RLOO goes, to its last step or to some nats, and how often it is run on a reward.
WAYS: Mapping[str, tuple[dict[str, Any], int]] = {
    "RLOO": ({}, 1),
    "RLOO to 2 nats": ({"stop_kl": 2.0}, 1),
    "RLOO to 2 nats, 4 runs": ({"stop_kl": 2.0}, 4),
}
#: By which the seeds of runs on the same reward differ.
_APART = 1000


@dataclass(frozen=True)
class Case:
    """One policy and one reward model."""

    world: str
    seed: int
    features: Features
    prompts: tuple[list[str], list[str]]  #: those that the forecast sees, and those of the outcome
    before: tuple[Texts, Texts]  #: responses of the policy to either
    rewards: tuple[Floats, Floats]  #: (P, K) of these responses
    #: responses of policies that RLOO trained, by the way and the run, to the outcome's prompts
    after: Mapping[str, list[Texts]]


def _each(measure: Callable[[str, str], float]) -> Callable[[Sequence[str], Texts], Floats]:
    def values(prompts: Sequence[str], texts: Texts) -> Floats:
        both = zip(prompts, texts, strict=True)
        return np.array([[measure(x, y) for y in own] for x, own in both])

    return values


def form(texts: Texts) -> dict[str, Callable[[Sequence[str], Texts], Floats]]:
    """The features of the audit, words that are different, and each of the commonest words."""
    counts = Counter(word for own in texts for text in own for word in text.split())
    common = [word for word, _ in counts.most_common(_WORDS)]
    found = {one.name: _each(one.measure) for one in FEATURES}
    found["different words"] = _each(lambda x, y: float(len(set(y.split()))))
    found["words said again"] = _each(lambda x, y: float(len(y.split()) - len(set(y.split()))))
    for word in common:
        found[f"the word {word}"] = _each(lambda x, y, word=word: float(y.split().count(word)))
    return found


def over_optimisation(settings: Settings, seed: int, counts: Sequence[int], work: Work) -> Case:
    """The world of `experiments overoptimisation`: the first of its reward models, and RLOO on it.

    Args:
        settings: of the experiment.
        seed: of world, policy and reward model.
        counts: responses to a prompt: of the forecast, of the outcome.
        work: what is finished.
    """
    made = runs.prepare(settings, settings.worlds[settings.main], seed, work)
    prompts = made.world.prompts
    texts = [
        runs.responses(made.folder / "policy", some, count, settings.online, 10_000 + seed + k)
        for k, (some, count) in enumerate(zip(prompts, counts, strict=True))
    ]
    rewards = [
        runs.scored(made.folder / "reward" / "seed-0", *both)
        for both in zip(prompts, texts, strict=True)
    ]
    after = {}
    for way, (stops, count) in WAYS.items():
        online = {**settings.online, **stops}
        after[way] = []
        for k in range(count):
            training = settings.training | ({"seed": seed + k * _APART} if k else {})
            own = settings.model_copy(update={"online": online, "training": training})
            found = runs.trained(own, own.arms["single"], made, work)
            after[way].append(found["texts"].tolist())
    rare = set(made.world.words[len(made.world.words) // 2 :])
    features = form(texts[0])
    features["rare words"] = _each(lambda x, y: float(sum(word in rare for word in y.split())))
    features["gold reward"] = _each(made.world.gold)
    return Case(
        "over-optimisation",
        seed,
        features,
        prompts,
        (texts[0], texts[1]),
        (rewards[0], rewards[1]),
        after,
    )


class SentimentOptions(Options):
    """The world of `experiments sentiment`, with a reward model and RLOO."""

    sentences: SentenceOptions = SentenceOptions()
    small_model: SmallModel = SmallModel(vocabulary=3072, layers=2, batch=8, epochs=1)
    truth: Truth = Truth(sentiment=6.0)
    pairs: int = 1400
    flip_rate: float = 0.2
    law: SamplingLaw = SamplingLaw(max_new_tokens=24)
    prompts: int = 120
    """Of the forecast, and of the outcome."""
    online: dict[str, Any] = Field({"algorithm": "rloo", "samples": 4})
    training: dict[str, Any] = Field(
        {
            "prompts_per_step": 8,
            "micro_batch": 32,
            "max_steps": 150,
            "learning_rate": 5.0e-4,
            "schedule": "constant_with_warmup",
            "log_every": 50,
        }
    )
    beta: float = 0.05


def sentiment(options: SentimentOptions, seed: int, counts: Sequence[int], work: Work) -> Case:
    """Labels of true sentiment, a fifth flipped, a linear head on them, and RLOO on that."""
    from surefoot.scorers.loading import load_scorer
    from surefoot.scorers.trained import rewards_of

    sentences = read_sentences(options.sentences)
    scorer = Scorer.fit(sentences)
    small = work.model(["sentiment", options.small_model.model_dump()])
    make_small_model(sentences.supervised, sentences.held_out, options.small_model, 0, small)
    rng = np.random.default_rng([seed, 1])
    pool = sentences.prompts["train"]
    train_prompts = [pool[i] for i in rng.permutation(len(pool))[: options.pairs]]
    prompts = (train_prompts[: options.prompts], sentences.prompts["test"][: options.prompts])

    def write(place: Path, some: list[str], count: int, number: int) -> Texts:
        return written(str(place), some, count, options.law, _BATCH, number)

    folder = work.model(["sentiment", seed, options.model_dump(mode="json")])
    reward, data = folder / "reward", folder / "pairs.jsonl"
    if not is_finished(reward):
        folder.mkdir(parents=True, exist_ok=True)
        drawn = np.array(write(small, train_prompts, 2, 20_000 + seed))
        found = attributes(scorer, train_prompts, drawn)
        chance = options.truth(found[:, 0], found[:, 1])
        labels = (rng.random(len(chance)) < chance).astype(float)
        pairs = pairs_of(train_prompts, drawn).with_labels(labels)
        write_preferences(flipped(pairs, options.flip_rate, seed), data)
        config = RunConfig(
            data={"train": str(data), "damaged": "keep"},
            scorer={"kind": "embedding", "head": "linear"},
            output=str(reward),
        )
        quietly(train, config, overwrite=True)
    after = {}
    for way, (stops, count) in WAYS.items():
        after[way] = []
        for k in range(count):
            name = way.partition(",")[0].replace(" ", "-") + (f"-{k}" if k else "")
            policy, number = folder / name, seed + k * _APART
            if not is_finished(policy):
                quietly(train_online, _online(options, number, folder, small, policy, stops))
            after[way].append(write(policy, prompts[1], counts[1], 40_000 + number))
    texts = [
        write(small, some, count, 30_000 + seed + k)
        for k, (some, count) in enumerate(zip(prompts, counts, strict=True))
    ]
    model = load_scorer(reward)
    rewards = []
    for some, own in zip(prompts, texts, strict=True):
        rows = list(pairs_of(some, np.array([y[:2] for y in own])).prompts())
        said = [[[{"role": "assistant", "content": text}] for text in one] for one in own]
        rewards.append(np.stack(rewards_of(model, rows, said)))
    features = form(texts[0])
    for place, name in enumerate(("true sentiment", "topic t", "topic u")):
        features[name] = lambda x, y, place=place: attributes(scorer, x, np.array(y))[..., place]
    return Case(
        "sentiment",
        seed,
        features,
        prompts,
        (texts[0], texts[1]),
        (rewards[0], rewards[1]),
        after,
    )


def _online(
    options: SentimentOptions,
    seed: int,
    folder: Path,
    start: Path,
    policy: Path,
    stops: Mapping[str, Any],
) -> OnlineConfig:
    scorer = {"kind": "policy", "model": str(start), "beta": options.beta, "max_length": 64}
    return OnlineConfig(
        data={"train": [str(folder / "pairs.jsonl")]},
        scorer={**scorer, "precision": "float32"},
        objective={
            "kind": "online",
            **options.online,
            **stops,
            "reward": str(folder / "reward"),
            "max_new_tokens": options.law.max_new_tokens,
        },
        training={"seed": seed, **options.training},
        output=str(policy),
    )


def small(settings: Settings, members: int, responses: int) -> Settings:
    """The experiment with fewer reward models and responses."""
    return settings.model_copy(update={"members": members, "responses": responses})
