"""Coverage by simulation: `python tests/statistics/coverage_worlds.py [REPETITIONS] [WORDS]`.

WORDS are those of the rows to print, or of their table: clusters or seeds.

Each world draws (values, clusters) whose mean is known. The tests use the same worlds. Bounded and
heavy-tailed quantities are in `benchmarks/worlds.py`, and measured by `benchmarks/intervals.py`.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy import stats

from surefoot.statistics import hierarchical, mean, paired_difference, worst_group


def sizes_of(rng, count, equal):
    return np.full(count, 5) if equal else np.minimum(1 + rng.geometric(0.2, count), 40)


def clusters_of(rng, count, equal):
    return np.repeat(np.arange(count), sizes_of(rng, count, equal))


def binary(rng, count, equal=True, share=0.7, rho=0.3):
    """Right or wrong, correlated in clusters (beta-binomial); true mean `share`."""
    ids = clusters_of(rng, count, equal)
    a = (1 - rho) / rho
    p = rng.beta(share * a, (1 - share) * a, size=count)
    return (rng.random(len(ids)) < p[ids]).astype(float), ids


def binary_single(rng, count, share=0.7):
    return (rng.random(count) < share).astype(float), np.arange(count)


def normal(rng, count, equal=True):
    ids = clusters_of(rng, count, equal)
    return 0.6 * rng.normal(size=count)[ids] + 0.8 * rng.normal(size=len(ids)), ids


def skewed(rng, count, equal=True):
    """Log-loss of a Bradley-Terry model: skewed; true mean by quadrature below."""
    ids = clusters_of(rng, count, equal)
    margins = 1.0 + 0.8 * rng.normal(size=count)[ids] + 1.2 * rng.normal(size=len(ids))
    return np.logaddexp(0.0, -margins), ids


def _skewed_mean():
    grid = np.linspace(-12, 14, 20001)
    spread = np.sqrt(0.8**2 + 1.2**2)
    return float(np.trapezoid(np.logaddexp(0, -grid) * stats.norm.pdf(grid, 1.0, spread), grid))


SKEWED_MEAN = _skewed_mean()


def tournament(rng, count, density=1.0, threshold=False):
    """Pairs of `count` nodes with node effects; true mean 0 (or 1/2 when thresholded)."""
    a, b = np.triu_indices(count, 1)
    kept = (rng.random(len(a)) < density) | (b == a + 1)  # every node in some pair
    a, b = a[kept], b[kept]
    effect = 0.7 * rng.normal(size=count)
    values = effect[a] + effect[b] + rng.normal(size=len(a))
    if threshold:
        values = (values > 0).astype(float)
    return values, np.stack([a, b], axis=1)


def seeds_and_items(rng, seeds, count, seed_sd=0.1, item_sd=0.5, noise_sd=0.8):
    """Crossed: the same items for each seed; true mean 0."""
    ids = np.repeat(np.arange(count), 2)
    return (
        seed_sd * rng.normal(size=(seeds, 1))
        + item_sd * rng.normal(size=count)[ids]
        + noise_sd * rng.normal(size=(seeds, len(ids)))
    ), ids


def seeds_and_splits(rng, seeds, count, seed_sd=0.1, item_sd=0.5, noise_sd=0.8, share=0.3):
    """Ragged: each seed draws its own test split of one pool; true mean 0."""
    pool = item_sd * rng.normal(size=count)
    values, ids = [], []
    for _ in range(seeds):
        chosen = np.flatnonzero(rng.random(count) < share)
        noise = noise_sd * rng.normal(size=len(chosen))
        values.append(seed_sd * rng.normal() + pool[chosen] + noise)
        ids.append(chosen)
    return values, ids


def pair_of_models(rng, count, equal=True, gap=0.0):
    """Two models' right-or-wrong on the same items; true difference `gap`."""
    ids = clusters_of(rng, count, equal)
    base = rng.beta(3.5, 1.5, size=count)[ids] * (1 - gap)
    same = rng.random(len(ids)) < 0.5
    u, v = rng.random(len(ids)), rng.random(len(ids))
    a = u < base + gap
    b = np.where(same, u, v) < base
    return a.astype(float), b.astype(float), ids


def hits(estimate, truth):
    if estimate.low is None:
        raise AssertionError(estimate.note)
    return estimate.low <= truth <= estimate.high


