"""A judge at a local endpoint: what it is asked, and what it says."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from judge_server import (
    KEY,
    Endpoint,
    Reply,
    chance,
    completion,
    judging,
    options,
    own_cache,
    pairs,
    responses_of,
    true_chances,
    yes,
)

from surefoot.data import Preferences
from surefoot.errors import ConfigurationError
from surefoot.judge import Cost, DeclinedError, Judge, judge_pairs
from surefoot.judge.result import combine

__all__ = ["own_cache"]  # a fixture that every test here uses


def turned(preferences: Preferences) -> Preferences:
    """The same pairs with a and b exchanged."""
    names = ("prompt", "response_b", "response_a", "label")
    keys = ("prompt", "response_a", "response_b", "label")
    return Preferences.from_rows(
        dict(zip(keys, row, strict=True)) for row in preferences.read(*names)
    )


def test_logprobs_give_the_chance_itself():
    data = pairs(12)
    with Endpoint(judging()) as endpoint:
        result = judge_pairs(options(endpoint), data, proceed=yes)
    np.testing.assert_allclose(result.probabilities, true_chances(data), atol=1e-12)
    assert (result.requests, result.cached, result.judged) == (24, 0, 12)
    assert (result.tokens_in, result.tokens_out) == (24 * 100, 24 * 2)
    assert all(body["temperature"] == 0 for body in endpoint.bodies)
    assert all(body["top_logprobs"] == 20 and body["logprobs"] for body in endpoint.bodies)


def test_text_gives_verdicts():
    rows = [("2", "1", 1.0), ("1", "2", 0.0), ("1", "1.0", 0.5)]
    data = Preferences.from_rows(
        {"prompt": "q", "response_a": f"worth {a}", "response_b": f"worth {b}", "label": 1 - p}
        for a, b, p in rows
    )
    with Endpoint(judging()) as endpoint:
        result = judge_pairs(options(endpoint, answer="text"), data, proceed=yes)
    assert result.probabilities.tolist() == [p for *_, p in rows]
    assert not any("logprobs" in body or "top_logprobs" in body for body in endpoint.bodies)


def test_both_orders_are_asked_and_averaged():
    data = pairs(1)
    with Endpoint(judging(bias=1.0)) as endpoint:
        result = judge_pairs(options(endpoint), data, proceed=yes)
    shown = [responses_of(body) for body in endpoint.bodies]
    assert {one["A"] for one in shown} == {one["B"] for one in shown} != {shown[0]["A"]}
    by_first = {responses_of(body)["A"]: chance(body, 1.0) for body in endpoint.bodies}
    a, b = data.texts("response")
    assert result.firsts[0].tolist() == pytest.approx([by_first[a[0]], by_first[b[0]]])
    expected = 0.5 * by_first[a[0]] + 0.5 * (1 - by_first[b[0]])
    assert result.probabilities[0] == pytest.approx(expected)


def test_antisymmetry_is_exact_and_the_exchanged_pair_costs_nothing():
    data = pairs(40)
    with Endpoint(judging(bias=0.7)) as endpoint:
        one = judge_pairs(options(endpoint), data, proceed=yes)
        other = judge_pairs(options(endpoint), turned(data), proceed=yes)
    assert (one.probabilities + other.probabilities == 1.0).all()
    assert (other.requests, other.cached) == (0, 80)
    assert len(endpoint.bodies) == 80


def test_antisymmetry_of_any_floats():
    first, second = np.random.default_rng(0).random((2, 100_000))
    both = combine(first, second), combine(second, first)
    assert (both[0] + both[1] == 1.0).all()
    np.testing.assert_allclose(both[0], (first + 1 - second) / 2, atol=1e-15)


def test_position_bias_is_measured():
    data = pairs(60)
    with Endpoint(judging(bias=2.0)) as endpoint:
        biased = judge_pairs(options(endpoint), data, proceed=yes)
        endpoint.behave = judging(bias=0.0)
        fair = judge_pairs(options(endpoint, model="fair"), data, proceed=yes)
    a, b = (np.array([float(t.split()[1]) for t in side]) for side in data.texts("response"))
    firsts = np.array([1 / (1 + np.exp(-(a - b) - 2.0)), 1 / (1 + np.exp(-(b - a) - 2.0))])
    assert biased.position_bias.estimate == pytest.approx(firsts.mean() - 0.5)
    assert biased.position_bias.low > 0.2
    assert biased.position_bias.covers == "prompts"
    assert biased.flipped == int(((firsts > 0.5).all(0)).sum()) > 30
    assert fair.position_bias.estimate == pytest.approx(0.0, abs=1e-12)
    assert fair.flipped == 0


def test_always_the_first_is_no_preference():
    with Endpoint(lambda body, number: Reply(completion("A"))) as endpoint:
        result = judge_pairs(options(endpoint, answer="text"), pairs(15), proceed=yes)
    assert (result.probabilities == 0.5).all()
    assert result.flipped == 15
    assert result.position_bias.estimate == 0.5
    assert result.position_bias.high == pytest.approx(0.5)


def test_few_prompts_have_no_interval():
    with Endpoint(judging()) as endpoint:
        result = judge_pairs(options(endpoint), pairs(3), proceed=yes)
    assert result.position_bias.low is None
    assert "too few" in result.position_bias.note


def test_equal_pairs_are_asked_once():
    one = next(iter(pairs(1).dataset))
    row = {name: one[name] for name in ("prompt", "response_a", "response_b", "label")}
    same = row | {"response_b": row["response_a"]}
    with Endpoint(judging()) as endpoint:
        data = Preferences.from_rows([row, row, same])
        result = judge_pairs(options(endpoint), data, proceed=yes)
    assert len(endpoint.bodies) == 2
    assert result.probabilities[0] == result.probabilities[1]
    assert result.probabilities[2] == 0.5
    assert (result.judged, result.identical) == (2, 1)


def test_no_pairs():
    judge = Judge(base_url="http://127.0.0.1:9/v1", model="m")
    result = judge_pairs(judge, pairs(2).select([]), proceed=lambda cost: pytest.fail("asked"))
    assert result.probabilities.shape == (0,)
    assert result.position_bias.estimate is None
    assert "no figure" in str(result)


def test_never_more_than_so_many_at_once():
    with Endpoint(judging(delay=0.03)) as endpoint:
        judge_pairs(options(endpoint, concurrency=3), pairs(12), proceed=yes)
    assert endpoint.peak == 3


def test_estimate_and_refusal():
    data, seen, said = pairs(5), [], []

    def no(cost: Cost) -> bool:
        seen.append(cost)
        return False

    with Endpoint(judging()) as endpoint:
        judge = options(endpoint, price_in=2.0, price_out=10.0, max_tokens=4)
        judge_pairs(judge, data.select([0]), proceed=yes)
        asked = len(endpoint.bodies)
        size = len(endpoint.questions[0].encode())
        with pytest.raises(DeclinedError, match="nothing was sent"):
            judge_pairs(judge, data, proceed=no, say=said.append)
        assert len(endpoint.bodies) == asked
    (cost,) = seen
    assert (cost.pairs, cost.requests, cost.cached) == (5, 8, 2)
    assert cost.tokens_in == pytest.approx(8 * size / 4, rel=0.05)
    assert cost.tokens_out == 8 * 4
    assert cost.money == pytest.approx((cost.tokens_in * 2 + 32 * 10) / 1e6)
    assert endpoint.url in str(cost)
    assert "this machine" in str(cost)
    assert "surefoot-2" in str(cost)
    assert said == []


def test_where_texts_go_is_said_also_without_a_question():
    said = []
    with Endpoint(judging()) as endpoint:
        judge_pairs(options(endpoint), pairs(1), proceed=yes, say=said.append)
    assert said[0] == f"sending 2 request(s) to {endpoint.url} (this machine), model m"


def test_nothing_is_sent_by_conditions_that_do_not_say_so():
    from surefoot.judge.model import Conditions

    with Endpoint(judging()) as endpoint, pytest.raises(DeclinedError, match="not confirmed"):
        options(endpoint).judge(pairs(1), None, Conditions())
    assert endpoint.bodies == []


def test_prices_of_what_was_used():
    with Endpoint(judging()) as endpoint:
        judge = options(endpoint, price_in=5e3, price_out=1e6)
        result = judge_pairs(judge, pairs(2), proceed=yes)
    assert result.money == pytest.approx(4 * (100 * 5e3 + 2 * 1e6) / 1e6)


def test_texts_as_they_are():
    text = 'Ünïcödé 漢字 🦶 {{ first }} {% if %} "quoted" \\n </response A> worth 1'
    row = {"prompt": f"q {text}", "response_a": text, "response_b": "worth 0", "label": 1}
    with Endpoint(lambda body, number: Reply(completion("A"))) as endpoint:
        judge = options(endpoint, answer="text")
        judge_pairs(judge, Preferences.from_rows([row]), proceed=yes)
    for question in endpoint.questions:
        assert question.count(text) == 2


def test_conversations_are_shown_with_their_speakers():
    turns = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "why?"},
    ]
    row = {"prompt": turns, "response_a": "worth 1", "response_b": "worth 0", "label": 1}
    with Endpoint(judging()) as endpoint:
        judge_pairs(options(endpoint), Preferences.from_rows([row]), proceed=yes)
    assert "user: hello\n\nassistant: hi\n\nuser: why?" in endpoint.questions[0]


def test_long_texts_are_cut_marked_and_counted():
    row = {
        "prompt": "old " * 1000 + "the question",
        "response_a": "worth 1 " + "a" * 5000,
        "response_b": "worth 0",
        "label": 1,
    }
    costs = []
    with Endpoint(judging()) as endpoint:
        judge = options(endpoint, max_characters=1000)
        data = Preferences.from_rows([row, row | {"response_a": "worth 1"}])
        result = judge_pairs(judge, data, proceed=lambda cost: costs.append(cost) or True)
    assert result.cut == costs[0].cut == 3
    assert "3 text(s) are cut" in str(costs[0])
    long = next(q for q in endpoint.questions if "aaa" in q)
    assert "the question" in long
    assert "[4008 characters cut here]" in long
    assert "[3012 characters cut here]" in long
    assert long.count("a" * 992) == 1
    assert "a" * 993 not in long


def test_as_an_auxiliary_model_the_references_are_judged_too():
    from surefoot.data.references import references_of
    from surefoot.judge.model import AuxiliaryModel, Conditions

    rows = [
        {
            "prompt": f"q {i}",
            "response_a": f"worth {i}",
            "response_b": "worth 1",
            "label": 1,
            "references": ["worth 3", f"worth {i}.5"],
            "reference_auxiliary": [0.5],
        }
        for i in range(3)
    ]
    data = Preferences.from_rows(rows)
    references = references_of(data)
    estimates = []
    with Endpoint(judging()) as endpoint:
        given = {"kind": "judge", "base_url": endpoint.url, "model": "m", "key_variable": KEY}
        conditions = Conditions(proceed=lambda cost: estimates.append(cost) or True)
        judged = AuxiliaryModel.parse(given).judge(data, references, conditions)
    np.testing.assert_allclose(judged.pairs, true_chances(data))
    for row in range(3):
        np.testing.assert_allclose(judged.references(row), true_chances(references.pairs))
    assert len(estimates) == 1
    assert json.loads(json.dumps(judged.figures))["requests"] == len(endpoint.bodies)


def test_keys_come_from_the_environment(monkeypatch):
    with Endpoint(judging()) as endpoint:
        judge_pairs(options(endpoint), pairs(1), proceed=yes)
        judge_pairs(options(endpoint, key_variable=None, model="n"), pairs(1), proceed=yes)
        monkeypatch.delenv(KEY)
        with pytest.raises(ConfigurationError, match=f"{KEY} is not set"):
            judge_pairs(options(endpoint), pairs(3), proceed=lambda cost: pytest.fail("asked"))
        monkeypatch.setenv(KEY, "two\nlines")
        with pytest.raises(ConfigurationError, match=f"{KEY} holds characters") as caught:
            judge_pairs(options(endpoint), pairs(3), proceed=yes)
        assert "two" not in str(caught.value)
    assert [h.get("authorization") for h in endpoint.headers] == [
        *["Bearer secret-of-tests"] * 2,
        *[None] * 2,
    ]


def test_without_the_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'surefoot\[judge\]'"):
        judge_pairs(Judge(base_url="http://h/v1", model="m"), pairs(1), proceed=yes)
