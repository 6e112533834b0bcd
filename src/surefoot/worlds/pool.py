"""The pool of a text world: prompts, and for each some responses of known quality and length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.worlds.bank import DISMISSIVE, FILLER, HURRY, TOPICS, VAGUE

#: The two groups of people who ask.
COMMON, RARE = "patient", "in a hurry"
#: Sentences of content in each response; its quality is the sum of what they are worth.
CORE = 3
#: Most sentences of filler in a response.
MOST_FILLER = 5
#: What a sentence of each kind of content is worth, and how often it is drawn.
WORTH = {"specific": 1, "vague": 0, "dismissive": -1, "off-topic": -1}
FREQUENCY = (0.4, 0.25, 0.15, 0.2)


@dataclass(frozen=True)
class Response:
    """A text whose quality is known: content worth `quality`, and `filler` idle sentences."""

    text: str
    quality: int
    filler: int


@dataclass(frozen=True)
class PoolPrompt:
    """A question, the group it belongs to, and the responses to choose from."""

    text: str
    topic: str
    group: str
    responses: tuple[Response, ...]


def prompts(
    rng: np.random.Generator, topic: str, ordinary: int, hurried: int, responses: int
) -> tuple[list[PoolPrompt], list[PoolPrompt]]:
    """Distinct prompts of one topic: some ordinary ones, and some by people in a hurry."""
    bank = TOPICS[topic]
    asked = [(question, subject) for question in bank.questions for subject in bank.subjects]
    order = rng.permutation(len(asked))[: ordinary + hurried]
    pool = []
    for place, i in enumerate(order):
        question, subject = asked[i]
        text = question.format(subject=subject)
        hurry = place >= ordinary
        if hurry:
            text = HURRY[place % len(HURRY)].format(question=text)
        answers = tuple(_responses(rng, topic, subject, responses))
        pool.append(PoolPrompt(text, topic, RARE if hurry else COMMON, answers))
    return pool[:ordinary], pool[ordinary:]


def _responses(rng: np.random.Generator, topic: str, subject: str, count: int) -> list[Response]:
    """Distinct responses, whose quality and amount of filler are independent."""
    responses: dict[str, Response] = {}
    while len(responses) < count:
        filler = len(responses) % (MOST_FILLER + 1)  # every amount equally often
        kinds = [list(WORTH)[k] for k in rng.choice(len(WORTH), CORE, p=FREQUENCY)]
        core = _core(rng, kinds, topic, subject)
        text = " ".join(_padded(rng, core, filler))
        responses.setdefault(text, Response(text, sum(WORTH[kind] for kind in kinds), filler))
    return list(responses.values())


def _core(rng: np.random.Generator, kinds: Sequence[str], topic: str, subject: str) -> list[str]:
    """One sentence of each kind, no sentence twice."""
    other_topics = [name for name in TOPICS if name != topic]
    chosen: list[str] = []
    while len(chosen) < len(kinds):
        match kinds[len(chosen)]:
            case "specific":
                sentence = _pick(rng, TOPICS[topic].advice).format(subject=subject)
            case "off-topic":
                other = TOPICS[_pick(rng, other_topics)]
                sentence = _pick(rng, other.advice).format(subject=_pick(rng, other.subjects))
            case "vague":
                sentence = _pick(rng, VAGUE)
            case _:
                sentence = _pick(rng, DISMISSIVE)
        if sentence not in chosen:
            chosen.append(sentence)
    return chosen


def _padded(rng: np.random.Generator, core: list[str], filler: int) -> list[str]:
    """The content in its order, with idle sentences anywhere between."""
    idle = [FILLER[i] for i in rng.permutation(len(FILLER))[:filler]]
    is_core = rng.permutation(len(core) + filler) < len(core)
    sources = {True: iter(core), False: iter(idle)}
    return [next(sources[bool(one)]) for one in is_core]


def _pick(rng: np.random.Generator, bank: Sequence[str]) -> str:
    return bank[int(rng.integers(len(bank)))]
