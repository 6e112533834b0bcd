"""The world: a known reward, which a policy's words earn one by one.

A prompt is about one of four subjects. A response has six words. Its gold reward is the sum of the
values of its different words; a word that is said again earns nothing. A word's value has a part of
its own and a part for each subject. The policy to begin with writes words as often as Zipf's law
says, and those that it seldom writes are worse in the mean: what is out of the ordinary is mostly
bad, as it is in language. A reward model sees each of these in a few comparisons only.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import Field

from experiments.common.words import NoisyWords, save_taught
from surefoot.arrays import Floats
from surefoot.data import Preferences
from surefoot.worlds.language_model import LanguageOptions

SUBJECTS = ("garden", "kitchen", "journey", "workshop")
_OPENINGS = (
    "Tell me about",
    "Help me with",
    "I wonder about",
    "A word on",
    "Advice for",
    "What of",
)
_WHOSE = ("my", "the old", "a large", "our", "their new", "this", "your", "a small")
_BANK = """
soil oven map hammer roses flour train bench seeds spices ticket nails water butter harbour paint
light knife road glue shade salt bridge saw rain sugar coast drill path bread island wood stone milk
border rope grass pepper station wire wind honey luggage metal hedge vinegar village screw frost
yeast ferry plank moss ginger lantern hinge fern cocoa tunnel chisel ivy thyme desert lever
"""
_WORDS = _BANK.split()


class WorldOptions(NoisyWords):
    """The world."""

    length: int = Field(6, ge=2)
    """Words of a response."""
    zipf: float = Field(1.0, ge=0)
    """The k-th word is written as often as k to the power of minus this."""
    own: float = Field(1.0, gt=0)
    """Deviation of the part of a word's value that all subjects share."""
    subject: float = Field(0.5, ge=0)
    """Deviation of its part for each subject."""
    strange: float = Field(1.5, ge=0)
    """How much less the rarest word is worth in the mean than the commonest."""
    prompts: int = Field(120, ge=8)
    """Training prompts."""
    test_prompts: int = Field(60, ge=10)
    """Prompts that everything is measured on; none is in training."""
    pairs: int = Field(400, ge=20)
    """Comparisons of two responses of the policy to begin with."""
    language: LanguageOptions = LanguageOptions(vocabulary=600, width=48, layers=2, epochs=3)
    """The policy, and what reward models begin with."""


@dataclass(frozen=True)
class World:
    """What one seed draws: values of words, and prompts."""

    options: WorldOptions
    seed: int

    @cached_property
    def values(self) -> Floats:
        """Value of each word for each subject, shape (words, subjects); the commonest first."""
        rng = np.random.default_rng([self.seed, 0])
        count, o = len(_WORDS), self.options
        shared = o.own * rng.standard_normal((count, 1))
        by_subject = o.subject * rng.standard_normal((count, len(SUBJECTS)))
        return np.asarray(shared + by_subject - o.strange * np.linspace(0, 1, count)[:, None])

    @cached_property
    def words(self) -> list[str]:
        """Words in the order of their ranks."""
        return [_WORDS[i] for i in np.random.default_rng([self.seed, 1]).permutation(len(_WORDS))]

    @cached_property
    def frequencies(self) -> Floats:
        """Of the words, shape (words,)."""
        shares = np.arange(1, len(_WORDS) + 1) ** -self.options.zipf
        return np.asarray(shares / shares.sum())

    @cached_property
    def prompts(self) -> tuple[list[str], list[str]]:
        """Training and test prompts, each about a subject by turns; none is in both."""
        rng = np.random.default_rng([self.seed, 2])
        parts = [" ".join(p) for p in itertools.product(_OPENINGS, _WHOSE)]
        texts = [
            f"{parts[i]} {subject}" for i in rng.permutation(len(parts)) for subject in SUBJECTS
        ]
        test, training = self.options.test_prompts, self.options.prompts
        return texts[test : test + training], texts[:test]

    def gold(self, prompt: str, response: str) -> float:
        """What a response is worth."""
        column = SUBJECTS.index(prompt.split()[-1])
        ranks = {w: i for i, w in enumerate(self.words)}
        said = {ranks[w] for w in response.split() if w in ranks}
        return float(sum(self.values[i, column] for i in said))

    def written(self, rng: np.random.Generator) -> str:
        """What the policy to begin with is taught to write, to any prompt."""
        return " ".join(rng.choice(self.words, self.options.length, p=self.frequencies))

    def comparisons(self) -> Preferences:
        """Pairs of responses with noisy labels."""
        rng, prompts, o = np.random.default_rng([self.seed, 3]), self.prompts[0], self.options
        rows = []
        for i in range(o.pairs):
            prompt = prompts[i % len(prompts)]
            first, second = self.written(rng), self.written(rng)
            gap = self.gold(prompt, first) - self.gold(prompt, second)
            label = o.label(rng, gap)
            rows.append(
                {"prompt": prompt, "response_a": first, "response_b": second, "label": label}
            )
        return Preferences.from_rows(rows, "comparisons")

    def make_policy(self, folder: Path) -> None:
        """Teach a small model to write as :meth:`written`, and save it with its tokenizer."""
        o, rng, prompts = self.options, np.random.default_rng([self.seed, 4]), self.prompts[0]
        examples = [(prompts[i % len(prompts)], self.written(rng)) for i in range(o.supervised)]
        save_taught(folder, examples, o.language, self.seed, also=self.prompts[1])
