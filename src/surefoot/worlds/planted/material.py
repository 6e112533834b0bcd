"""Preferences as an audit sees them, as arrays, in which nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch
from scipy.special import expit, logit

from surefoot.arrays import Floats, Ints
from surefoot.auditing.embedded_prompts import EmbeddedPrompts
from surefoot.auditing.material import Names, Votes, log_odds, validated
from surefoot.auditing.two_sides import TwoSides
from surefoot.auditing.words import WordUse
from surefoot.errors import DataError
from surefoot.objectives import Evidence, Facts, Objective, Units, enforce
from surefoot.scorers import EmbeddingScorer
from surefoot.scorers.embeddings.clusters import k_means
from surefoot.scorers.embeddings.features import Embedded, FeatureMap
from surefoot.scorers.head import CrossValidation, Problem
from surefoot.worlds.planted.forms import forms
from surefoot.worlds.planted.prompts import TOPICS, PromptLaw, PromptWorld

#: Kinds of clean data: few prompts with much in common; lengths with long tails; three votes on
#: each pair; groups of which one is small; prompts in clumps of nearly the same, with a few rows of
#: thirty times the weight; topics and lengths of responses that change with time, and no taste.
Kind = Literal[
    "few prompts",
    "skewed lengths",
    "several votes",
    "unbalanced groups",
    "near-duplicates",
    "changing conditions",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

ANNOTATORS = 20
DIMENSIONS = 8


@dataclass(frozen=True)
class PlantedMaterial:
    """Material of :class:`surefoot.auditing.material.Material`, of N pairs."""

    margins_true: Floats  #: (N,) log-odds of an unflipped vote
    vectors: Floats  #: (N, 2, D) embeddings of the responses
    labels: Floats  #: (N,) as observed
    prompts: Ints  #: (N,) of each pair
    contrasts: dict[str, Floats]  #: by feature, (N,)
    groupings: dict[str, Names]  #: by column, (N,) names
    votes: Votes  #: one of a person on two responses: later ones are left out
    time: Floats  #: (N,) NaN where there is none
    weights: Floats  #: (N,) of rows
    placed: Floats  #: (N,) 1 where a response's place may have moved the label
    seed: int = 0  #: of folds and prompts
    law: PromptLaw = field(default_factory=PromptLaw)  #: of the prompts of training and deployment
    shared: Ints | None = None  #: (N, 2) responses by number, where pairs have some in common
    models: Names | None = None  #: (N, 2) names of what wrote the responses
    #: deviations by which common words of preferred responses differ from the others'
    written: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "votes", self.votes.once(self.responses))

    @property
    def responses(self) -> Ints:
        """Numbers of the responses, (N, 2), by default all different."""
        if self.shared is not None:
            return self.shared
        return np.arange(2 * len(self.labels), dtype=np.int64).reshape(-1, 2)

    def part(self, rows: Ints) -> PlantedMaterial:
        """Some of the pairs, by position."""

        def of(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: of(one) for name, one in value.items()}
            if isinstance(value, Votes):
                place = np.full(len(self.labels), -1)
                place[rows] = np.arange(len(rows))
                kept = place[value.pair] >= 0
                pair, who, votes = value.pair[kept], value.annotator[kept], value.value[kept]
                return replace(value, pair=place[pair], annotator=who, value=votes)
            return value[rows] if isinstance(value, np.ndarray) else value

        return replace(self, **{one.name: of(getattr(self, one.name)) for one in fields(self)})

    @cached_property
    def wording(self) -> WordUse:
        """Common words of either response, of which one gives the preferred one away."""
        drawn = np.random.default_rng([self.seed, 17]).normal(size=(len(self.labels), 20))
        drawn[:, 0] += self.written * np.sign(self.labels - 0.5)
        return _words(drawn)

    @cached_property
    def asked(self) -> WordUse:
        """Common words of the prompts."""
        _, prompt = np.unique(self.prompts, return_inverse=True)
        count = int(prompt.max(initial=-1)) + 1
        return _words(np.random.default_rng([self.seed, 18]).normal(size=(count, 20))[prompt])

    @property
    def authors(self) -> Names:
        """What wrote the responses, (N, 2), by default not said."""
        return np.full((len(self.labels), 2), None) if self.models is None else self.models

    @cached_property
    def problem(self) -> Problem:
        """A fit of a linear head."""
        return self.problem_of(EmbeddingScorer(), Objective())

    def problem_of(self, scorer: EmbeddingScorer, objective: Objective) -> Problem:
        """A fit of a scorer's head under an objective; a part for each source where it is asked.

        Raises:
            SurefootError: they do not go together, or ask for what these data do not have.
        """
        labels, rows, risk = torch.from_numpy(self.labels), len(self.labels), objective.risk
        names = self.groupings.get(risk.unit)
        if names is None and risk.unit != "pair":
            raise DataError(f"planted data have no column {risk.unit!r}.")
        sources = self.groupings.get("source", np.full(rows, None))
        units = None
        if names is not None:
            ids = np.unique(names.astype(str), return_inverse=True)[1]
            units = Units(torch.from_numpy(ids), int(ids.max()) + 1)
        soft = bool(((labels > 0) & (labels < 1)).any())
        enforce(
            objective,
            Facts(soft_labels=soft, columns=frozenset(self.groupings), linear=scorer.head.linear),
        )
        same = torch.zeros(rows, dtype=torch.bool)
        seen = Embedded(torch.from_numpy(self.vectors).float(), sources.tolist(), 0.0, same)
        return Problem(
            features=FeatureMap.fit(seen, scorer.source_aware, self.weights)(seen),
            objective=objective,
            evidence=Evidence(labels),
            mass=torch.from_numpy(self.weights)[:, None].double(),
            l2=torch.ones(1, dtype=torch.float64),
            seeds=(self.seed,),
            units=units,
        )

    @cached_property
    def validated(self) -> CrossValidation:
        """Margins out of fold, prompts apart, and the ridge penalty that was chosen for them."""
        return validated(self.problem, self.folds(5))

    @cached_property
    def margins(self) -> Floats:
        """Log-odds by heads that did not see the prompt."""
        return log_odds(self.problem, self.validated)

    @cached_property
    def drawn(self) -> PromptWorld:
        """The prompts of both sides, with their topics."""
        return self.law.draw(self.prompts, self.seed)

    @property
    def training(self) -> EmbeddedPrompts:
        """The distinct prompts."""
        return self.drawn.training

    @property
    def deployment(self) -> EmbeddedPrompts | None:
        """Prompts of deployment."""
        return self.drawn.deployment

    @cached_property
    def sides(self) -> TwoSides | None:
        """Prompts of both that are compared."""
        if self.deployment is None:
            return None
        return TwoSides.of(self.training, self.deployment, self.weights, self.seed)

    @property
    def clusters(self) -> int:
        """Of prompts, where they are compared."""
        return 16

    @cached_property
    def centroids(self) -> Floats:
        """Of clusters of the training prompts."""
        return k_means(self.training.vectors, self.clusters, self.seed, starts=2)

    def folds(self, count: int) -> Ints:
        """The fold of each row, prompts apart."""
        unique, index = np.unique(self.prompts, return_inverse=True)
        drawn = np.random.default_rng(self.seed).permutation(len(unique)) % count
        return drawn[index].astype(np.int64)


def _words(values: Floats) -> WordUse:
    names = tuple(f"word {k}" for k in range(values.shape[1]))
    return WordUse(np.arange(len(values)), names, values)


def clean(kind: Kind, pairs: int, rng: np.random.Generator, length: float = 0.1) -> PlantedMaterial:
    """Pairs in which nothing is wrong: every effect is at most the size that does not matter.

    Args:
        kind: of clean data.
        pairs: N.
        rng: draws them.
        length: log-odds that a standard deviation of length is worth.
    """
    few = kind == "few prompts"
    prompts = rng.integers(0, 60, pairs) if few else rng.integers(0, pairs // 2, pairs)
    vectors = rng.normal(size=(pairs, 2, DIMENSIONS))
    taste = np.full(DIMENSIONS, 1.2 / np.sqrt(2 * DIMENSIONS))
    lengths = rng.normal(size=pairs)
    if few:
        lengths += rng.normal(size=60)[prompts] * 0.5
    if kind == "skewed lengths":
        lengths = rng.gamma(0.5, size=pairs) * rng.choice([-1, 1], pairs)
    lengths /= lengths.std()
    margins = (vectors[:, 0] - vectors[:, 1]) @ taste
    contrasts = forms(lengths, rng)
    refusals = contrasts["refusal"] / contrasts["refusal"].std()
    # The slope alone is smaller than with the taste held fixed; this makes up for it.
    kept = np.sqrt(1 + np.pi / 8 * margins.var())
    margins = margins + kept * (length * lengths + 0.1 * refusals)
    if kind == "several votes":  # each vote is turned round with just the rate that may be
        margins = logit(1 - 0.05) * np.where(rng.random(pairs) < expit(margins), 1, -1)
    share = 0.1 if kind == "unbalanced groups" else 0.5
    groups = np.where(rng.random(pairs) < share, "rare", "common").astype(object)
    world = PlantedMaterial(
        margins_true=margins,
        vectors=vectors,
        labels=np.zeros(pairs),
        prompts=prompts.astype(np.int64),
        contrasts=contrasts,
        groupings={"group": groups},
        votes=Votes(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)),
        time=rng.random(pairs),
        weights=np.ones(pairs),
        placed=np.full(pairs, float(kind in ("several votes", "unbalanced groups"))),
        seed=int(rng.integers(2**31)),
    )
    if kind == "near-duplicates":
        heavy = np.where(rng.random(pairs) < 0.01, 30.0, 1.0)
        world = replace(world, weights=heavy, law=PromptLaw(alike=5))
    if kind == "changing conditions":
        world = _changing(world, kept * length, rng)
    each = 3 if kind == "several votes" else 1
    return voted(world, each, rng)


def _changing(world: PlantedMaterial, slope: float, rng: np.random.Generator) -> PlantedMaterial:
    """The world with topics that come one after another, and responses that get longer."""
    time = (world.drawn.topics / TOPICS + rng.random(len(world.labels))) / 2
    before = world.contrasts["length"]
    lengths = before * (0.5 + time)
    lengths /= np.sqrt(np.mean(lengths**2))
    return replace(
        world,
        time=time,
        contrasts=world.contrasts | {"length": lengths},
        margins_true=world.margins_true + slope * (lengths - before),
    )


def voted(
    world: PlantedMaterial,
    each: int,
    rng: np.random.Generator,
    flip: Callable[[Ints, Ints], Floats] | None = None,
    wanted: Callable[[Ints, Ints], Floats] | None = None,
    annotators: int = ANNOTATORS,
) -> PlantedMaterial:
    """The world with votes drawn anew, of annotators who are all alike but for what is given.

    Args:
        world: gives the margins.
        each: votes on a pair; of 1, labels are single and nobody is named.
        rng: draws them.
        flip: chance that votes (of these pairs, by these annotators) are turned round.
        wanted: log-odds of such votes before that, where they are not the world's margins.
        annotators: how many there are.
    """
    pair = np.repeat(np.arange(len(world.labels)), each)
    who = np.argsort(rng.random((len(world.labels), annotators)), axis=1)[:, :each].reshape(-1)
    margins = world.margins_true[pair] if wanted is None else wanted(pair, who)
    value = rng.random(len(pair)) < expit(margins)
    if flip is not None:
        value ^= rng.random(len(pair)) < flip(pair, who)
    labels = np.bincount(pair, value, len(world.labels)) / each
    votes = world.votes
    if each > 1:
        names = tuple(f"annotator {i:02d}" for i in range(annotators))
        votes = Votes(pair, who.astype(np.int64), value.astype(np.float64), names)
    return replace(world, labels=labels, votes=votes)
