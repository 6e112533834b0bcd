"""The parts of a judge: reading replies, templates, options, words about costs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from judge_server import completion

from surefoot.data.text import Prompt
from surefoot.errors import ConfigurationError
from surefoot.judge import Judge
from surefoot.judge.answer import chance_of_text, read_reply
from surefoot.judge.cost import destination, is_local, price
from surefoot.judge.errors import JudgeError, UnusableError
from surefoot.judge.question import TEMPLATE, VERSION, Pair, load_template


@pytest.mark.parametrize(
    ("text", "chance"),
    [
        ("A", 1.0),
        (" b.\n", 0.0),
        ("**Tie**", 0.5),
        ("[[B]]", 0.0),
        ("Answer: A", 1.0),
        ("My final verdict is: **B**", 0.0),
        ("Response A", 1.0),
        ("A\n\nThe first one is more specific.", 1.0),
        ("<think>A or B?</think>\n\nB", 0.0),
        ("A\nso\nA", 1.0),
    ],
)
def test_verdicts(text, chance):
    assert chance_of_text(text) == chance


@pytest.mark.parametrize(
    "text", ["Neither", "A or B", "AB", "C", "A\nno:\nB", "A better one could be written.", "..."]
)
def test_no_verdicts(text):
    with pytest.raises(UnusableError, match="no verdict"):
        chance_of_text(text)


def test_a_verdict_that_was_cut_off():
    with pytest.raises(UnusableError, match="cut at `max_tokens`"):
        read_reply(json.dumps(completion("Let me think", finish="length")), "text")


def logprobs(tokens: list[tuple[str, dict[str, float]]]) -> float:
    text = "".join(token for token, _ in tokens)
    return read_reply(json.dumps(completion(text, tokens)), "logprobs").probability


def test_chances_of_tokens():
    chances = {
        "A": 0.3,
        " A": 0.1,
        "**A": 0.1,
        "B": 0.2,
        "a": 0.05,
        "tie": 0.1,
        " T": 0.05,
        "I": 0.1,
    }
    a, b, tie = 0.55, 0.2, 0.15
    assert logprobs([("A", chances)]) == pytest.approx((a + tie / 2) / (a + b + tie))


def test_the_first_word_counts():
    tokens = [("\n", {"\n": 1.0}), ("**", {"**": 1.0}), ("B", {"A": 0.25, "B": 0.75})]
    assert logprobs([*tokens, ("A", {"A": 1.0})]) == pytest.approx(0.25)


def test_a_verdict_that_is_not_listed_has_no_chance():
    assert logprobs([("B", {"B": 0.9})]) == 0.0


def test_log_probabilities_of_minus_infinity_and_above_nothing():
    body = completion("A", [("A", {"A": 1.0})])
    listed = body["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    listed[0]["logprob"] = 1e-7
    listed.append({"token": "B", "logprob": -9999.0})
    listed.append({"token": "tie", "logprob": -math.inf})
    assert read_reply(json.dumps(body), "logprobs").probability == 1.0


def test_refusals_are_quoted():
    body = completion(None)
    body["choices"][0]["message"]["refusal"] = "I will not."
    with pytest.raises(UnusableError, match=r"refuses: 'I will not\.'"):
        read_reply(json.dumps(body), "text")


def test_other_forms_of_log_probabilities_are_none():
    body = completion("A")
    body["choices"][0]["logprobs"] = {"tokens": ["A"], "token_logprobs": [-0.1]}
    with pytest.raises(JudgeError, match="no log-probabilities"):
        read_reply(json.dumps(body), "logprobs")


# Templates


def test_our_template_is_named_by_its_version():
    template = load_template(None)
    assert template.name == VERSION
    assert (
        template.question("P", "one", "two").index("one") < template.source.index("response B") + 40
    )
    assert "{{" not in template.question("P", "one", "two")


def test_a_template_from_a_file_is_named_with_its_hash(tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text("{% if prompt %}{{ prompt }}: {% endif %}{{ first }} or {{ second }}?")
    template = load_template(str(path))
    assert template.question("q", "x", "y") == "q: x or y?"
    path.write_text("{{ prompt }} {{ first }} {{ second }}")
    other = load_template(str(path))
    assert other.name != template.name
    assert other.name.startswith("mine.jinja (")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ prompt }} {{ first }}", r"lacks {{ second }}"),
        ("{{ prompt }} {{ first }} {{ second }} {{ label }}", r"has the unknown {{ label }}"),
        ("{{ prompt }}\n{{ first", "no Jinja template: line 2"),
        ("{{ prompt }} {{ first }} {{ second.none.of }}", "cannot be filled"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_templates_that_do_not_serve(source, message, tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    with pytest.raises(ConfigurationError, match=message):
        load_template(str(path))


def test_a_template_that_is_not_there():
    with pytest.raises(ConfigurationError, match=r"nowhere\.jinja cannot be read"):
        load_template("nowhere.jinja")


def test_pairs_that_are_equal_as_shown_are_not_asked():
    def said(text: str) -> list:
        return [{"role": "assistant", "content": text}]

    pair = Pair.of(Prompt(said("q")), said("x" * 150 + "a"), said("x" * 150 + "b"), limit=100)
    assert pair.questions(load_template(None)) is None
    assert pair.cuts == 2
    pair = Pair.of(Prompt(said("q")), said("x" * 100), said("x" * 99), limit=100)
    assert pair.questions(load_template(None)) is not None
    assert pair.cuts == 0


# Options


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base_url": "host/v1"}, "such as https://host/v1; got 'host/v1'"),
        ({"base_url": "http://"}, "got 'http://'"),
        ({"base_url": "http://h:port/v1"}, "got 'http://h:port/v1'"),
        ({"base_url": "https://h/v1/chat/completions"}, "the part before /chat/completions"),
        ({"base_url": "https://h/v1?key=1"}, "the part before"),
        ({"model": ""}, "model"),
        ({"key_variable": "sk-abc123"}, "name of an environment variable, not the key"),
        ({"extra": {"messages": []}}, "sets 'messages' itself; use the option 'template'"),
        ({"extra": {"stream": True}}, "sets 'stream' itself; leave it out"),
        ({"price_in": 1.0}, "'price_out' is missing"),
        ({"price_in": -1.0, "price_out": 1.0}, "price_in"),
        ({"concurrency": 0}, "concurrency"),
        ({"timeout": 0}, "timeout"),
        ({"answer": "words"}, "answer"),
        ({"answer": "text", "top_logprobs": 5}, "no effect with `answer: text`"),
        ({"api_key": "x"}, "unknown option"),
        ({"reasks": 2}, "reasks has no effect at temperature 0"),
        ({"extra": {"bias": float("nan")}}, "cannot be sent as JSON"),
        ({"extra": {"api_key": "sk-1"}}, "'api_key' looks like a secret.*key_variable"),
        ({"extra": {"headers": {"X-Api-Key": "sk-1"}}}, "'X-Api-Key' looks like a secret"),
        ({"extra": {"when": object()}}, "cannot be sent as JSON"),
        ({"timeout": 1e300}, "timeout"),
    ],
)
def test_options_that_cannot_be_honoured(given, message):
    with pytest.raises(ConfigurationError, match=message):
        Judge(**({"base_url": "https://h/v1", "model": "m"} | given))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://me:hush@h/v1",
            "https://hush@h/v1",
            "https://h/v1?key=hush",
            "https://h/v1#hush",
        ),
        *("ftp://me:hush@h", "https://me:hush@h /v1", "https://me:hu?hush@h/v1", "//me:hush@h"),
    ],
)
def test_secrets_in_an_address_are_refused_and_not_shown(url):
    with pytest.raises(ConfigurationError, match=r"endpoint|the part before") as caught:
        Judge(base_url=url, model="m")
    assert "hush" not in str(caught.value)


def test_keys_in_place_of_a_name_are_not_shown():
    with pytest.raises(ConfigurationError) as caught:
        Judge(base_url="https://h/v1", model="m", key_variable="sk-hush")
    assert "hush" not in str(caught.value)


def test_requests():
    judge = Judge(
        base_url="https://h/v1/",
        model="m",
        max_tokens=500,
        max_tokens_field="max_completion_tokens",
        extra={"temperature": None, "seed": 7},
    )
    assert judge.base_url == "https://h/v1"
    assert judge.request("?") == {
        "model": "m",
        "messages": [{"role": "user", "content": "?"}],
        "max_completion_tokens": 500,
        "logprobs": True,
        "top_logprobs": 20,
        "seed": 7,
    }


@pytest.mark.parametrize("given", [{"extra": {"seed": 7}}, {"answer": "text"}, {"reasks": 0}])
def test_options_come_back_from_a_configuration(given):
    judge = Judge(base_url="https://h/v1", model="m", **given)
    assert Judge.parse(judge.model_dump()) == judge


# Costs


def test_destinations():
    assert destination("https://host/v1") == "https://host/v1"
    assert destination("http://host/v1").endswith("(NOT ENCRYPTED)")
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert destination(f"http://{host}:8000/v1").endswith("(this machine)")
    assert not is_local("localhost.example.org")


def test_prices():
    assert price(2_000_000, 500_000, 3.0, 8.0) == pytest.approx(10.0)
    assert price(1, 1, None, None) is None
    assert price(1, 1, 0.0, 0.0) == 0.0


def test_the_template_asks_for_what_is_read():
    verdicts = TEMPLATE.rsplit("one word: ", 1)[1].rstrip(".").replace(" or ", ", ").split(", ")
    assert np.array([chance_of_text(v) for v in verdicts]).tolist() == [1.0, 0.0, 0.5]
