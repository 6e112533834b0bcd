"""Fixtures and settings shared by all tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # no test may reach a hub
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if "PYTEST_XDIST_WORKER" in os.environ:  # for the commands that tests start, too
    os.environ["OMP_NUM_THREADS"] = "1"
for folder in ("", "objectives"):
    sys.path.insert(0, str(Path(__file__).parent / folder))

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from encoders import WORDS, save_encoder  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

# How long an example takes says how busy the machine is. A run of all tests says the same twice:
# `--hypothesis-profile=drawn` draws other examples.
_ANY_PACE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("drawn", **_ANY_PACE)
settings.register_profile("fixed", derandomize=True, **_ANY_PACE)
settings.load_profile("fixed")


@pytest.fixture(scope="session", autouse=True)
def _one_thread_per_worker():
    """Two pools of threads on two cores spin against each other; results do not depend on it."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory) -> str:
    """One cache for the session, whose embeddings all workers share: texts are embedded once."""
    folder = tmp_path_factory.mktemp("cache")
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = tmp_path_factory.getbasetemp().parent / "embeddings"
        shared.mkdir(exist_ok=True)
        (folder / "embeddings").symlink_to(shared)
    return str(folder)


@pytest.fixture(autouse=True)
def _cache(monkeypatch, shared_cache):
    """Keep the user's cache out of the tests, and the tests out of the user's cache."""
    monkeypatch.setenv("SUREFOOT_CACHE", shared_cache)


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory) -> str:
    """Folder of a small BERT with random weights."""
    return save_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def rows():
    """Makes comparisons whose better response says `good` and whose worse one says `bad`."""

    def make(n: int, seed: int = 0, flip_rate: float = 0.0, **columns: str) -> list[dict]:
        rng = np.random.default_rng(seed)

        def text(word: str) -> str:
            return " ".join([*rng.choice(WORDS, 6), word, *rng.choice(WORDS, 3)])

        made = []
        for i in range(n):
            first = bool(rng.integers(2))
            label = float(first != (rng.random() < flip_rate))
            made.append(
                {
                    "prompt": f"question {seed} {i} " + " ".join(rng.choice(WORDS, 4)),
                    "response_a": text("good" if first else "bad"),
                    "response_b": text("bad" if first else "good"),
                    "label": label,
                    **columns,
                }
            )
        return made

    return make
