"""Judging pairs: what is known is looked up, the rest is confirmed and asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from surefoot.data.schema import Fault, Preferences
from surefoot.escaping import excerpt
from surefoot.judge.asking import Asked, Question, Say, ask_all
from surefoot.judge.cache import AnswerCache, answer_key
from surefoot.judge.client import Client
from surefoot.judge.cost import BYTES_PER_TOKEN, Cost, price
from surefoot.judge.errors import DeclinedError, JudgeError
from surefoot.judge.options import JudgeOptions
from surefoot.judge.question import Pair, Template, load_template
from surefoot.judge.result import JudgeResult, combine, position


def judge_pairs(
    options: JudgeOptions,
    preferences: Preferences,
    *,
    proceed: Callable[[Cost], bool],
    say: Say = lambda line: None,
) -> JudgeResult:
    """P(a preferred) of N pairs; labels are not looked at.

    Args:
        options: endpoint, model, and how to ask.
        preferences: the pairs.
        proceed: shown the estimate; only if it returns True is anything sent. Not called where
            every answer is known.
        say: called with lines for the reader.

    Raises:
        ConfigurationError: no key, no client, or a template that does not serve.
        DeclinedError: `proceed` returned False.
        JudgeError: the endpoint cannot be used, or (with `on_error: fail`) a pair got no usable
            answer. Answers so far are kept: the same call goes on from there.
    """
    template = load_template(options.template)
    with AnswerCache() as cache:
        plan = _plan(options, template, preferences, cache)
        if plan.refused and options.on_error == "fail":
            raise JudgeError(_known_refusal(plan, preferences))
        asked = Asked()
        if plan.missing:
            with Client(options) as client:  # made first: without a key there is nothing to confirm
                if not proceed(plan.cost):
                    raise DeclinedError("the estimate was not confirmed: nothing was sent.")
                say(f"sending {plan.cost.requests:,} request(s) to {plan.cost.destination}")
                questions = _questions(options, template, preferences, plan)
                asked = ask_all(options, questions, len(plan.missing), client, cache, say)
    result = _result(options, preferences, plan, asked)
    for line in str(result).splitlines():
        say(line)
    return result


@dataclass(frozen=True)
class _Plan:
    """What there is to ask."""

    #: of each pair, with a first and with b first; None where both responses are equal
    keys: list[tuple[bytes, bytes] | None]
    known: dict[bytes, float]  #: P(first preferred) by key
    refused: dict[bytes, str]  #: why the judge refused before, by key
    imitations: tuple[Fault, ...]  #: pairs with what looks like marks of a question
    missing: frozenset[bytes]  #: keys without an answer
    cost: Cost  #: what they will cost


def _plan(
    options: JudgeOptions, template: Template, preferences: Preferences, cache: AnswerCache
) -> _Plan:
    keys: list[tuple[bytes, bytes] | None] = []
    sizes: dict[bytes, int] = {}
    cut = 0
    imitations = []
    for pair, (file, row) in _pairs(options, preferences):
        cut += pair.cuts
        if pair.imitation:
            imitations.append(Fault(file, row, excerpt(pair.imitation, 60)))
        questions = pair.questions(template)
        if questions is None:
            keys.append(None)
            continue
        a, b = (_key(options, question) for question in questions)
        keys.append((a, b))
        sizes |= zip((a, b), (len(question.encode()) for question in questions), strict=True)
    known, refused = cache.get(list(sizes))
    missing = frozenset(sizes.keys() - known.keys() - refused.keys())
    tokens_in = sum(-(-sizes[key] // BYTES_PER_TOKEN) for key in missing)
    tokens_out = len(missing) * options.max_tokens
    cost = Cost(
        base_url=options.base_url,
        model=options.model,
        template=template.name,
        pairs=len(keys),
        identical=keys.count(None),
        requests=len(missing),
        cached=len(known) + len(refused),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        money=price(tokens_in, tokens_out, options.price_in, options.price_out),
        cut=cut,
    )
    return _Plan(keys, known, refused, tuple(imitations), missing, cost)


def _known_refusal(plan: _Plan, preferences: Preferences) -> str:
    """What stops a run before it asks: a pair that the judge refused in an earlier one."""
    for keys, (file, row) in zip(plan.keys, preferences.read("file", "row"), strict=True):
        for key in keys or ():
            if key in plan.refused:
                return (
                    f"{file}, row {row}: {plan.refused[key]} (remembered from an earlier run). "
                    "With `on_error: skip` such pairs are left out."
                )
    raise AssertionError("unreachable")


def _questions(
    options: JudgeOptions, template: Template, preferences: Preferences, plan: _Plan
) -> Iterator[Question]:
    """Questions without an answer, each once; made as they are needed, as the texts may be many."""
    left = set(plan.missing)
    pairs = zip(plan.keys, _pairs(options, preferences), strict=True)
    for keys, (pair, place) in pairs:
        if keys is None or left.isdisjoint(keys):
            continue
        for key, question in zip(keys, pair.questions(template) or (), strict=True):
            if key in left:
                left.remove(key)
                yield Question(key, question, f"{place[0]}, row {place[1]}")


def _pairs(
    options: JudgeOptions, preferences: Preferences
) -> Iterator[tuple[Pair, tuple[str, int]]]:
    rows = preferences.read("response_a", "response_b", "file", "row")
    for prompt, (a, b, file, row) in zip(preferences.prompts(), rows, strict=True):
        yield Pair.of(prompt, a, b, options.max_characters), (file, row)


def _key(options: JudgeOptions, question: str) -> bytes:
    return answer_key(options.base_url, options.request(question))


def _result(
    options: JudgeOptions, preferences: Preferences, plan: _Plan, asked: Asked
) -> JudgeResult:
    chances = plan.known | asked.chances
    nothing = float("nan")
    firsts = np.array(
        [[chances.get(key, nothing) for key in keys or (b"", b"")] for keys in plan.keys],
        dtype=np.float64,
    ).reshape(-1, 2)
    identical = np.array([keys is None for keys in plan.keys], dtype=bool)
    bias, flipped, judged = position(firsts, preferences)
    failures, refused = [], 0
    why, refusals = plan.refused | asked.reasons, plan.refused.keys() | asked.refused
    for keys, (file, row) in zip(plan.keys, preferences.read("file", "row"), strict=True):
        failed = [key for key in keys or () if key in why]
        if failed:
            failures.append(Fault(file, row, why[failed[0]]))
            refused += any(key in refusals for key in failed)
    return JudgeResult(
        probabilities=np.where(identical, 0.5, combine(firsts[:, 0], firsts[:, 1])),
        firsts=firsts,
        position_bias=bias,
        flipped=flipped,
        judged=judged,
        identical=plan.cost.identical,
        requests=len(asked.chances) + len(asked.reasons),
        retries=asked.retries,
        cached=plan.cost.cached,
        cut=plan.cost.cut,
        tokens_in=asked.tokens_in,
        tokens_out=asked.tokens_out,
        money=price(asked.tokens_in, asked.tokens_out, options.price_in, options.price_out),
        failures=tuple(failures),
        template=plan.cost.template,
        refused=refused,
        imitations=plan.imitations,
        answered_by=tuple(sorted(asked.models - {options.model})),
    )
