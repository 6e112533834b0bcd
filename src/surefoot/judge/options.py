"""The options of a judge."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from surefoot.errors import ConfigurationError
from surefoot.escaping import excerpt
from surefoot.judge.model import Answers, AuxiliaryModel, Conditions
from surefoot.judge.secrets import bare_address
from surefoot.options import READS

if TYPE_CHECKING:
    from surefoot.data.references import References
    from surefoot.data.schema import Preferences

#: Fields of a request that the judge sets itself, and the option that says how.
_RESERVED = {
    "messages": "template",
    "model": "model",
    "logprobs": "answer",
    "top_logprobs": "top_logprobs",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens_field",
    "n": "",
    "stream": "",
}


#: Names of fields that hold what is not to be written down.
_SECRET = re.compile(r'"([\w-]*(?:api[_-]?key|authori[sz]ation|password|secret)[\w-]*)"\s*:', re.I)
_TOP = 20
_DAY = 86_400.0


class JudgeOptions(AuxiliaryModel):
    """Endpoint, model, and how it is asked."""

    base_url: str
    """The endpoint, up to where `/chat/completions` follows, such as `http://localhost:8000/v1`."""
    model: str = Field(min_length=1)
    """The model, by the name that the endpoint has for it."""
    template: Annotated[str | None, READS] = None
    """A file with the question as a Jinja template of `prompt`, `first`, `second`, and `mark` (a
    word that is in none of them, to tell where they end). None: the template of surefoot."""
    answer: Literal["logprobs", "text"] = "logprobs"
    """`logprobs`: the chance is read from the log-probabilities of the first word of the answer.
    `text`: from the verdict, 1 for A, 0 for B, 1/2 for a tie."""
    top_logprobs: int = Field(_TOP, ge=1, le=20)
    """Log-probabilities asked for at each token; some endpoints give fewer than 20."""
    max_tokens: int = Field(8, ge=1)
    """Length of an answer; a model that thinks before it answers needs thousands."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls that length."""
    extra: dict[str, Any] = Field({})
    """Further fields of each request; null leaves one out, as in `{temperature: null}` for an
    endpoint that does not take it."""
    max_characters: int = Field(20_000, ge=100)
    """Characters shown of a prompt (its end) and of each response (its beginning); what is cut is
    marked in the text and counted."""
    key_variable: str | None = "OPENAI_API_KEY"
    """The environment variable that holds the key. None: no key is sent."""
    concurrency: int = Field(8, ge=1, le=256)
    """Requests under way at once, at most."""
    timeout: float = Field(60.0, gt=0, le=_DAY)
    """Seconds until a request without a whole answer is given up and sent again, however steadily
    its bytes arrive."""
    question_timeout: float = Field(900.0, gt=0, le=7 * _DAY)
    """Seconds for one question: with all that is waited for and sent again."""
    run_timeout: float | None = Field(None, gt=0, le=30 * _DAY)
    """Seconds after which a run sends nothing more, and stops when what is under way has arrived;
    the same command goes on from there. Absent: as long as its questions take."""
    retries: int = Field(6, ge=0, le=100)
    """Times that a request is sent again when the endpoint is busy, fails or cannot be reached; the
    wait grows from half a second to eight, or is what the endpoint asks for, up to two minutes."""
    reasks: int | None = Field(None, ge=0, le=100)
    """Times that a question is asked again when the answer is no verdict. Absent: once; never at
    temperature 0, where the answer would be the same."""
    on_error: Literal["fail", "skip"] = "fail"
    """A pair without a usable answer: `fail` stops, `skip` leaves its probability null."""
    price_in: float | None = Field(None, ge=0)
    """Price of a million tokens sent, in any currency."""
    price_out: float | None = Field(None, ge=0)
    """Price of a million tokens received."""

    @field_validator("base_url")
    @classmethod
    def _is_an_endpoint(cls, address: str) -> str:
        shown = excerpt(bare_address(address))  # without what may be secret
        try:
            url = urlsplit(address)
            whole = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        except ValueError:
            whole = False
        if not whole or any(c.isspace() for c in address):
            raise ValueError(f"an endpoint is an address such as https://host/v1; got {shown}.")
        if url.username is not None or url.password is not None:
            raise ValueError("an endpoint with a name or password in it; use `key_variable`.")
        if url.query or url.fragment or url.path.rstrip("/").endswith("/chat/completions"):
            raise ValueError(
                f"give the part before /chat/completions, without a query; got {shown}."
            )
        return address.rstrip("/")

    @field_validator("key_variable")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is None or re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            return name
        raise ValueError("this is the name of an environment variable, not the key itself.")

    @field_validator("extra")
    @classmethod
    def _leaves_our_fields(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for name in extra:
            if name in _RESERVED:
                instead = (
                    f"use the option {_RESERVED[name]!r}" if _RESERVED[name] else "leave it out"
                )
                raise ValueError(f"the judge sets {name!r} itself; {instead}.")
        try:
            text = json.dumps(extra, allow_nan=False)
            text.encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"these fields cannot be sent as JSON: {error}.") from None
        if secret := _SECRET.search(text):
            raise ValueError(
                f"{secret[1]!r} looks like a secret, and the options are written into the output: "
                "put the key into an environment variable and name that by `key_variable`."
            )
        return extra

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            lacks = "price_in" if self.price_in is None else "price_out"
            raise ConfigurationError(f"a cost needs both prices; {lacks!r} is missing.")
        if self.answer == "text" and self.top_logprobs != _TOP:
            raise ConfigurationError("top_logprobs has no effect with `answer: text`.")
        if self.reasks and self._same_again:
            raise ConfigurationError(
                "reasks has no effect at temperature 0, where the answer is the same. Set another "
                "by `extra: {temperature: ...}`."
            )
        return self

    @property
    def _same_again(self) -> bool:
        return self.extra.get("temperature", 0) == 0

    @property
    def asks_again(self) -> int:
        """Times that a question is asked again when the answer is no verdict."""
        if self._same_again:
            return 0
        return 1 if self.reasks is None else self.reasks

    def key(self) -> str | None:
        """The key, from its environment variable.

        Raises:
            ConfigurationError: the variable is not set, or no header can carry what it holds.
        """
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise ConfigurationError(
                f"the environment variable {self.key_variable} is not set; the key for "
                f"{self.base_url} is taken from it. Name another with `key_variable`, or give null "
                "for an endpoint without a key."
            )
        if not all("!" <= c <= "~" for c in key):
            raise ConfigurationError(
                f"the environment variable {self.key_variable} holds characters that no key has."
            )
        return key

    def request(self, question: str) -> dict[str, Any]:
        """The body of one request."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            self.max_tokens_field: self.max_tokens,
        }
        if self.answer == "logprobs":
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        return {name: value for name, value in (body | self.extra).items() if value is not None}


class Judge(JudgeOptions, kind="judge"):
    """P(a preferred) = 1/2 + (p(a, b) - p(b, a)) / 2, where p(x, y) is the chance that a chat model
    gives to x when x is shown first.
    """

    def judge(
        self, pairs: Preferences, references: References | None, conditions: Conditions
    ) -> Answers:
        """Judge N comparisons and the P pairs of their references, in one run.

        Raises:
            SurefootError: see :func:`~surefoot.judge.judging.judge_pairs`.
        """
        import numpy as np

        from surefoot.data.schema import concatenate
        from surefoot.judge.judging import judge_pairs

        every = pairs if references is None else concatenate([pairs, references.pairs])
        result = judge_pairs(self, every, proceed=conditions.proceed, say=conditions.say)
        own, others = np.split(result.probabilities, [len(pairs)])
        skipped = len(result.failures)
        notes = (f"{skipped} pair(s) got no answer from the judge.",) if skipped else ()
        return Answers(own, (lambda row: others) if references else None, result.to_dict(), notes)
