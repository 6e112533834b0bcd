"""Questions to an endpoint, a few at a time, each answer stored as it arrives."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import NamedTuple

from tqdm.auto import tqdm

from surefoot.judge.cache import AnswerCache
from surefoot.judge.client import Client, Outcome
from surefoot.judge.errors import JudgeError, RefusedError, UnusableError
from surefoot.judge.options import JudgeOptions

#: As many failures in a row stop a run also where failures are skipped.
FAILURES_IN_A_ROW = 20
#: Names that an endpoint may give its model before no more are kept.
MODELS = 20

Say = Callable[[str], object]


class Question(NamedTuple):
    """One order of one pair."""

    key: bytes  #: of the answer in the cache
    text: str  #: what is sent
    place: str  #: file and row of the pair


@dataclass
class Asked:
    """What came of the questions so far."""

    chances: dict[bytes, float] = field(default_factory=dict)  #: P(first preferred) by key
    #: why a question got no usable answer, by key
    reasons: dict[bytes, str] = field(default_factory=dict)
    refused: set[bytes] = field(default_factory=set)  #: keys of those that the judge refused
    #: what the endpoint calls the models that answered
    models: set[str] = field(default_factory=set)
    retries: int = 0  #: requests that had to be sent again
    tokens_in: int = 0  #: tokens sent, of unusable answers too, as the endpoint counts them
    tokens_out: int = 0  #: tokens received
    stop: JudgeError | None = None  #: why nothing more is asked
    failed_in_a_row: int = 0

    def record(self, question: Question, outcome: Outcome, options: JudgeOptions) -> None:
        """Count one outcome, and decide whether to go on."""
        self.retries += outcome.retries
        self.tokens_in += outcome.tokens_in
        self.tokens_out += outcome.tokens_out
        if outcome.model and len(self.models) < MODELS:
            self.models.add(outcome.model)
        if outcome.answer is not None and outcome.answer.probability is not None:
            self.failed_in_a_row = 0
            self.chances[question.key] = outcome.answer.probability
            return
        failure = outcome.failure or JudgeError("no answer")
        self.reasons[question.key] = str(failure)
        if isinstance(failure, RefusedError):  # the endpoint works
            self.refused.add(question.key)
            self.failed_in_a_row = 0
        else:
            self.failed_in_a_row += 1
        message = f"{question.place}: {str(failure).rstrip('.')}"
        if self.stop is not None:
            return
        if not isinstance(failure, UnusableError):
            self.stop = JudgeError(f"{message}.")
        elif options.on_error == "fail":
            self.stop = JudgeError(f"{message}. With `on_error: skip` such pairs are left out.")
        elif self.failed_in_a_row >= FAILURES_IN_A_ROW:
            self.stop = JudgeError(
                f"{FAILURES_IN_A_ROW} questions in a row got no usable answer; the last: {message}."
            )


def ask_all(
    options: JudgeOptions,
    questions: Iterable[Question],
    total: int,
    client: Client,
    cache: AnswerCache,
    say: Say,
) -> Asked:
    """Ask, `concurrency` questions at a time.

    Whatever ends it, answers under way are waited for and kept: they are paid for. Nothing is sent
    again then.

    Raises:
        JudgeError: see :func:`surefoot.judge.judge_pairs`.
    """
    asked = Asked()
    until = time.monotonic() + (options.run_timeout or math.inf)
    running: dict[Future[Outcome], Question] = {}

    def check_time() -> None:
        if time.monotonic() >= until and not asked.stop:
            asked.stop = JudgeError(f"`run_timeout` ({options.run_timeout:g} s) is over.")

    def collect(how_many: str) -> None:
        done, _ = wait(running, return_when=how_many)
        outcomes = [(running[future], future.result()) for future in done]
        cache.put({q.key: o.answer for q, o in outcomes if o.answer is not None})
        for future in done:  # only now: an interruption before this line loses nothing
            del running[future]
        for question, outcome in outcomes:
            if outcome.failure is not None:
                check_time()
            asked.record(question, outcome, options)
        bar.update(len(outcomes))

    with (
        tqdm(total=total, desc="judge", unit="answer", disable=None) as bar,
        ThreadPoolExecutor(options.concurrency, thread_name_prefix="judge") as pool,
    ):
        try:
            for question in questions:
                running[pool.submit(client.ask, question.text, until)] = question
                if len(running) == options.concurrency:
                    collect(FIRST_COMPLETED)
                check_time()
                if asked.stop:
                    break
        except KeyboardInterrupt:
            say(f"waiting for {len(running)} request(s) under way; their answers are kept")
            raise
        finally:
            if asked.stop or sys.exc_info()[0]:
                client.stop()
            collect(ALL_COMPLETED)
    if asked.stop:
        kept = f"{len(asked.chances):,} of {total:,} answers arrived and are kept"
        reason = f"{str(asked.stop).rstrip('.')}."
        raise JudgeError(f"{reason} {kept}; the same command goes on from there.") from None
    return asked
