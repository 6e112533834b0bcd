"""A local endpoint that answers as a test wants."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from surefoot.data import Preferences
from surefoot.judge import Cost, Judge

SHOWN = re.compile(r"<response ([AB]) (\w+)>\n(.*?)\n</response \1 \2>", re.DOTALL)
WORTH = re.compile(r"worth (-?\d+(?:\.\d+)?)")


@dataclass
class Reply:
    """What the server sends."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    raw: Callable[[Callable[[bytes], object]], object] | None = None  # writes bytes of its own


class Endpoint:
    """A server on a free local port; remembers what it was asked.

    `behave` gets the body of a request and its number (from 1), and returns a `Reply`.
    """

    def __init__(self, behave: Callable[[dict, int], Reply]) -> None:
        self.behave = behave
        self.bodies: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.paths: list[str] = []
        self.under_way = self.peak = self.answered = 0
        self.lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                endpoint.serve(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that gave up waiting

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self) -> Endpoint:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        with self.lock:
            self.under_way += 1
            self.peak = max(self.peak, self.under_way)
            self.bodies.append(body)
            self.headers.append({k.lower(): v for k, v in handler.headers.items()})
            self.times.append(time.monotonic())
            self.paths.append(handler.path)
            number = len(self.bodies)
        reply = self.behave(body, number)
        time.sleep(reply.delay)
        if reply.raw is not None:
            handler.close_connection = True
            reply.raw(lambda data: (handler.wfile.write(data), handler.wfile.flush()))
            return
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        content = text.encode()
        with self.lock:
            self.under_way -= 1
        handler.send_response(reply.status)
        kind = "application/json" if text[:1] == "{" else "text/html"
        for name, value in {"content-type": kind, **reply.headers}.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        with self.lock:
            self.answered += reply.status == 200

    @property
    def questions(self) -> list[str]:
        """What was asked, in order of arrival."""
        return [body["messages"][0]["content"] for body in self.bodies]


def completion(
    text: str | None,
    tokens: list[tuple[str, dict[str, float]]] | None = None,
    finish: str = "stop",
    usage: tuple[int, int] = (100, 2),
) -> dict:
    """A chat completion; `tokens` gives each token with the probabilities listed there."""
    logprobs = None
    if tokens is not None:
        listed = [
            {
                "token": token,
                "logprob": math.log(chances.get(token, 1.0)),
                "top_logprobs": [{"token": t, "logprob": math.log(q)} for t, q in chances.items()],
            }
            for token, chances in tokens
        ]
        logprobs = {"content": listed}
    return {
        "id": "x",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text},
                "logprobs": logprobs,
            }
        ],
        "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]},
    }


def responses_of(body: dict) -> dict[str, str]:
    """The two responses of a question by the default template: A and B."""
    return {side: text for side, _, text in SHOWN.findall(body["messages"][0]["content"])}


def chance(body: dict, bias: float = 0.0) -> float:
    """P(A preferred): the logistic function of the difference in worth, plus a bias to A."""
    shown = responses_of(body)
    a, b = (float(WORTH.search(shown[side])[1]) for side in "AB")
    return 1 / (1 + math.exp(b - a - bias))


def judging(bias: float = 0.0, delay: float = 0.0) -> Callable[[dict, int], Reply]:
    """A judge that goes by worth: log-probabilities if asked for, and the likelier verdict."""

    def behave(body: dict, number: int) -> Reply:
        p = chance(body, bias)
        verdict = "A" if p > 0.5 else "B" if p < 0.5 else "tie"
        chances = {"A": 0.9 * p, "B": 0.9 * (1 - p), " hm": 0.1}
        tokens = [(verdict, chances)] if body.get("logprobs") else None
        return Reply(completion(verdict, tokens), delay=delay)

    return behave


KEY, SECRET = "JUDGE_KEY_OF_TESTS", "secret-of-tests"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv(KEY, SECRET)


def yes(cost: Cost) -> bool:
    return True


def options(endpoint: Endpoint, **given) -> Judge:
    return Judge(**({"base_url": endpoint.url, "model": "m", "key_variable": KEY} | given))


def pairs(n: int, seed: int = 0) -> Preferences:
    worth = np.random.default_rng(seed).normal(size=(n, 2)).round(2)
    return Preferences.from_rows(
        {
            "prompt": f"question {i}",
            "response_a": f"worth {a}",
            "response_b": f"worth {b}",
            "label": 0.5,
        }
        for i, (a, b) in enumerate(worth)
    )


def true_chances(preferences: Preferences) -> np.ndarray:
    a, b = (
        np.array([float(text.split()[1]) for text in side])
        for side in preferences.texts("response")
    )
    return 1 / (1 + np.exp(b - a))
