"""One question to an endpoint, through the client of the `openai` package."""

from __future__ import annotations

from typing import Any, NamedTuple

from surefoot.auxiliary.judge.answer import Answer, excerpt, read_reply
from surefoot.auxiliary.judge.errors import JudgeError, UnusableError
from surefoot.auxiliary.judge.options import Judge
from surefoot.errors import ConfigurationError

_CONNECT_SECONDS = 10.0


class Outcome(NamedTuple):
    """What came of a question.

    Attributes:
        answer: what was answered, or None.
        failure: why not.
        retries: requests that had to be sent again.
    """

    answer: Answer | None
    failure: JudgeError | None
    retries: int


class Client:
    """Asks questions; may be used from several threads.

    Raises:
        ConfigurationError: the package `openai` is not installed, or there is no key.
    """

    def __init__(self, options: Judge) -> None:
        try:
            import openai
        except ImportError:
            raise ConfigurationError(
                "a judge needs the package openai: pip install 'surefoot[judge]'"
            ) from None
        self._openai: Any = openai
        self._options = options
        self._key = options.key()
        self._headers = None if self._key else {"Authorization": openai.Omit()}
        self._client: Any = openai.OpenAI(
            base_url=options.base_url,
            api_key=self._key or "none",
            max_retries=options.retries,
            timeout=openai.Timeout(options.timeout, connect=min(options.timeout, _CONNECT_SECONDS)),
            # Texts go where the user confirmed, not where the endpoint points.
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, question: str) -> Outcome:
        """Ask, and again where the answer is no verdict; errors of the endpoint are returned."""
        retries = 0
        for again in range(self._options.reasks + 1):
            try:
                reply = self._send(question)
                retries += again > 0
                retries += reply.retries_taken
                answer = read_reply(reply.http_response.text, self._options.answer)
            except UnusableError as error:
                failure: JudgeError = error
            except JudgeError as error:
                return Outcome(None, error, retries)
            except self._openai.APIError as error:
                retries += int(error.request.headers.get("x-stainless-retry-count", 0))
                return Outcome(None, self._explained(error), retries)
            else:
                return Outcome(answer, None, retries)
        times = f" ({self._options.reasks + 1} times)" if self._options.reasks else ""
        return Outcome(None, UnusableError(f"{failure}{times}"), retries)

    def _send(self, question: str) -> Any:
        body = self._options.request(question)
        known = {name: body.pop(name) for name in ("model", "messages")}
        return self._client.chat.completions.with_raw_response.create(
            **known, extra_body=body, extra_headers=self._headers
        )

    def _explained(self, error: Any) -> JudgeError:
        """An error of the client as ours: on this question only, or on all."""
        where, tries = self._options.base_url, self._options.retries + 1
        if isinstance(error, self._openai.APITimeoutError):
            return UnusableError(
                f"{where} gave no answer within {self._options.timeout:g} s ({tries} tries)"
            )
        if isinstance(error, self._openai.APIConnectionError):
            cause = error.__cause__ or error
            return JudgeError(f"{where} cannot be reached: {cause} ({tries} tries).")
        if isinstance(error, self._openai.APIStatusError):
            return self._refused(error)
        return JudgeError(f"{where}: {self._without_key(str(error))}")

    def _refused(self, error: Any) -> JudgeError:
        options, status, headers = self._options, error.status_code, error.response.headers
        said = f"{options.base_url} says {status}: {self._without_key(_reason(error))}"
        wait = headers.get("retry-after")
        if 300 <= status < 400:
            to = headers.get("location", "nowhere")
            return JudgeError(
                f"{options.base_url} redirects to {to}, and nothing was sent there. Set `base_url`."
            )
        if status in (401, 403):
            key = f"in {options.key_variable}" if self._key else "(none was sent: `key_variable`)"
            return JudgeError(f"{said}. Check the key {key} and what it allows.")
        if status in (402, 429):
            waits = f", and asks to wait {wait} s" if wait else ""
            return JudgeError(
                f"{said}{waits} ({options.retries + 1} tries at most). Wait, lower `concurrency`, "
                "or check the quota."
            )
        if status in (404, 405):
            return JudgeError(f"{said}. Check `base_url` and `model` ({options.model}).")
        hint = (
            "" if status >= 500 else ". It may lack an option that is sent, or the text is too long"
        )
        return UnusableError(said + hint)

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _reason(error: Any) -> str:
    """What the endpoint says: the message in OpenAI's form, or the beginning of it all."""
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return excerpt(message if isinstance(message, str) else error.response.text, 300)
