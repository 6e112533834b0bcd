"""Small tables of preferences for the tests of evaluation."""

from __future__ import annotations

import numpy as np

from surefoot.data.schema import Preferences


def table(n=200, *, labels=None, groups=None, sources=None, prompts=None, seed=0):
    """Pairs with distinct prompts and responses of random lengths."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n).astype(float) if labels is None else labels
    rows = [
        {
            "prompt": prompts[i] if prompts is not None else f"question {i}",
            "response_a": "a" * int(rng.integers(1, 50)) + f" {i}",
            "response_b": "b" * int(rng.integers(1, 50)) + f" {i}",
            "label": float(labels[i]),
            "group": None if groups is None else groups[i],
            "source": None if sources is None else sources[i],
        }
        for i in range(n)
    ]
    return Preferences.from_rows(rows, name="table")


def rewards_for(preferences, accuracy=0.8, seed=1, scale=1.0):
    """Rewards that are right with this chance on each pair."""
    rng = np.random.default_rng(seed)
    right = rng.random(len(preferences)) < accuracy
    sign = np.where((preferences.labels > 0.5) == right, 1.0, -1.0)
    margin = sign * scale * rng.uniform(0.1, 2, len(preferences))
    return np.stack([margin, np.zeros_like(margin)], axis=1)
