"""One question to an endpoint, through the client of the `openai` package."""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple

from surefoot.errors import ConfigurationError
from surefoot.escaping import excerpt, one_line
from surefoot.judge.answer import Answer, account, read_reply
from surefoot.judge.errors import GarbledError, JudgeError, RefusedError, UnusableError
from surefoot.judge.exchange import LateError, ReplyError, bounded_client
from surefoot.judge.options import JudgeOptions
from surefoot.judge.secrets import Scrub, bare_address

_CONNECT_SECONDS = 10.0
#: A wait that an endpoint may ask for; what is longer ends the run, which goes on later.
LONGEST_WAIT = 120.0
#: Statuses of an endpoint that is busy or failed, which may pass.
_PASSING = (408, 409, 425)
#: How endpoints name a filter that rejects a request for its texts.
_FILTERS = ("content_filter", "content_policy")


@dataclass
class Outcome:
    """What came of a question."""

    answer: Answer | None = None  #: what was answered, a refusal included, or None
    failure: JudgeError | None = None  #: why there is no probability
    retries: int = 0  #: requests that had to be sent again
    tokens_in: int = 0  #: tokens sent, of unusable replies too, as the endpoint counts them
    tokens_out: int = 0  #: tokens received
    model: str = ""  #: what the endpoint calls the model that answered; empty where it does not say


class _Failed(NamedTuple):
    """A request without a probability: why, and what may help.

    `send` the same again after some seconds; `ask` for another answer; or nothing: `stop`.
    """

    failure: JudgeError
    then: Literal["send", "ask", "stop"] = "stop"
    wait: float = 0.0


