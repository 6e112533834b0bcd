"""Coverage of the interval of the length-controlled win rate, where the truth is known.

    python tests/evaluation/win_rate_coverage.py 2000

prints the table in the docstring of `surefoot.evaluation.policies.win_rate`.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.special import expit

from surefoot.evaluation.policies.win_rate import length_controlled

#: Mean log-ratio of the lengths, slope, intercept, comparisons of a prompt (0: 1 to 15, geometric).
WORLDS = {
    "equal lengths, one a prompt": (0.0, 1.0, 0.3, 1),
    "A twice as long, one a prompt": (0.7, 1.0, 0.3, 1),
    "A twice as long, five a prompt": (0.7, 1.5, -0.5, 5),
    "A longer and better, unequal": (0.5, 1.0, 1.5, 0),
}


def share(world: str, prompts: int, repetitions: int) -> tuple[float, int]:
    """Share of intervals that hold the truth, and how many were given."""
    shift, slope, intercept, size = WORLDS[world]
    rng = np.random.default_rng(1)
    held = given = 0
    for _ in range(repetitions):
        sizes = np.full(prompts, size) if size else np.minimum(rng.geometric(0.25, prompts), 15)
        ids = np.repeat(np.arange(prompts), sizes)
        n = len(ids)
        x = shift + 0.5 * rng.normal(size=prompts)[ids] + 0.4 * rng.normal(size=n)
        # One uniform for all comparisons of a prompt, three times in ten: winners go together.
        alike = rng.random(n) < 0.3
        drawn = np.where(alike, rng.random(prompts)[ids], rng.random(n))
        won = (drawn < expit(intercept + slope * x)).astype(float)
        found = length_controlled([won], [x], [ids])
        if found.low is not None:
            given += 1
            held += found.low <= expit(intercept) <= found.high
    return held / max(given, 1), given


def main() -> None:
    """Print the table."""
    counts = (10, 20, 30, 50, 100, 200)
    print(" " * 32 + "".join(f"{n:7d}" for n in counts))
    for world in WORLDS:
        shares = [share(world, n, int(sys.argv[1]))[0] for n in counts]
        print(f"{world:32}" + "".join(f"{s:7.3f}" for s in shares), flush=True)


if __name__ == "__main__":
    main()
