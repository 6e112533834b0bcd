"""Embeddings on disk: one database per encoder, one row per text."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.paths import cache_folder

_ROWS_PER_QUERY = 500


@dataclass(frozen=True)
class EmbeddingCache:
    """Vectors by text, for one encoder.

    Attributes:
        encoder: hash of everything the vectors depend on.
    """

    encoder: str

    def get(
        self, texts: Sequence[str]
    ) -> tuple[dict[str, npt.NDArray[np.float32]], dict[str, int]]:
        """Vector and number of tokens of those texts that are known."""
        by_key = {_key(text): text for text in texts}
        keys = list(by_key)
        vectors: dict[str, npt.NDArray[np.float32]] = {}
        lengths: dict[str, int] = {}
        with self._open() as database:
            for start in range(0, len(keys), _ROWS_PER_QUERY):
                some = keys[start : start + _ROWS_PER_QUERY]
                marks = ",".join("?" * len(some))
                query = f"SELECT text, tokens, vector FROM embeddings WHERE text IN ({marks})"
                for key, tokens, blob in database.execute(query, some):
                    vectors[by_key[key]] = np.frombuffer(blob, dtype=np.float32)
                    lengths[by_key[key]] = tokens
        return vectors, lengths

    def put(
        self, texts: Sequence[str], vectors: npt.NDArray[np.float32], lengths: Sequence[int]
    ) -> None:
        """Store the vectors (n, D) and numbers of tokens of some texts."""
        rows = (
            (_key(text), tokens, vector.astype(np.float32).tobytes())
            for text, tokens, vector in zip(texts, lengths, vectors, strict=True)
        )
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        path = cache_folder("embeddings") / f"{self.encoder}.sqlite"
        with closing(sqlite3.connect(path, timeout=60)) as database, database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS embeddings "
                "(text BLOB PRIMARY KEY, tokens INTEGER, vector BLOB) WITHOUT ROWID"
            )
            yield database


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
