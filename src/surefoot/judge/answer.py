"""From the reply of an endpoint to P(the first response is preferred)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from surefoot.escaping import excerpt
from surefoot.judge.errors import GarbledError, JudgeError, RefusedError, UnusableError

#: Goes up when the same reply is read differently.
READING = 2

#: A first word is a verdict if A, B and tie have at least this share of its probability.
LEAST_MASS = 0.5
#: What the probabilities of verdicts may add up to, with rounding.
_WHOLE = 1.02

Verdict = Literal["a", "b", "tie"]

_CHANCE: dict[str, float] = {"a": 1.0, "b": 0.0, "tie": 0.5}
_LINE = re.compile(
    r"\W*(?:(?:my |the |final )*(?:verdict|answer)(?: is)?\W+)?(?:response )?(a|b|tie)\W*",
    re.IGNORECASE,
)


#: How an answer that judges nothing begins.
_REFUSAL = re.compile(
    r"\W*(?:i(?:['’]m| am) (?:very |so )?sorry|sorry\b|my apologies|i apologi[sz]e"
    r"|i (?:can(?:no|['’])t|can not|won['’]t|will not|must decline|am (?:not able|unable))"
    r"|i['’]m (?:not able|unable)|as an ai\b)",
    re.IGNORECASE,
)

Quoted = Callable[[str], str]


class Answer(NamedTuple):
    """What is kept of a reply."""

    probability: float | None  #: P(first preferred), in [0, 1]; None: the judge refuses
    text: str  #: what the model wrote, or why it refuses
    tokens_in: int  #: tokens of the question, as the endpoint counts them; 0 where it does not say
    tokens_out: int  #: tokens of the answer


class _Alternative(BaseModel):
    token: str
    logprob: float


class _Token(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Message(BaseModel):
    content: str | list[Any] | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: Any = None
    logprobs: _Logprobs | None = None


class _Reply(BaseModel):
    choices: list[_Choice]


class _Usage(BaseModel):
    prompt_tokens: Any = 0
    completion_tokens: Any = 0


class _Account(BaseModel):
    model: Any = None
    usage: _Usage | None = None


def account(body: str) -> tuple[int, int, str]:
    """Tokens in, tokens out and the model's name of a reply, usable or not; 0 and "" if unsaid."""
    try:
        bill = _Account.model_validate_json(body)
    except ValidationError:
        return 0, 0, ""
    usage = bill.usage or _Usage()
    sent, received = (
        given if isinstance(given, int) and 0 <= given < _MOST_TOKENS else 0
        for given in (usage.prompt_tokens, usage.completion_tokens)
    )
    return sent, received, bill.model if isinstance(bill.model, str) else ""


#: What an endpoint says beyond this is no count of tokens.
_MOST_TOKENS = 10**9


def read_reply(
    body: str, answer: Literal["logprobs", "text"], quoted: Quoted | None = None
) -> Answer:
    """The answer in the body of a reply.

    Args:
        body: as it was received.
        answer: what to go by.
        quoted: a beginning of a text for a message, without secrets.

    Raises:
        GarbledError: it is no chat completion; the message quotes it.
        RefusedError: the model does not judge.
        UnusableError: no verdict.
        JudgeError: log-probabilities are asked for and the endpoint gives none.
    """
    quoted = quoted or excerpt
    try:
        reply = _Reply.model_validate_json(body)
    except ValidationError:
        raise GarbledError(f"the reply is no chat completion: {quoted(body)}") from None
    if not reply.choices:
        raise GarbledError(f"the reply holds no choice: {quoted(body)}")
    choice = reply.choices[0]
    text = _text(choice.message.content)
    if choice.message.refusal:
        raise RefusedError(f"the model refuses: {quoted(choice.message.refusal)}")
    if choice.finish_reason == "content_filter":
        raise RefusedError("the model refuses: a content filter (finish_reason 'content_filter')")
    if not text.strip():
        raise UnusableError(_silence(choice))
    try:
        if answer == "text":
            probability = chance_of_text(text, choice.finish_reason == "length", quoted)
        else:
            tokens = choice.logprobs.content if choice.logprobs else None
            if not tokens or not any(token.top_logprobs for token in tokens):
                raise JudgeError(
                    "the endpoint gives no log-probabilities. Set `answer: text` to go by the "
                    "verdict."
                )
            probability = chance_of_tokens(tokens, quoted)
    except JudgeError:
        if _REFUSAL.match(text):
            raise RefusedError(f"the model refuses: {quoted(text)}") from None
        raise
    sent, received, _ = account(body)
    return Answer(probability, text, sent, received)


def _text(content: str | list[Any] | None) -> str:
    """What a message says, also where it comes in parts."""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content or ""


def chance_of_text(text: str, cut: bool = False, quoted: Quoted | None = None) -> float:
    """1, 0 or 1/2 for the verdict A, B or tie that stands alone on the first or the last line.

    >>> [chance_of_text(text) for text in ("A", "**B**.", "Final answer: tie")]
    [1.0, 0.0, 0.5]

    Args:
        text: what the model wrote.
        cut: whether it was stopped at its length, for the message.
        quoted: a beginning of a text for the message.

    Raises:
        UnusableError: no verdict, or two that differ.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    matches = [_LINE.fullmatch(line) for line in (lines[0], lines[-1])]
    found = {match[1].lower() for match in matches if match}
    if len(found) == 1:
        return _CHANCE[found.pop()]
    hint = "; it was cut at `max_tokens`" if cut else ""
    raise UnusableError(
        f"the answer is no verdict (A, B or tie): {(quoted or excerpt)(text)}{hint}"
    )


def chance_of_tokens(tokens: list[_Token], quoted: Quoted | None = None) -> float:
    """(q(A) + q(tie) / 2) / (q(A) + q(B) + q(tie)) at the first token that has a letter.

    q(v) is the probability of all tokens that read v, among those that the endpoint lists; a token
    that begins `tie` reads tie.

    Raises:
        UnusableError: no such token, the verdicts have less than half of the probability, or more
            than there is.
    """
    first = next((token for token in tokens if _letters(token.token)), None)
    if first is None:
        raise UnusableError("the answer begins with no word")
    mass = dict.fromkeys(_CHANCE, 0.0)
    for alternative in first.top_logprobs or []:
        verdict = _verdict(alternative.token)
        if verdict and not math.isnan(alternative.logprob):
            mass[verdict] += math.exp(min(alternative.logprob, 0.0))
    total = sum(mass.values())
    if total < LEAST_MASS:
        said = (quoted or excerpt)(first.token)
        raise UnusableError(
            f"the answer begins with {said}; A, B and tie have {total:.2f} of the probability there"
        )
    if total > _WHOLE:
        raise UnusableError(f"the probabilities of A, B and tie add up to {total:.3g}")
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
    if choice.finish_reason == "length":
        return "the answer is empty: the model used up `max_tokens` before it"
    return f"the answer is empty (finish_reason {excerpt(str(choice.finish_reason), 40)})"
