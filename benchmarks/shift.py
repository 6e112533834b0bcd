"""Shift from training to deployment: the size and power of the test, the coverage of the distances.

    python -m benchmarks.shift [--worlds 1000] [--output benchmarks/results]

writes `shift.json` and the tables of it, `shift.md`; some 20 minutes on one core. Prompts are
vectors in 32 dimensions around 20 topics, which lie about 8 deviations of a coordinate apart;
`formless` has no topics. Topics have 5 % each. A moved mean is in deviations of a coordinate.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from experiments.common import results
from surefoot.arrays import Floats
from surefoot.scorers.embeddings.clusters import clusters_of_texts, k_means
from surefoot.statistics.shift import DISTANCES, OneLaw, one_law, shift

Cell = tuple[int, int, int]

DIMENSIONS, TOPICS = 32, 20
SIZES = ((60, 600), (100, 1000), (200, 1000))
CLUSTERS = (16, 64)
#: Of k-means, a fifth of the audit's: which clusters are found has no part in what is promised.
STARTS = 2
POPULAR = 50
#: Prompts that a law of deployment consists of, where its true shares have to be known.
POOL = 2000


@dataclass(frozen=True)
class World:
    """How two samples are drawn.

    Attributes:
        missing: share of the topics that deployment lacks.
        new: share of the topics that training lacks.
        moved: how far all prompts of deployment are moved.
        topics: whether there are any.
        repeated: 0; else both sides draw, with replacement, from this number of prompts.
        popular: share of the rows that are of 50 prompts of one kind, the k-th as often as 1 / k.
    """

    missing: float = 0.0
    new: float = 0.0
    moved: float = 0.0
    topics: bool = True
    repeated: int = 0
    popular: float = 0.0

    def law(self, rng: np.random.Generator) -> Law:
        """The two laws of one such world."""
        centres = rng.normal(size=(TOPICS, DIMENSIONS)) * self.topics
        lacks = rng.permutation(TOPICS) / TOPICS
        before = (lacks >= self.new) / (lacks >= self.new).sum()
        after = (lacks < 1 - self.missing) / (lacks < 1 - self.missing).sum()
        direction = rng.normal(size=DIMENSIONS)
        move = self.moved * direction / np.linalg.norm(direction)
        return Law(centres, (before, after), (np.zeros(DIMENSIONS), move))


@dataclass(frozen=True)
class Law:
    """Topics' centres (T, D), their shares in training and deployment, how far either is moved."""

    centres: Floats
    shares: tuple[Floats, Floats]
    moves: tuple[Floats, Floats]

    def draw(self, rng: np.random.Generator, side: int, count: int) -> Floats:
        """Vectors (count, D) of prompts of training (0) or deployment (1)."""
        topics = rng.choice(TOPICS, count, p=self.shares[side])
        noise = rng.normal(size=(count, DIMENSIONS))
        return self.centres[topics] + noise + self.moves[side]


class Drawn:
    """An encoder of prompts that are named by their numbers."""

    def __init__(self, vectors: Floats) -> None:
        self.vectors = vectors

    def embed(self, texts: Sequence[str], keep: str = "left", description: str = "") -> Floats:
        return self.vectors[[int(text) for text in texts]]


def samples(
    world: World, n: int, m: int, rng: np.random.Generator
) -> tuple[list[str], list[str], list[str], Drawn]:
    """Distinct prompts of n and m rows: of the one side, the other and both, and their reader."""
    law = world.law(rng)
    if world.repeated:
        vectors = law.draw(rng, 0, world.repeated)
        rows = [rng.choice(world.repeated, size) for size in (n, m)]
    else:
        number = rng.permutation(n + m)  # which says nothing of the side, as texts do not
        rows = [number[:n], number[n:]]
        vectors = np.empty((n + m, DIMENSIONS))
        for side, own in enumerate(rows):
            vectors[own] = law.draw(rng, side, len(own))
    if world.popular:
        alike = law.centres[0] + rng.normal(size=(POPULAR, DIMENSIONS))
        often = 1 / np.arange(1, POPULAR + 1)
        for own in rows:
            again = rng.random(len(own)) < world.popular
            drawn = rng.choice(POPULAR, again.sum(), p=often / often.sum())
            own[again] = len(vectors) + drawn
        vectors = np.concatenate([vectors, alike])
    first, second = (set(own.tolist()) for own in rows)
    parts = first - second, second - first, first & second
    before, after, both = ([str(i) for i in sorted(part)] for part in parts)
    return before, after, both, Drawn(vectors)


def test(world: World, n: int, m: int, clusters: int, seed: int) -> OneLaw:
    """The test as the audit makes it."""
    before, after, both, encoder = samples(world, n, m, np.random.default_rng(seed))
    own, count = clusters_of_texts(before + after + both, encoder, clusters, seed, STARTS)
    first, second, shared = np.split(own, np.cumsum([len(before), len(after)]))
    return one_law(first, second, count, seed, shared)


def by_clusters_of_training(world: World, n: int, m: int, clusters: int, seed: int) -> OneLaw:
    """The same by clusters of one side: not valid, for comparison."""
    before, after, _, encoder = samples(world, n, m, np.random.default_rng(seed))
    vectors = encoder.embed(before)
    centroids = k_means(vectors, min(clusters, len(vectors)), seed, STARTS)
    sides = (nearest(encoder.embed(side), centroids) for side in (before, after))
    return one_law(*sides, len(centroids), seed)


def nearest(vectors: Floats, centroids: Floats) -> npt.NDArray[np.int64]:
    """The closest centroid (n,) of each vector."""
    squares = (centroids**2).sum(1) - 2 * vectors @ centroids.T
    return np.asarray(squares.argmin(1))


