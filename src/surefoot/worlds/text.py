"""A small world of English text in which the truth is known.

People ask about several topics. A response has three sentences of content (specific advice, empty
phrases, dismissals, advice about something else), whose worth adds up to its quality, and up to
five sentences of filler, which make it longer and nothing else. The true reward is

    reward = steepness * quality                         for ordinary questions,
    reward = steepness * quality - brevity * filler      for people in a hurry, a rare group,

and the true P(a preferred) is Bradley-Terry on it. Annotators' labels are drawn from that truth
and then flipped at a known rate. In training, pairs of ordinary questions are drawn so that the
longer response is mostly the better one, although nobody likes length; in deployment it is mostly
the worse one. The rare group is the only one in which length matters, and it matters against the
grain of the training pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from surefoot.errors import ConfigurationError
from surefoot.options import Options
from surefoot.worlds.bank import TOPICS
from surefoot.worlds.pairs import Damaged, WorldPairs, damaged
from surefoot.worlds.pool import RARE, PoolPrompt, prompts

Split = Literal["training", "test"]
#: How length goes with quality in the pairs of ordinary questions.
Setting = Literal["training", "deployment"]

_STREAMS = ("pool", "training", "test", "damage")
#: Two responses to one prompt: positions of it and of both, their true rewards, their sentences of
#: filler, and whether the prompt is of the rare group.
_PAIR = np.dtype(
    [
        ("prompt", np.int64),
        ("sides", np.int64, 2),
        ("rewards", np.float64, 2),
        ("filler", np.int64, 2),
        ("rare", np.bool_),
    ]
)
#: M pairs, shape (M,) of :data:`_PAIR`.
_Pairs = npt.NDArray[Any]


class TextWorld(Options):
    """A text world; equal options make equal worlds, to the letter."""

    seed: int = Field(0, ge=0)
    """Seed of the prompts and responses, and of the test pairs."""
    topics: tuple[str, ...] = tuple(TOPICS)
    """Topics that people ask about: the `source` of a row."""
    training_prompts: int = Field(28, ge=2)
    """Ordinary training prompts of each topic."""
    test_prompts: int = Field(12, ge=2)
    """Ordinary test prompts of each topic."""
    rare_prompts: int = Field(5, ge=1)
    """Prompts in a hurry of each topic, in training and again in test."""
    responses: int = Field(12, ge=4)
    """Responses to each prompt."""
    pairs: int = Field(4000, ge=50)
    """Training pairs of one draw."""
    test_pairs: int = Field(1000, ge=50)
    """Pairs of each test set."""
    rare_share: float = Field(0.08, gt=0, lt=1)
    """Share of the rare group, people in a hurry, among pairs."""
    steepness: float = Field(1.0, gt=0)
    """Reward of one sentence of specific advice."""
    brevity: float = Field(2.0, ge=0)
    """What a sentence of filler costs in the rare group."""
    confounding: float = Field(0.8, ge=0, lt=1)
    """Longer is better in (1 + c) / 2 of the ordinary training pairs, (1 - c) / 2 in deployment."""
    flip_rate: float = Field(0.2, ge=0, lt=0.5)
    """Probability that a label is flipped."""

    @model_validator(mode="after")
    def _enough_questions(self) -> Self:
        for topic in self.topics:
            if topic not in TOPICS:
                raise ConfigurationError(f"no topic {topic!r}; there are {', '.join(TOPICS)}.")
            most = len(TOPICS[topic].questions) * len(TOPICS[topic].subjects)
            asked = self.training_prompts + self.test_prompts + 2 * self.rare_prompts
            if asked > most:
                raise ConfigurationError(
                    f"{asked} prompts of the topic {topic!r} are asked for; there are {most}."
                )
        return self

    def training(self, draw: int = 0) -> WorldPairs:
        """Training pairs with noisy labels; each draw has new pairs and new labels."""
        return self._pairs(f"training {draw}", "training", "training", draw, self.pairs)

    def test(self, setting: Setting = "training") -> WorldPairs:
        """Pairs of prompts that training never sees; length goes with quality as in `setting`."""
        name = "shifted" if setting == "deployment" else "test"
        return self._pairs(name, "test", setting, 0, self.test_pairs)

    def groups_alike(self) -> WorldPairs:
        """Test pairs as in training, but half of them of the rare group."""
        return self._pairs("groups alike", "test", "training", 1, self.test_pairs, 0.5)

    def tests(self) -> dict[str, WorldPairs]:
        """Every test set by name: as in training, with length reversed, and with groups alike."""
        return {
            "test": self.test(),
            "shifted": self.test("deployment"),
            "alike": self.groups_alike(),
        }

    def damaged(self, draw: int = 0, each: int = 8) -> Damaged:
        """Training pairs with `each` rows of each kind of damage among them."""
        return damaged(self.training(draw), each, self._rng("damage", draw))

    @cached_property
    def prompts(self) -> dict[Split, tuple[PoolPrompt, ...]]:
        """The pool: training and test prompts, which are disjoint, with their responses."""
        rng = self._rng("pool", 0)
        by_split: dict[Split, list[PoolPrompt]] = {"training": [], "test": []}
        for topic in self.topics:
            ordinary, hurried = prompts(
                rng,
                topic,
                self.training_prompts + self.test_prompts,
                2 * self.rare_prompts,
                self.responses,
            )
            by_split["training"] += ordinary[: self.training_prompts] + hurried[: self.rare_prompts]
            by_split["test"] += ordinary[self.training_prompts :] + hurried[self.rare_prompts :]
        return {split: tuple(some) for split, some in by_split.items()}

    def reward(self, prompt: PoolPrompt, response: int) -> float:
        """True reward of a response (by position) to a prompt."""
        one = prompt.responses[response]
        cost = self.brevity if prompt.group == RARE else 0.0
        return self.steepness * one.quality - cost * one.filler

    def _pairs(
        self,
        name: str,
        split: Split,
        setting: Setting,
        number: int,
        count: int,
        rare_share: float | None = None,
    ) -> WorldPairs:
        rng = self._rng(split, number)
        sign = 1 if setting == "training" else -1
        pairs = _drawn(
            rng,
            self._candidates[split],
            count,
            rare=round(count * (self.rare_share if rare_share is None else rare_share)),
            longer_is_better=(1 + sign * self.confounding) / 2,
        )
        gain = pairs["rewards"][:, 0] - pairs["rewards"][:, 1]
        first = rng.random(count) < 1 / (1 + np.exp(-gain))
        flipped = rng.random(count) < self.flip_rate
        rows = []
        for i, (position, (a, b)) in enumerate(zip(pairs["prompt"], pairs["sides"], strict=True)):
            prompt = self.prompts[split][position]
            rows.append(
                {
                    "id": f"{name.replace(' ', '-')}-{i}",
                    "prompt": prompt.text,
                    "response_a": prompt.responses[a].text,
                    "response_b": prompt.responses[b].text,
                    "label": float(first[i] ^ flipped[i]),
                    "group": prompt.group,
                    "source": prompt.topic,
                }
            )
        return WorldPairs(name, tuple(rows), pairs["rewards"], flipped, pairs["filler"])

    @cached_property
    def _candidates(self) -> dict[Split, _Pairs]:
        return {split: _every_pair(some, self.reward) for split, some in self.prompts.items()}

    def _rng(self, stream: str, draw: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, _STREAMS.index(stream), draw])


def _every_pair(
    prompts: Sequence[PoolPrompt], reward: Callable[[PoolPrompt, int], float]
) -> _Pairs:
    """All pairs of different rewards, under a reward of (prompt, position of the response)."""
    found = []
    for i, prompt in enumerate(prompts):
        for sides in combinations(range(len(prompt.responses)), 2):
            rewards = tuple(reward(prompt, side) for side in sides)
            filler = tuple(prompt.responses[side].filler for side in sides)
            found.append((i, sides, rewards, filler, prompt.group == RARE))
    pairs = np.array(found, dtype=_PAIR)
    return pairs[np.diff(pairs["rewards"])[:, 0] != 0]


def _drawn(
    rng: np.random.Generator, pairs: _Pairs, count: int, rare: int, longer_is_better: float
) -> _Pairs:
    """Some pairs, without replacement, in random order and each turned at random.

    Args:
        rng: what is random.
        pairs: to draw from.
        count: number of pairs.
        rare: how many of them are of the rare group.
        longer_is_better: share of the others whose response with more filler is better.

    Raises:
        ConfigurationError: the pool has too few pairs of a kind.
    """
    gain = np.sign(np.diff(pairs["rewards"])[:, 0] * np.diff(pairs["filler"])[:, 0])
    longer = round((count - rare) * longer_is_better)
    kinds = [
        (pairs["rare"], rare, "of the rare group"),
        (~pairs["rare"] & (gain > 0), longer, "whose longer response is better"),
        (~pairs["rare"] & (gain < 0), count - rare - longer, "whose longer response is worse"),
    ]
    chosen = []
    for members, size, name in kinds:
        places = np.flatnonzero(members)
        if size > len(places):
            raise ConfigurationError(
                f"{size} pairs {name} are asked for and the pool has {len(places)}: ask for fewer "
                "pairs, more prompts or more responses."
            )
        chosen.append(rng.permutation(places)[:size])
    drawn = pairs[rng.permutation(np.concatenate(chosen))]
    turned = rng.integers(2, size=count) == 1
    for name in ("sides", "rewards", "filler"):
        drawn[name][turned] = drawn[name][turned][:, ::-1]
    return drawn
