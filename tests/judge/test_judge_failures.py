"""A judge whose endpoint is down, slow, busy, refuses, or answers nonsense."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from judge_server import KEY, SECRET, Endpoint, Reply, completion, judging, options, own_cache, yes

from surefoot.data import Preferences
from surefoot.judge import Judge, JudgeError, judge_pairs

__all__ = ["own_cache"]  # a fixture that every test here uses


def pairs(n: int) -> Preferences:
    return Preferences.from_rows(
        {"prompt": f"q {i}.", "response_a": f"worth {i}", "response_b": "worth 1.5", "label": 1}
        for i in range(n)
    )


def about(row: int, body: dict) -> bool:
    return f"q {row}." in body["messages"][0]["content"]


def error(status: int, message: str = "it says so", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": {"message": message}}, status=status, headers=named)


def test_busy_endpoints_are_waited_for_as_long_as_they_ask():
    behave = judging()

    def busy(body: dict, number: int) -> Reply:
        return error(429, retry_after="1.2") if number == 1 else behave(body, number)

    with Endpoint(busy) as endpoint:
        result = judge_pairs(options(endpoint, concurrency=1), pairs(1), proceed=yes)
        assert endpoint.times[1] - endpoint.times[0] >= 1.2  # by itself: half a second
    assert np.isfinite(result.probabilities).all()
    assert (result.requests, result.retries) == (2, 1)


def test_errors_of_the_server_are_tried_again():
    behave = judging()

    def shaky(body: dict, number: int) -> Reply:
        return error(500) if number in (1, 2) else behave(body, number)

    with Endpoint(shaky) as endpoint:
        result = judge_pairs(options(endpoint, concurrency=1), pairs(1), proceed=yes)
    assert len(endpoint.bodies) == 4
    assert (result.requests, result.retries) == (2, 2)
    assert result.failures == ()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (error(401, f"wrong key {SECRET}"), r"401: 'wrong key \[key\]'\. Check the key in " + KEY),
        (error(403), "says 403"),
        (error(404, "no model m"), r"says 404: 'no model m'\. Check `base_url` and `model` \(m\)"),
        (error(429), r"says 429: .* Wait, lower `concurrency`"),
        (error(429, retry_after="9999"), "asks to wait 9999 s"),
        (error(402, "no money"), "says 402: 'no money'"),
        (Reply("", status=307, headers={"location": "http://elsewhere/v1"}), "redirects to http://else"),
        (error(500, "out of memory"), "says 500: 'out of memory'"),
        (error(400, "too long"), "says 400: 'too long'.*on_error: skip"),
        (Reply("<html>hello</html>"), "no chat completion: '<html>hello"),
        (Reply({"choices": []}), "holds no choice"),
        (Reply({"hello": 1}), "no chat completion"),
        (Reply(completion("A")), "gives no log-probabilities. Set `answer: text`"),
        (Reply(completion("A", [])), "gives no log-probabilities"),
        (Reply(completion("A", [("A", {})])), "gives no log-probabilities"),
        (Reply(completion(None, finish="content_filter")), "the model refuses: a content filter"),
        (Reply(completion("", finish="length")), "used up `max_tokens`"),
        (Reply(completion("Both", [("Both", {"Both": 0.9, "A": 0.1})])), "with 'Both'.* 0.10 of"),
        (Reply(completion("?!", [("?!", {"?!": 1.0})])), "begins with no word"),
    ],
)  # fmt: skip
def test_failures_stop_with_their_reason(reply, message):
    with Endpoint(lambda body, number: reply) as endpoint:
        judge = options(endpoint, concurrency=1, retries=0, reasks=0)
        with pytest.raises(JudgeError, match=f"^rows, row 0: .*{message}") as caught:
            judge_pairs(judge, pairs(3), proceed=yes)
        assert len(endpoint.bodies) == 1
    assert "0 of 6 answers arrived and are kept; the same command goes on" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_key_that_was_not_sent_is_told():
    with Endpoint(lambda body, number: error(401)) as endpoint:
        judge = options(endpoint, key_variable=None)
        with pytest.raises(JudgeError, match="none was sent"):
            judge_pairs(judge, pairs(1), proceed=yes)


def test_an_endpoint_that_is_down():
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        judge = Judge(base_url=url, model="m", key_variable=None, retries=1, on_error="skip")
        with pytest.raises(JudgeError, match=rf"{url} cannot be reached: .* \(2 tries\)"):
            judge_pairs(judge, pairs(1), proceed=yes)


def test_a_slow_answer_is_given_up_and_counted():
    behave = judging()

    def slow(body: dict, number: int) -> Reply:
        reply = behave(body, number)
        reply.delay = 1.0 if about(1, body) else 0.0
        return reply

    with Endpoint(slow) as endpoint:
        judge = options(endpoint, timeout=0.3, retries=1, on_error="skip")
        result = judge_pairs(judge, pairs(3), proceed=yes)
    assert np.isnan(result.probabilities).tolist() == [False, True, False]
    (failure,) = result.failures
    assert "no answer within 0.3 s (2 tries)" in failure.reason
    assert (result.requests, result.retries) == (6, 2)


def test_nonsense_is_asked_again_then_skipped_and_named():
    behave = judging()

    def odd(body: dict, number: int) -> Reply:
        if about(2, body):
            return Reply(completion("Hard to say."))
        return behave(body, number)

    said = []
    with Endpoint(odd) as endpoint:
        judge = options(
            endpoint, answer="text", reasks=2, on_error="skip", extra={"temperature": 1}
        )
        result = judge_pairs(judge, pairs(5), proceed=yes, say=said.append)
        assert sum(about(2, body) for body in endpoint.bodies) == 2 * 3
        assert np.isnan(result.probabilities).tolist() == [i == 2 for i in range(5)]
        assert (result.judged, result.requests, result.retries) == (4, 10, 4)
        (failure,) = result.failures
        assert (failure.file, failure.row) == ("rows", 2)
        assert "no verdict (A, B or tie): 'Hard to say.' (3 times)" in failure.reason
        assert any("1 pair(s) skipped: rows row 2" in line for line in said)

        endpoint.behave = behave  # what failed was not stored: it is asked again, and only that
        again = judge_pairs(judge, pairs(5), proceed=yes)
    assert (again.requests, again.cached) == (2, 8)
    assert np.isfinite(again.probabilities).all()


def test_nonsense_once():
    behave = judging()

    def odd(body: dict, number: int) -> Reply:
        return Reply(completion("Hm.")) if number == 1 else behave(body, number)

    with Endpoint(odd) as endpoint:
        judge = options(endpoint, answer="text", concurrency=1, extra={"temperature": 1})
        result = judge_pairs(judge, pairs(1), proceed=yes)
    assert (result.requests, result.retries, result.failures) == (2, 1, ())


def test_a_failure_loses_no_answer():
    behave = judging(delay=0.05)

    def odd(body: dict, number: int) -> Reply:
        return error(400) if number == 10 else behave(body, number)

    with Endpoint(odd) as endpoint:
        judge = options(endpoint, concurrency=4)
        with pytest.raises(JudgeError, match="answers arrived and are kept") as caught:
            judge_pairs(judge, pairs(20), proceed=yes)
        arrived = endpoint.answered
        assert f" {arrived} of 40 answers" in str(caught.value)
        assert 9 <= arrived <= 13
        result = judge_pairs(judge, pairs(20), proceed=yes)
    assert (result.cached, result.requests) == (arrived, 40 - arrived)


def test_an_endpoint_that_dies_stops_a_run_that_skips():
    with Endpoint(lambda body, number: error(503)) as endpoint:
        judge = options(endpoint, retries=0, on_error="skip", concurrency=2)
        with pytest.raises(JudgeError, match="20 questions in a row got no usable answer"):
            judge_pairs(judge, pairs(100), proceed=yes)
        assert 20 <= len(endpoint.bodies) <= 22


def test_redirects_are_not_followed():
    with (
        Endpoint(judging()) as other,
        Endpoint(
            lambda body, number: Reply("", status=308, headers={"location": other.url + "/x"})
        ) as endpoint,
    ):
        with pytest.raises(JudgeError, match="nothing was sent there"):
            judge_pairs(options(endpoint), pairs(1), proceed=yes)
        assert other.bodies == []


def test_usage_that_is_not_told():
    body = completion("A")
    del body["usage"], body["id"]
    with Endpoint(lambda asked, number: Reply(body)) as endpoint:
        result = judge_pairs(options(endpoint, answer="text"), pairs(1), proceed=yes)
    assert (result.tokens_in, result.tokens_out) == (0, 0)
    assert "tokens" not in str(result)
