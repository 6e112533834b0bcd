"""From the reply of an endpoint to P(the first response is preferred)."""

from __future__ import annotations

import math
import re
from typing import Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from surefoot.auxiliary.judge.errors import JudgeError, UnusableError

#: Goes up when the same reply is read differently.
READING = 1

#: A first word is a verdict if A, B and tie have at least this share of its probability.
LEAST_MASS = 0.5

Verdict = Literal["a", "b", "tie"]

_CHANCE: dict[str, float] = {"a": 1.0, "b": 0.0, "tie": 0.5}
_LINE = re.compile(
    r"\W*(?:(?:my |the |final )*(?:verdict|answer)(?: is)?\W+)?(?:response )?(a|b|tie)\W*",
    re.IGNORECASE,
)


class Answer(NamedTuple):
    """What is kept of a reply.

    Attributes:
        probability: P(first preferred), in [0, 1].
        text: what the model wrote.
        tokens_in: tokens of the question, as the endpoint counts them; 0 where it does not say.
        tokens_out: tokens of the answer.
    """

    probability: float
    text: str
    tokens_in: int
    tokens_out: int


class _Alternative(BaseModel):
    token: str
    logprob: float


class _Token(_Alternative):
    top_logprobs: list[_Alternative] = []


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Reply(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


def read_reply(body: str, answer: Literal["logprobs", "text"]) -> Answer:
    """The answer in the body of a reply.

    Raises:
        UnusableError: it is no chat completion, or no verdict; the message quotes it.
        JudgeError: log-probabilities are asked for and the endpoint gives none.
    """
    try:
        reply = _Reply.model_validate_json(body)
    except ValidationError:
        raise UnusableError(f"the reply is no chat completion: {excerpt(body)}") from None
    if not reply.choices:
        raise UnusableError(f"the reply holds no choice: {excerpt(body)}")
    choice, usage = reply.choices[0], reply.usage or _Usage()
    text = choice.message.content or ""
    if not text.strip():
        raise UnusableError(_silence(choice))
    if answer == "text":
        probability = chance_of_text(text, choice.finish_reason == "length")
    else:
        tokens = choice.logprobs.content if choice.logprobs else None
        if not tokens or not any(token.top_logprobs for token in tokens):
            raise JudgeError(
                "the endpoint gives no log-probabilities. Set `answer: text` to go by the verdict."
            )
        probability = chance_of_tokens(tokens)
    return Answer(probability, text, usage.prompt_tokens, usage.completion_tokens)


def chance_of_text(text: str, cut: bool = False) -> float:
    """1, 0 or 1/2 for the verdict A, B or tie that stands alone on the first or the last line.

    >>> [chance_of_text(text) for text in ("A", "**B**.", "Final answer: tie")]
    [1.0, 0.0, 0.5]

    Args:
        text: what the model wrote.
        cut: whether it was stopped at its length, for the message.

    Raises:
        UnusableError: no verdict, or two that differ.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    matches = [_LINE.fullmatch(line) for line in (lines[0], lines[-1])]
    found = {match[1].lower() for match in matches if match}
    if len(found) == 1:
        return _CHANCE[found.pop()]
    hint = "; it was cut at `max_tokens`" if cut else ""
    raise UnusableError(f"the answer is no verdict (A, B or tie): {excerpt(text)}{hint}")


def chance_of_tokens(tokens: list[_Token]) -> float:
    """(q(A) + q(tie) / 2) / (q(A) + q(B) + q(tie)) at the first token that has a letter.

    q(v) is the probability of all tokens that read v, among those that the endpoint lists; a token
    that begins `tie` reads tie.

    Raises:
        UnusableError: no such token, or the verdicts have less than half of the probability.
    """
    first = next((token for token in tokens if _letters(token.token)), None)
    if first is None:
        raise UnusableError("the answer begins with no word")
    mass = dict.fromkeys(_CHANCE, 0.0)
    for alternative in first.top_logprobs:
        verdict = _verdict(alternative.token)
        if verdict and not math.isnan(alternative.logprob):
            mass[verdict] += math.exp(min(alternative.logprob, 0.0))
    total = sum(mass.values())
    if total < LEAST_MASS:
        raise UnusableError(
            f"the answer begins with {first.token!r}; A, B and tie have {total:.2f} of the "
            "probability there"
        )
    return sum(_CHANCE[verdict] * q for verdict, q in mass.items()) / total


def _letters(token: str) -> str:
    return "".join(c for c in token if c.isalnum()).lower()


def _verdict(token: str) -> Verdict | None:
    letters = _letters(token)
    if letters == "a":
        return "a"
    if letters == "b":
        return "b"
    return "tie" if letters and "tie".startswith(letters) else None


def _silence(choice: _Choice) -> str:
    if choice.message.refusal:
        return f"the model refuses: {excerpt(choice.message.refusal)}"
    if choice.finish_reason == "length":
        return "the answer is empty: the model used up `max_tokens` before it"
    return f"the answer is empty (finish_reason {choice.finish_reason!r})"


def excerpt(text: str, length: int = 120) -> str:
    """The beginning of a text, quoted."""
    return repr(text if len(text) <= length else text[: length - 3] + "...")
