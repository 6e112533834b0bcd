"""Edits of a prompt or response by rule, each with what a sound reward does when it is made.

Three lists: what leaves the meaning as it is (*same*), what hardly touches it (*close*), and what
makes a response worse (*lower*). Source: reWordBench (arXiv 2503.11751), whose transformations of
texts lowered the accuracy of reward models; a response beside another prompt is that of RRM
(arXiv 2409.13156).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surefoot.arrays import Ints
from surefoot.data.text import Message, Prompt

Expects = Literal["same", "close", "lower"]

_MARKS = re.compile(r"^[^\S\n]*#{1,6}\s+|^([^\S\n]*)[*+-]\s+|\*\*|__|`", re.MULTILINE)
_HEADING = re.compile(r"^(\s{0,3}#{1,6}\s+)(\S.*)$", re.MULTILINE)
_BULLET = re.compile(r"^([^\S\n]*)-(?=\s)", re.MULTILINE)
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_CODE = re.compile(r"```|^(?: {4}|\t)", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'“])")
#: Words that a paragraph begins with which goes on from the one before.
_GOES_ON = re.compile(
    r"(?:\d|[-*+#|>]|and|but|or|so|then|next|also|however|therefore|thus|hence|finally|first|second"
    r"|third|lastly|moreover|furthermore|additionally|besides|in (?:addition|conclusion|summary)"
    r"|this|that|these|those|it|they|he|she|such|for example|for instance|overall|sure|here)\b",
    re.IGNORECASE,
)
Apply = Callable[[Prompt, str, np.random.Generator], tuple[Prompt, str] | None]
POLITE = "Could you please help me with this? "
SYSTEM = "You are a helpful assistant."
CLOSING = "I hope this helps! Let me know if you have any other questions."


@dataclass(frozen=True)
class Edit:
    """A rule that changes a prompt and its response."""

    name: str  #: in results
    expects: Expects  #: what a sound reward does
    #: prompt and response after the edit; None where there is nothing to change
    apply: Apply


def _response(rule: Callable[[str, np.random.Generator], str]) -> Apply:
    """An edit of the response alone, where the rule changes something."""

    def apply(prompt: Prompt, response: str, rng: np.random.Generator) -> tuple[Prompt, str] | None:
        changed = rule(response, rng)
        return None if changed == response else (prompt, changed)

    return apply


# Same


def _spaces(text: str, rng: np.random.Generator) -> str:
    """A space at the end of every line that is not empty."""
    del rng
    if _CODE.search(text):
        return text
    return re.sub(r"(?<=\S)(?=\n|$)", " ", text)


def _decomposed(text: str, rng: np.random.Generator) -> str:
    """Letters with accents as letter and accent (NFD), which look the same."""
    del rng
    return unicodedata.normalize("NFD", text)


def _curly(text: str, rng: np.random.Generator) -> str:
    """Straight quotes as typographic ones, outside code."""
    del rng
    if _CODE.search(text) or "`" in text:
        return text
    text = re.sub(r'(^|[\s(\[])"', "\\1“", text, flags=re.MULTILINE).replace('"', "”")
    return text.replace("'", "’")


def _plain(text: str, rng: np.random.Generator) -> str:
    """Without marks of headings, lists, bold and inline code; tables and blocks stay."""
    del rng
    return text if "```" in text else _MARKS.sub(lambda found: found.group(1) or "", text)


def _other_marks(text: str, rng: np.random.Generator) -> str:
    """Markdown with its other marks: a list with stars, bold with underscores."""
    del rng
    return text if _CODE.search(text) else _BOLD.sub(r"__\1__", _BULLET.sub(r"\1*", text))


def _headings(text: str, rng: np.random.Generator) -> str:
    """Headings in capitals."""
    del rng
    return _HEADING.sub(lambda found: found.group(1) + found.group(2).upper(), text)


# Close


def _typos(text: str, rng: np.random.Generator) -> str:
    """Two neighbouring letters exchanged, one place for each hundred characters or part of it."""
    places = [i for i in range(len(text) - 1) if text[i].isalpha() and text[i + 1].isalpha()]
    places = [i for i in places if text[i] != text[i + 1]]
    count = min(-(-len(text) // 100), len(places))
    letters = list(text)
    for i in rng.choice(places, count, replace=False) if count else ():
        letters[i], letters[i + 1] = letters[i + 1], letters[i]
    return "".join(letters)


def _other_order(text: str, rng: np.random.Generator) -> str:
    """Paragraphs in another order, where none but the first goes on from the one before."""
    parts = text.split("\n\n")
    if len(parts) < 3 or "```" in text or any(_GOES_ON.match(part) for part in parts[1:]):
        return text
    return "\n\n".join([parts[0], *_moved(parts[1:], rng)])


def _asked(prompt: Prompt, response: str, rng: np.random.Generator) -> tuple[Prompt, str] | None:
    """The last thing that a user says, as a polite request."""
    del rng
    users = [i for i, turn in enumerate(prompt.prompt) if turn["role"] == "user"]
    if not users or not prompt.prompt[users[-1]]["content"].strip():
        return None
    turns = list(prompt.prompt)
    turns[users[-1]] = {**turns[users[-1]], "content": POLITE + turns[users[-1]]["content"]}
    return prompt._replace(prompt=turns), response


def _with_system(
    prompt: Prompt, response: str, rng: np.random.Generator
) -> tuple[Prompt, str] | None:
    """A system's turn before the others of a conversation, where there is none."""
    del rng
    if not prompt.conversational or not prompt.prompt or prompt.prompt[0]["role"] == "system":
        return None
    turns = [Message(role="system", content=SYSTEM), *prompt.prompt]
    return prompt._replace(prompt=turns), response