def rejections(
    world: World, n: int, m: int, clusters: int, worlds: Iterable[int], of: Any = test
) -> dict[str, Any]:
    """How often p <= .05, with an interval."""
    small = [of(world, n, m, clusters, seed).p_value <= 0.05 for seed in worlds]
    between = binomtest(sum(small), len(small)).proportion_ci(method="wilson")
    return {
        "share": float(np.mean(small)),
        "interval": [between.low, between.high],
        "worlds": len(small),
    }


def coverage(world: World, n: int, m: int, clusters: int, worlds: Iterable[int]) -> dict[str, Any]:
    """How often intervals hold the distance, and their safe end lies beyond it, by kind."""
    held: dict[str, list[tuple[bool, bool]]] = {kind: [] for kind in DISTANCES}
    for seed in worlds:
        rng = np.random.default_rng(seed)
        law = world.law(rng)
        training, pool = law.draw(rng, 0, n), law.draw(rng, 1, POOL)
        pairs = rng.geometric(0.5, n)
        centroids = k_means(training, clusters, seed, STARTS)
        count = len(centroids)
        before, cells = nearest(training, centroids), nearest(pool, centroids)
        p = np.bincount(before, pairs, count) / pairs.sum()
        q = np.bincount(cells, minlength=count) / POOL
        found = shift(before, cells[rng.choice(POOL, m)], count, seed, pairs=pairs)
        for kind, of in DISTANCES.items():
            truth, one = float(of(q, p)), found.distances[kind]
            assert one.low is not None
            assert one.high is not None
            safe = one.low <= truth + 1e-12 if kind == "cvar" else truth <= one.high + 1e-12
            held[kind].append((one.low - 1e-12 <= truth <= one.high + 1e-12, safe))
    return {
        kind: {
            "held": float(np.mean([h for h, _ in got])),
            "safe": float(np.mean([s for _, s in got])),
        }
        for kind, got in held.items()
    }


HARDER = {
    "formless": World(topics=False),
    "400 prompts, drawn again and again": World(repeated=400),
    "three rows in ten of 50 popular prompts": World(popular=0.3),
}
POWER = {
    **{f"{share:.0%} of training is missing": World(missing=share) for share in (0.05, 0.1, 0.2)},
    **{f"{share:.0%} is new": World(new=share) for share in (0.1, 0.2)},
    **{f"all moved by {by:g}": World(moved=by) for by in (1.0, 2.0)},
}
LAWS = {
    "one law": World(),
    "20% of training is missing": World(missing=0.2),
    "10% is new": World(new=0.1),
    "all moved by 1": World(moved=1.0),
}
CELLS = tuple((n, m, k) for n, m in SIZES for k in CLUSTERS)
#: Those of power, and those whose training prompts are enough for their clusters.
ENDS = tuple(cell for cell in CELLS if cell[0] != 100)
ENOUGH = ((60, 600, 16), (200, 1000, 16), (200, 1000, 64))
COVERED = (*ENOUGH, (1000, 60, 16))


def measure(worlds: int) -> dict[str, Any]:
    """Every figure."""
    some, few = range(max(2 * worlds // 5, 1)), range(max(worlds // 5, 1))
    return {
        "size": [
            *_each({"topics": World()}, CELLS, lambda *cell: rejections(*cell, range(worlds))),
            *_each(HARDER, ENOUGH, lambda *cell: rejections(*cell, range(worlds))),
        ],
        "clusters_of_training": _each(
            {"topics": World()},
            CELLS,
            lambda *cell: rejections(*cell, few, by_clusters_of_training),
        ),
        "power": _each(POWER, ENDS, lambda *cell: rejections(*cell, few)),
        "coverage": _each(LAWS, COVERED, lambda *cell: coverage(*cell, some)),
    }


def _each(laws: Mapping[str, World], cells: Iterable[Cell], of: Any) -> list[dict[str, Any]]:
    """One row of figures for every world and every cell."""
    rows = []
    for name, world in laws.items():
        for n, m, k in cells:
            rows.append({"world": name, "training": n, "deployment": m, "clusters": k})
            rows[-1] |= of(world, n, m, k)
            print(json.dumps(rows[-1]), flush=True)
    return rows


def tables(found: Mapping[str, Any]) -> str:
    """As Markdown."""
    head = ("training / deployment", "clusters")
    share = "p <= .05"
    parts = [
        (
            "How often p <= .05 where both sides are of one law.",
            ("prompts", *head, share),
            [[*_cell(row), _with_interval(row)] for row in found["size"]],
        ),
        (
            "The same by clusters of the training prompts alone, which the audit does not use.",
            ("prompts", *head, share),
            [[*_cell(row), _with_interval(row)] for row in found["clusters_of_training"]],
        ),
        (
            "How often p <= .05 where they are not.",
            ("shift", *head, share),
            [[*_cell(row), _with_interval(row)] for row in found["power"]],
        ),
        (
            "How often the interval of 95 % holds the distance from the training pairs to the law "
            "of deployment.",
            ("shift", *head, *DISTANCES),
            [
                [*_cell(row), *(_short(row[kind]["held"]) for kind in DISTANCES)]
                for row in found["coverage"]
            ],
        ),
    ]
    return "\n".join(_table(*part) for part in parts)


def _cell(row: Mapping[str, Any]) -> list[str]:
    return [row["world"], f"{row['training']} / {row['deployment']}", str(row["clusters"])]


def _with_interval(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    return f"{_short(row['share'])} [{_short(low)}, {_short(high)}]"


def _short(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if value < 1 else f"{value:.3f}"


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return caption + "\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=1000, help="of a cell of the test's size")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    found = measure(given.worlds)
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "shift.json").write_text(results.written(found))
    (given.output / "shift.md").write_text(tables(found))


if __name__ == "__main__":
    main()
