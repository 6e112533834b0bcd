"""What is cached is used as it was written, or computed again; never with a bit flipped."""

from __future__ import annotations

import gzip
import json
import sqlite3
import time
import warnings

import numpy as np
import pytest
import torch
from language_models import byte_tokenizer, llama, pairs

from surefoot.data import Preferences, read_preferences
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.data.writing import write_preferences
from surefoot.scorers.embeddings.cache import EmbeddingCache
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.reference import ReferencePolicy


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _flip(path, place):
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("suffix", ["arrow", "json"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_a_flipped_bit_of_a_table_is_found(tmp_path, cache, suffix, place):
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(30)))
    before = read_preferences(data)
    labels, texts = before.labels, before.texts("response")
    (kept,) = (cache / "data").glob(f"*.{suffix}")
    _flip(kept, place)
    with pytest.warns(UserWarning, match="damaged: the data are read anew"):
        again = read_preferences(data)
    np.testing.assert_array_equal(again.labels, labels)
    assert again.texts("response") == texts
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_preferences(data)


def test_what_a_killed_process_left_is_taken_away(tmp_path, cache):
    (cache / "data").mkdir(parents=True)
    (cache / "data" / ".part-0123.arrow").write_bytes(b"half")
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(3)))
    read_preferences(data)
    assert not list((cache / "data").glob(".part-*"))


def test_a_flipped_bit_of_an_embedding_is_found(cache):
    kept = EmbeddingCache("encoder")
    vectors = [np.arange(4, dtype=np.float32), np.ones(4, dtype=np.float32)]
    kept.put(["one", "two"], [3, 3], [b"a" * 16, b"b" * 16], vectors)
    path = cache / "embeddings" / "encoder.sqlite"
    with sqlite3.connect(path) as database:
        damaged = vectors[0].tobytes()[:-1] + b"\x41"
        database.execute("UPDATE vectors SET vector = ? WHERE key = ?", (damaged, b"a" * 16))
    database.close()
    with pytest.warns(UserWarning, match="1 embeddings in the cache are damaged"):
        assert set(kept.get(["one", "two"])) == {"two"}
    kept.put(["one"], [3], [b"a" * 16], vectors[:1])
    np.testing.assert_array_equal(kept.get(["one"])["one"][0], vectors[0])
    np.testing.assert_array_equal(kept.known_tokens([b"a" * 16])[b"a" * 16], vectors[0])


def test_embeddings_of_an_older_version_are_used(cache):
    (cache / "embeddings").mkdir(parents=True)
    vector = np.arange(4, dtype=np.float32)
    with sqlite3.connect(cache / "embeddings" / "old.sqlite") as database:
        database.execute("CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
        database.execute("INSERT INTO vectors VALUES (?, ?)", (b"a" * 16, vector.tobytes()))
    database.close()
    found = EmbeddingCache("old").known_tokens([b"a" * 16])
    np.testing.assert_array_equal(found[b"a" * 16], vector)


@pytest.mark.parametrize("place", [0.0, 0.05, 0.9, 1.0])
def test_a_flipped_bit_of_the_reference_is_found(cache, place):
    policy = ReferencePolicy.of(llama(), Engine(torch.device("cpu"), 0), live=False)
    tokens = tokenise(Preferences.from_rows(pairs(4)), byte_tokenizer(), 99)
    before = policy.log_probs(tokens)
    (kept,) = (cache / "reference").iterdir()
    _flip(kept, place)
    with pytest.warns(UserWarning, match="damaged: the reference is computed anew"):
        assert torch.equal(policy.log_probs(tokens), before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(policy.log_probs(tokens), before)


def test_the_same_rows_are_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    """Also where the clock of the machine stands before 1970."""
    rows = Preferences.from_rows(pairs(5))
    for name, now in (("a", 1e9), ("b", 2e9), ("c", -1e6)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        write_preferences(rows, tmp_path / f"{name}.jsonl.gz")
    a, b, c = ((tmp_path / f"{name}.jsonl.gz").read_bytes() for name in "abc")
    assert a == b == c
    assert len(gzip.decompress(a).splitlines()) == 5