# Lower


def _first_half(text: str, rng: np.random.Generator) -> str:
    """The first half of the words, of twenty or more."""
    del rng
    words = list(re.finditer(r"\S+", text))
    return text if len(words) < 20 else text[: words[len(words) // 2 - 1].end()]


def _shuffled(text: str, rng: np.random.Generator) -> str:
    """Sentences in another order, of four or more."""
    parts = _SENTENCE.split(text)
    return text if len(parts) < 4 else " ".join(_moved(parts, rng))


def _twice(text: str, rng: np.random.Generator) -> str:
    """The response, and then again."""
    del rng
    return f"{text}\n\n{text}" if text.strip() else text


def _closed(text: str, rng: np.random.Generator) -> str:
    """With a phrase at its end that says nothing."""
    del rng
    return text if CLOSING in text or not text.strip() else f"{text}\n\n{CLOSING}"


def _moved(parts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """In an order of which nothing stands where it was (a random cycle, by Sattolo)."""
    order = list(parts)
    for i in range(len(order) - 1, 0, -1):
        j = int(rng.integers(0, i))
        order[i], order[j] = order[j], order[i]
    return order


EDITS = (
    Edit("spaces at line ends", "same", _response(_spaces)),
    Edit("accents apart (NFD)", "same", _response(_decomposed)),
    Edit("curly quotes", "same", _response(_curly)),
    Edit("markdown to plain", "same", _response(_plain)),
    Edit("markdown's other marks", "same", _response(_other_marks)),
    Edit("headings in capitals", "same", _response(_headings)),
    Edit("typos, one in 100 characters", "close", _response(_typos)),
    Edit("a polite request", "close", _asked),
    Edit("paragraphs in another order", "close", _response(_other_order)),
    Edit("a system prompt", "close", _with_system),
    Edit("a closing phrase", "close", _response(_closed)),
    Edit("the first half alone", "lower", _response(_first_half)),
    Edit("sentences shuffled", "lower", _response(_shuffled)),
    Edit("said twice", "lower", _response(_twice)),
)


def another_prompts(keys: Ints, rng: np.random.Generator) -> Ints:
    """For each of N rows the position of one whose prompt is another; -1 where there is none.

    Args:
        keys: of the rows' prompts, (N,).
        rng: draws the positions.
    """
    _, index = np.unique(keys, return_inverse=True)
    place = np.argsort(index, kind="stable")
    count = np.bincount(index)
    if len(count) < 2:
        return np.full(len(index), -1, dtype=np.int64)
    # in rows sorted by prompt, any step from a block's end that does not come round to the block
    start = np.r_[0, np.cumsum(count)[:-1]]
    step = rng.integers(0, len(index) - count[index])
    return np.asarray(place[(start[index] + count[index] + step) % len(index)], dtype=np.int64)
