"""One request and its reply over HTTP, within a time and a size, whatever the other side does."""

from __future__ import annotations

import queue
import threading
import time
import zlib
from typing import Any

from surefoot.boundary.limits import size

#: Bytes of a reply, unpacked. Thousands of tokens with twenty alternatives each take some of them.
REPLY_BYTES = 32 * 2**20

_PACKED = {"gzip", "x-gzip", "deflate"}
_ABOUT_THE_BODY = {"content-encoding", "content-length", "transfer-encoding"}


class LateError(Exception):
    """No whole reply within the time."""


class ReplyError(Exception):
    """A reply that is not taken; the message says why."""


def bounded_client(openai: Any, deadline: threading.local) -> Any:
    """A client of HTTP for the package `openai` whose every exchange ends.

    Args:
        openai: the package.
        deadline: its attribute `at` is when a thread gives its requests up (of the monotonic
            clock).
    """

    class Bounded(openai.DefaultHttpxClient):  # type: ignore[misc]  # untyped
        def send(self, request: Any, **options: Any) -> Any:
            """A whole reply; a thread that waits for one that drips is left behind."""
            request.headers["accept-encoding"] = "identity"
            options["stream"] = True
            given_up = threading.Event()
            replies: queue.SimpleQueue[Any] = queue.SimpleQueue()

            def exchange() -> None:
                try:
                    replies.put(_whole(super(Bounded, self).send(request, **options), given_up))
                except BaseException as error:  # for the thread that waits
                    replies.put(error)

            threading.Thread(target=exchange, daemon=True, name="judge-request").start()
            try:
                reply = replies.get(timeout=max(0.0, deadline.at - time.monotonic()))
            except queue.Empty:
                given_up.set()
                raise LateError from None
            if isinstance(reply, BaseException):
                raise reply
            return reply

    # Texts go where the user confirmed, not where the endpoint points.
    return Bounded(follow_redirects=False)


def _whole(response: Any, given_up: threading.Event) -> Any:
    """Read and unpack the body of a reply."""
    try:
        packed = response.headers.get("content-encoding", "").strip().lower()
        if packed not in {"", "identity", *_PACKED}:
            raise ReplyError("the reply is packed in a way that was not asked for")
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed in _PACKED else None
        content = bytearray()
        for chunk in response.iter_raw():
            if given_up.is_set():
                raise LateError
            room = REPLY_BYTES + 1 - len(content)
            content += unpacker.decompress(chunk, room) if unpacker else chunk
            if len(content) > REPLY_BYTES:
                raise ReplyError(f"the reply is larger than {size(REPLY_BYTES)}")
    finally:
        response.close()
    kept = [(k, v) for k, v in response.headers.items() if k.lower() not in _ABOUT_THE_BODY]
    return type(response)(
        response.status_code, headers=kept, content=bytes(content), request=response.request
    )