def coverage(draw, truth, repetitions, seed=0):
    """Share of intervals that hold the truth, over worlds drawn by `draw(rng)`."""
    rng = np.random.default_rng(seed)
    return float(np.mean([hits(draw(rng), truth) for _ in range(repetitions)]))


def _groups(rng, count):
    true = np.array([0.6, 0.62, 0.64, 0.8, 0.8, 0.8, 0.8, 0.8])
    parts = [binary(rng, count, equal=False, share=p, rho=0.2) for p in true]
    values = np.concatenate([v for v, _ in parts])
    groups = np.concatenate([np.full(len(v), f"g{k}") for k, (v, _) in enumerate(parts)])
    ids = np.concatenate([c + 1000 * k for k, (_, c) in enumerate(parts)])
    return worst_group(values, groups, ids).value


MEANS = {
    "binary, one row a cluster": (lambda r, g: mean(*binary_single(r, g)), 0.7),
    "binary .95, one row a cluster": (lambda r, g: mean(*binary_single(r, g, 0.95)), 0.95),
    "binary, equal clusters": (lambda r, g: mean(*binary(r, g)), 0.7),
    "binary, unequal clusters": (lambda r, g: mean(*binary(r, g, equal=False)), 0.7),
    "binary .9, unequal clusters": (lambda r, g: mean(*binary(r, g, False, 0.9)), 0.9),
    "binary .97, unequal clusters": (
        lambda r, g: mean(*binary(r, g, False, 0.97, rho=0.2)),
        0.97,
    ),
    "normal, equal clusters": (lambda r, g: mean(*normal(r, g)), 0.0),
    "normal, unequal clusters": (lambda r, g: mean(*normal(r, g, equal=False)), 0.0),
    "log-loss, equal clusters": (lambda r, g: mean(*skewed(r, g)), SKEWED_MEAN),
    "log-loss, unequal clusters": (lambda r, g: mean(*skewed(r, g, equal=False)), SKEWED_MEAN),
    "complete tournament, continuous": (lambda r, g: mean(*tournament(r, g)), 0.0),
    "complete tournament, binary": (lambda r, g: mean(*tournament(r, g, threshold=True)), 0.5),
    "sparse tournament, continuous": (lambda r, g: mean(*tournament(r, g, 0.2)), 0.0),
    "paired difference, no gap": (lambda r, g: _difference(r, g, 0.0), 0.0),
    "paired difference, gap .1": (lambda r, g: _difference(r, g, 0.1), 0.1),
    "worst of 8 groups": (_groups, 0.6),
}


def _difference(rng, count, gap):
    a, b, ids = pair_of_models(rng, count, False, gap)
    return paired_difference(a, b, ids).difference


SEEDS = {
    "crossed, seeds matter little": (lambda r, s, g: hierarchical(*seeds_and_items(r, s, g)), 0.0),
    "crossed, seeds dominate": (
        lambda r, s, g: hierarchical(*seeds_and_items(r, s, g, seed_sd=0.3, item_sd=0.2)),
        0.0,
    ),
    "crossed, no seed effect": (
        lambda r, s, g: hierarchical(*seeds_and_items(r, s, g, seed_sd=0.0)),
        0.0,
    ),
    "own splits of one pool": (lambda r, s, g: hierarchical(*seeds_and_splits(r, s, g)), 0.0),
    "own splits, no seed effect": (
        lambda r, s, g: hierarchical(*seeds_and_splits(r, s, g, seed_sd=0.0)),
        0.0,
    ),
}


def print_table(title, worlds, counts, repetitions, only, *extra):
    """One row for each world, one column for each number of clusters or seeds."""
    print(f"{title:34s}" + "".join(f"{c:>7d}" for c in counts))
    for name, (draw, truth) in worlds.items():
        if only in f"{title} {name}":
            row = [
                coverage(lambda r, d=draw, c=c: d(r, c, *extra), truth, repetitions) for c in counts
            ]
            print(f"{name:34s}" + "".join(f"{x:7.3f}" for x in row), flush=True)


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    words = " ".join(sys.argv[2:])
    print_table("clusters", MEANS, (10, 20, 30, 50, 100, 200), chosen, words)
    print_table("seeds (100 items x 2)", SEEDS, (3, 5, 8, 10), chosen, words, 100)
