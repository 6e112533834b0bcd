"""The truth of any text that is made of a text world's sentences: its parts, and what they add to.

Responses of the pool are judged as the pool knows them, to the letter. A text that a model wrote is
cut into sentences, and each is looked up in the banks:

* advice of the prompt's topic, about its subject where it names one, is specific: worth 1;
* any other advice, also about another subject of the same topic, is off-topic: worth -1;
* empty phrases are worth 0, dismissals -1, filler nothing;
* a sentence said again adds nothing, save that filler makes the text longer once more;
* what is in no bank (a broken or unfinished sentence) is counted, and judged by nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from surefoot.worlds.bank import DISMISSIVE, FILLER, HURRY, TOPICS, VAGUE
from surefoot.worlds.pool import WORTH


@dataclass(frozen=True)
class TextTruth:
    """What a text says."""

    quality: int  #: worth of its sentences
    filler: int  #: sentences of filler
    content: int  #: sentences of content, each once
    repeated: int  #: sentences of content that were said before
    unknown: int  #: sentences that the world does not have

    @property
    def sentences(self) -> int:
        """Number of sentences of all kinds."""
        return self.filler + self.content + self.repeated + self.unknown


def truth_of(prompt: str, response: str) -> TextTruth:
    """What a response says to a prompt of a text world.

    Raises:
        KeyError: no text world has this prompt.
    """
    topic, subject = _questions()[prompt]
    seen: set[str] = set()
    quality = filler = repeated = unknown = 0
    for sentence in filter(None, _ENDS.split(response.strip())):
        if sentence in _BANK_OF_FILLER:
            filler += 1
        elif sentence in seen:
            repeated += 1
        elif (kind := _kind(sentence, topic, subject)) is None:
            unknown += 1
        else:
            seen.add(sentence)
            quality += WORTH[kind]
    return TextTruth(quality, filler, len(seen), repeated, unknown)


_BANK_OF_FILLER = frozenset(FILLER)
_ENDS = re.compile(r"(?<=[.?!])\s+")


def _kind(sentence: str, topic: str, subject: str) -> str | None:
    if sentence in VAGUE:
        return "vague"
    if sentence in DISMISSIVE:
        return "dismissive"
    about = _advice().get(sentence)
    if about is None:
        return None
    return "specific" if about in ((topic, None), (topic, subject)) else "off-topic"


@cache
def _advice() -> dict[str, tuple[str, str | None]]:
    """Every sentence of advice: its topic, and its subject where it names one."""
    return {
        sentence.format(subject=subject): (name, subject if "{subject}" in sentence else None)
        for name, topic in TOPICS.items()
        for sentence in topic.advice
        for subject in topic.subjects
    }


@cache
def _questions() -> dict[str, tuple[str, str]]:
    """Every prompt, asked with time or in a hurry: its topic and subject."""
    return {
        form.format(question=question.format(subject=subject)): (name, subject)
        for name, topic in TOPICS.items()
        for question in topic.questions
        for subject in topic.subjects
        for form in ("{question}", *HURRY)
    }