class Client:
    """Asks questions; may be used from several threads.

    Raises:
        ConfigurationError: the package `openai` is not installed, or there is no key.
    """

    def __init__(self, options: JudgeOptions) -> None:
        try:
            import openai
        except ImportError:
            raise ConfigurationError(
                "a judge needs the package openai: pip install 'surefoot[judge]'"
            ) from None
        self._openai: Any = openai
        self._options = options
        self._key = options.key()
        self._scrub = Scrub(self._key)
        self._headers = None if self._key else {"Authorization": openai.Omit()}
        self._deadline = threading.local()
        self._stopped = threading.Event()
        self._client: Any = openai.OpenAI(
            base_url=options.base_url,
            api_key=self._key or "none",
            max_retries=0,  # they are counted, and their time with them, in `ask`
            timeout=openai.Timeout(options.timeout, connect=min(options.timeout, _CONNECT_SECONDS)),
            http_client=bounded_client(openai, self._deadline),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def stop(self) -> None:
        """Send nothing again: requests under way are the last."""
        self._stopped.set()

    def ask(self, question: str, until: float = math.inf) -> Outcome:
        """Ask, and again where the endpoint fails or the answer is no verdict.

        Errors of the endpoint are returned.

        Args:
            question: what is sent.
            until: when nothing is sent any more, of the monotonic clock; a request under way is
                waited for, as it is paid for.
        """
        end = time.monotonic() + self._options.question_timeout
        outcome, counts = Outcome(), {"send": 0, "ask": 0}
        most = {"send": self._options.retries, "ask": self._options.asks_again}
        while failed := self._once(question, end, outcome):
            outcome.failure, then, wait = failed
            if then == "stop" or self._stopped.is_set():
                break
            counts[then] += 1
            if counts[then] > most[then]:
                outcome.failure = _counted(failed, counts[then])
                break
            if time.monotonic() + wait >= min(until, end):
                outcome.failure = UnusableError(
                    f"no answer within the time for a question or the run; the last failure: "
                    f"{failed.failure}"
                )
                break
            self._stopped.wait(wait)
            outcome.retries += 1
        return outcome

    def _once(self, question: str, end: float, outcome: Outcome) -> _Failed | None:
        """One request. Fills the outcome; None where it holds an answer."""
        try:
            body = self._send(question, end)
            sent, received, model = account(body)
            outcome.tokens_in += sent
            outcome.tokens_out += received
            outcome.model = self._shown(model, 80) if model else ""
            answer = read_reply(body, self._options.answer, self._quoted)
        except GarbledError as error:
            return _Failed(error, "send", self._backoff(outcome))
        except RefusedError as error:
            outcome.answer = Answer(None, str(error), sent, received)
            return _Failed(error)
        except UnusableError as error:
            return _Failed(error, "ask")
        except JudgeError as error:
            return _Failed(error)
        except Exception as error:  # whatever a client and a network come up with
            failed = self._explained(error, outcome)
            if isinstance(failed.failure, RefusedError):
                outcome.answer = Answer(None, str(failed.failure), 0, 0)
            return failed
        outcome.answer = answer._replace(text=self._scrub(answer.text))
        outcome.failure = None
        return None

    def _send(self, question: str, end: float) -> str:
        body = self._options.request(question)
        known = {name: body.pop(name) for name in ("model", "messages")}
        self._deadline.at = min(end, time.monotonic() + self._options.timeout)
        reply = self._client.chat.completions.with_raw_response.create(
            **known, extra_body=body, extra_headers=self._headers
        )
        content: bytes = reply.http_response.content
        return content.decode("utf-8", "replace")

    def _backoff(self, outcome: Outcome) -> float:
        """Half a second, then twice as long each time, up to eight seconds."""
        return float(min(8.0, 0.5 * 2 ** min(outcome.retries, 10)) * random.uniform(0.75, 1.0))

    def _explained(self, error: Exception, outcome: Outcome) -> _Failed:
        """An error of the client as ours: on this question only, or on all; and what to do."""
        where, again = self._options.base_url, self._backoff(outcome)
        if isinstance(error, self._openai.APIStatusError):
            return self._rejected(error, again)
        if isinstance(error, LateError | self._openai.APITimeoutError):
            failure = UnusableError(f"{where} gave no answer within {self._options.timeout:g} s")
        elif isinstance(error, ReplyError):
            failure = UnusableError(f"{where}: {error}")
        else:
            cause = self._shown(str(error.__cause__ or error) or type(error).__name__)
            return _Failed(JudgeError(f"{where} cannot be reached: {cause}"), "send", again)
        return _Failed(failure, "send", again)

    def _rejected(self, error: Any, again: float) -> _Failed:
        """A reply whose status is no success."""
        options, status, headers = self._options, error.status_code, error.response.headers
        reply = f"{options.base_url} says {status}: {self._reason(error)}"
        asked = seconds_to_wait(headers.get("retry-after", ""))
        wait = again if asked is None else asked
        if 300 <= status < 400:
            to = self._shown(bare_address(headers.get("location", "nowhere")))
            where = f"{options.base_url} redirects to {to}, and nothing was sent there."
            return _Failed(JudgeError(f"{where} Set `base_url`."))
        if status in (401, 403):
            key = f"in {options.key_variable}" if self._key else "(none was sent: `key_variable`)"
            return _Failed(JudgeError(f"{reply}. Check the key {key} and what it allows."))
        if status in (402, 429):
            waits = f", and asks to wait {asked:.4g} s" if asked is not None else ""
            failure = JudgeError(f"{reply}{waits}. Wait, lower `concurrency`, or check the quota.")
            return _Failed(
                failure, "stop" if status == 402 or wait > LONGEST_WAIT else "send", wait
            )
        if status in (404, 405):
            model = f"Check `base_url` and `model` ({options.model})."
            return _Failed(JudgeError(f"{reply}. {model}"))
        if status >= 500 or status in _PASSING:
            return _Failed(UnusableError(reply), "send", wait if wait <= LONGEST_WAIT else again)
        if any(name in error.response.text for name in _FILTERS):
            return _Failed(RefusedError(f"the endpoint refuses: {self._reason(error)}"))
        hint = "It may lack an option that is sent, or the text is too long"
        return _Failed(UnusableError(f"{reply}. {hint}"))

    def _reason(self, error: Any) -> str:
        """What the endpoint says: the message in OpenAI's form, or the beginning of it all."""
        message = error.body.get("message") if isinstance(error.body, dict) else None
        return self._quoted(message if isinstance(message, str) else error.response.text, 300)

    def _quoted(self, text: str, length: int = 120) -> str:
        return excerpt(self._scrub(text), length)

    def _shown(self, text: str, length: int = 300) -> str:
        return one_line(self._scrub(text))[:length]


def _counted(failed: _Failed, count: int) -> JudgeError:
    """The last failure, with how often it was tried."""
    if count == 1:
        return failed.failure
    what = "tries" if failed.then == "send" else "times"
    return type(failed.failure)(f"{str(failed.failure).rstrip('.')} ({count} {what}).")


def seconds_to_wait(header: str) -> float | None:
    """What a header `Retry-After` asks for, in seconds; None where that cannot be read.

    >>> [seconds_to_wait(text) for text in ("2.5", "-3", "soon", "nan")]
    [2.5, 0.0, None, None]
    """
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)
