"""Answers on disk: hashes of what was asked, and what came back; no texts of the data.

A refusal is an answer too: its probability is null. Each row holds a hash of the rest of it, since
SQLite does not notice a bit that flips inside a value; a row unlike its hash is not believed.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from surefoot.errors import SurefootError
from surefoot.escaping import warn
from surefoot.judge.answer import READING, Answer
from surefoot.paths import cache_folder

_TABLE = """CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, probability REAL, text TEXT, tokens_in INTEGER, tokens_out INTEGER,
    digest BLOB
) WITHOUT ROWID"""
_KEYS_PER_QUERY = 500


def answer_key(base_url: str, body: dict[str, Any]) -> bytes:
    """A hash of everything an answer depends on: endpoint, request, and how replies are read."""
    asked = json.dumps([base_url, body, READING], sort_keys=True)
    return hashlib.blake2b(asked.encode(), digest_size=16).digest()


def _digest(key: bytes, answer: Answer) -> bytes:
    return hashlib.blake2b(repr((key, *answer)).encode(), digest_size=16).digest()


class AnswerCache:
    """Answers by key. They are on disk when `put` returns. For use in one thread."""

    def __init__(self) -> None:
        self.path: Path = cache_folder("judge") / "answers.sqlite"
        with self._explained():
            self._database = sqlite3.connect(self.path, timeout=60)
            self._database.text_factory = lambda text: text.decode("utf-8", "replace")
            self._database.execute(_TABLE)
            columns = [row[1] for row in self._database.execute("PRAGMA table_info(answers)")]
            if "digest" not in columns:  # of a version that had none
                self._database.execute("ALTER TABLE answers ADD COLUMN digest BLOB")

    def __enter__(self) -> AnswerCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def get(self, keys: Sequence[bytes]) -> tuple[dict[bytes, float], dict[bytes, str]]:
        """P(first preferred) of those that are known, and why the others were refused.

        Damaged ones count as unknown, with a warning.
        """
        damaged = 0
        answers: dict[bytes, float] = {}
        refused: dict[bytes, str] = {}
        with self._explained():
            for start in range(0, len(keys), _KEYS_PER_QUERY):
                some = keys[start : start + _KEYS_PER_QUERY]
                query = "SELECT * FROM answers WHERE key IN ({})"
                rows = self._database.execute(query.format(",".join("?" * len(some))), some)
                for key, *values, digest in rows:
                    answer = Answer(*values)
                    if digest is not None and digest != _digest(key, answer):
                        damaged += 1
                    elif answer.probability is None:
                        refused[key] = answer.text
                    else:
                        answers[key] = answer.probability
        if damaged:
            warn(f"{damaged:,} answer(s) in {self.path} are damaged: they are asked again.")
        return answers, refused

    def put(self, answers: Mapping[bytes, Answer]) -> None:
        """Store some, in one transaction: the disk is waited for once."""
        rows = [(key, *answer, _digest(key, answer)) for key, answer in answers.items()]
        with self._explained(), self._database:
            self._database.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SurefootError(
                f"the judge's answers in {self.path} cannot be used ({error}). Move the file away "
                "to ask again, or set SUREFOOT_CACHE to a folder with space and write permission."
            ) from None
