"""Embeddings on disk: one database per encoder."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.errors import SurefootError
from surefoot.escaping import warn
from surefoot.paths import cache_folder

Vector = npt.NDArray[np.float32]

_ROWS_PER_QUERY = 500
_TABLES = (
    "vectors (key BLOB PRIMARY KEY, vector BLOB)",
    "texts (key BLOB PRIMARY KEY, length INTEGER, tokens BLOB)",
)


@dataclass(frozen=True)
class EmbeddingCache:
    """Vectors by text, for one encoder.

    Texts that become the same tokens (after truncation, say) share one vector to the bit: computed
    in batches of other shapes, two would differ by rounding, and a head could learn from that.
    """

    encoder: str  #: hash of everything the vectors depend on

    def get(self, texts: Sequence[str]) -> dict[str, tuple[Vector, int]]:
        """Vector and number of tokens of those texts that are known."""
        by_key = {_text_key(text): text for text in texts}
        table = "texts JOIN vectors ON vectors.key = texts.tokens"
        found = self._sound(table, "texts.key", "texts.length", list(by_key))
        return {by_key[key]: (vector, length) for key, length, vector in found}

    def known_tokens(self, tokens: Sequence[bytes]) -> dict[bytes, Vector]:
        """Vectors of those token keys that are known."""
        found = self._sound("vectors", "vectors.key", "0", tokens)
        return {key: vector for key, _, vector in found}

    def put(
        self,
        texts: Sequence[str],
        lengths: Sequence[int],
        tokens: Sequence[bytes],
        vectors: Sequence[Vector],
    ) -> None:
        """Store texts, each with its number of tokens, token key and vector."""
        named = zip(tokens, (vector.tobytes() for vector in vectors), strict=True)
        with self._open() as database:
            database.executemany(
                "INSERT OR IGNORE INTO vectors (key, vector, sum) VALUES (?, ?, ?)",
                ((key, blob, _checksum(key, blob)) for key, blob in named),
            )
            database.executemany(
                "INSERT OR REPLACE INTO texts VALUES (?, ?, ?)",
                zip(map(_text_key, texts), lengths, tokens, strict=True),
            )

    def _sound(
        self, table: str, key: str, length: str, keys: Sequence[bytes]
    ) -> list[tuple[bytes, int, Vector]]:
        """Keys, lengths and vectors; damaged ones are removed.

        Those of an older version have no checksum, and are taken as they are.
        """
        found: list[tuple[bytes, int, Vector]] = []
        damaged: list[tuple[bytes]] = []
        columns = f"{key}, {length}, vectors.key, vectors.vector, vectors.sum"
        with self._open() as database:
            for start in range(0, len(keys), _ROWS_PER_QUERY):
                some = keys[start : start + _ROWS_PER_QUERY]
                marks = ",".join("?" * len(some))
                query = f"SELECT {columns} FROM {table} WHERE {key} IN ({marks})"
                for one, tokens, own, blob, checksum in database.execute(query, some):
                    if checksum in (None, _checksum(own, blob)):
                        found.append((one, tokens, np.frombuffer(blob, dtype=np.float32)))
                    else:
                        damaged.append((own,))
            database.executemany("DELETE FROM vectors WHERE key = ?", damaged)
        if damaged:
            warn(
                f"{len(damaged)} embeddings in the cache are damaged: they are computed anew.",
                stacklevel=3,
            )
        return found

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        path = cache_folder("embeddings") / f"{self.encoder}.sqlite"
        try:
            with closing(sqlite3.connect(path, timeout=60)) as database, database:
                for table in _TABLES:
                    database.execute(f"CREATE TABLE IF NOT EXISTS {table} WITHOUT ROWID")
                with suppress(sqlite3.OperationalError):  # it has that column
                    database.execute("ALTER TABLE vectors ADD COLUMN sum INTEGER")
                yield database
        except sqlite3.Error as error:
            raise SurefootError(
                f"the cache of embeddings {path} cannot be used ({error}). Delete it to compute "
                "them again, or set SUREFOOT_CACHE to a folder with space and write permission."
            ) from None


def _checksum(key: bytes, blob: bytes) -> int:
    return zlib.crc32(blob, zlib.crc32(key))


def token_key(ids: Sequence[int]) -> bytes:
    """A hash of token ids."""
    return hashlib.blake2b(np.asarray(ids, dtype=np.int64).tobytes(), digest_size=16).digest()


def _text_key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
