"""The world: groups of prompts of unequal share and difficulty, and a known reward.

A prompt is about one of three topics. A response has five words. Its true reward is the number of
different words of the prompt's topic, less the number of words of other topics; all other words
are worth nothing. The policy to begin with writes words of the topic often where prompts are many,
and rarely where they are few: the smallest group has the longest way to go.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.words import NoisyWords, save_taught
from surefoot.data import Preferences
from surefoot.worlds.language_model import LanguageOptions

#: Words of each topic, and things that prompts of it are about.
TOPICS = {
    "garden": ("soil roses compost seeds pruning mulch", "lawn hedge orchard pond"),
    "kitchen": ("oven flour simmer spices butter knife", "soup pastry stew salad"),
    "travel": ("train passport hostel luggage airport map", "island city border coast"),
}
_FILLER = ["maybe", "things", "perhaps", "people", "usually", "something", "often", "whatever"]
_ASKED = (("Tell me about", "Help me with", "I wonder about", "A word on", "Advice for"),
          ("my", "the old", "a large", "our", "their new", "this"))  # fmt: skip
_WORDS = {topic: tuple(words.split()) for topic, (words, _) in TOPICS.items()}


class WorldOptions(NoisyWords):
    """The world."""

    shares: tuple[float, float, float] = (0.7, 0.2, 0.1)
    """Of the prompts, by topic."""
    begin: tuple[float, float, float] = (0.45, 0.25, 0.08)
    """Share of words of the topic in what the policy writes to begin with."""
    astray: float = Field(0.2, ge=0, lt=1)
    """Share of words of other topics."""
    prompts: int = Field(160, ge=10)
    """Training prompts."""
    test_prompts: int = Field(40, ge=10)
    """Test prompts of each topic."""
    pairs: int = Field(2400, ge=20)
    """Comparisons of two responses of the policy to begin with."""
    language: LanguageOptions = LanguageOptions(vocabulary=420, width=48, layers=2, epochs=3)
    """The policy."""


@dataclass(frozen=True)
class Asked:
    """A prompt and its topic."""

    text: str
    topic: str


def true_reward(topic: str, response: str) -> float:
    """What a response is worth to a prompt of this topic.

    >>> true_reward("garden", "soil soil roses oven people")
    1.0
    """
    words = [word.strip(".,").lower() for word in response.split()]
    own = {word for word in words if word in _WORDS[topic]}
    others = [w for other, bank in _WORDS.items() if other != topic for w in words if w in bank]
    return float(len(own) - len(others))


def asked(options: WorldOptions, rng: np.random.Generator) -> tuple[list[Asked], list[Asked]]:
    """Training prompts in their shares, and as many test prompts of each topic; none is in both."""
    training, test = [], []
    for topic, share in zip(TOPICS, options.shares, strict=True):
        things = TOPICS[topic][1].split()
        texts = [" ".join(parts) for parts in itertools.product(*_ASKED, things)]
        order = [texts[i] for i in rng.permutation(len(texts))]
        test += [Asked(text, topic) for text in order[: options.test_prompts]]
        count = max(1, round(share * options.prompts))
        rest = order[options.test_prompts :]
        training += [Asked(rest[i % len(rest)], topic) for i in range(count)]
    return list(dict.fromkeys(training)), test


def written(options: WorldOptions, prompt: Asked, rng: np.random.Generator) -> str:
    """What the policy to begin with is taught to write."""
    own = dict(zip(TOPICS, options.begin, strict=True))[prompt.topic]
    others = [w for topic, bank in _WORDS.items() if topic != prompt.topic for w in bank]
    words = []
    for _ in range(5):
        at = rng.random()
        bank: Sequence[str] = _FILLER
        if at < own:
            bank = _WORDS[prompt.topic]
        elif at < own + options.astray:
            bank = others
        words.append(str(rng.choice(bank)))
    return " ".join(words)


def comparisons(
    options: WorldOptions, prompts: Sequence[Asked], rng: np.random.Generator
) -> Preferences:
    """Pairs of responses with noisy labels; every prompt occurs, in its group's share."""
    rows: list[dict[str, Any]] = []
    for i in range(options.pairs):
        prompt = prompts[i % len(prompts)]
        first, second = (written(options, prompt, rng) for _ in range(2))
        gap = true_reward(prompt.topic, first) - true_reward(prompt.topic, second)
        label = options.label(rng, gap)
        rows.append(
            {
                "prompt": prompt.text,
                "response_a": first,
                "response_b": second,
                "label": label,
                "group": prompt.topic,
                "source": prompt.topic,
            }
        )
    return Preferences.from_rows(rows, "comparisons")


def make_policy(options: WorldOptions, prompts: Sequence[Asked], seed: int, folder: Path) -> None:
    """Teach a small model to write as :func:`written`, and save it with its tokenizer."""
    rng = np.random.default_rng(seed)
    chosen = [prompts[i % len(prompts)] for i in range(options.supervised)]
    examples = [(prompt.text, written(options, prompt, rng)) for prompt in chosen]
    save_taught(folder, examples, options.language, seed)
