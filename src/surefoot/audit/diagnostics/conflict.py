"""Do two sources or groups want opposite things?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from surefoot.audit.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.audit.material import Material, parts_of
from surefoot.scorers.head import margins_of
from surefoot.scorers.heads.linear import Linear
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import credit, side_of_margins

FEWEST = 200
MOST = 12
RIDGE = 0.3


def conflict(material: Material) -> Iterator[Measurement | Lacking]:
    """Heads trained on one part and tried on another, prompts apart: below 1/2 they contradict."""
    if not material.groupings:
        yield Lacking(f"{DIAGNOSTIC.name}: a column source or group with two names or more.")
        return
    halves = material.folds(2)
    for column, names in material.groupings.items():
        parts = parts_of(names, FEWEST)[:MOST]
        if len(parts) < 2:
            yield Lacking(f"{DIAGNOSTIC.name}: two names in {column} with {FEWEST} rows each.")
            continue
        right = _right(material, names, parts, halves)
        found = []
        for i, one in enumerate(parts):
            for j, other in enumerate(parts[:i]):
                # What each teaches of the other, both ways; a pair is as opposed as its weaker way.
                ways = [
                    _below(material, right[k], names == part) for k, part in ((i, other), (j, one))
                ]
                found.append((other, one, *max(ways, key=lambda way: way[1] and -way[0] / way[1])))
        first, second, value, error, freedom = max(found, key=lambda one: one[2] / one[3])
        test = MinimumEffect(value, error, freedom, 0.0, picked=len(found))
        size = test.estimate(len(names), "prompts")
        yield Measurement(
            of=column,
            size=size,
            test=test,
            seen=f"What {column} {first!r} and {second!r} teach of each other has, the better way "
            f"round of the two, an accuracy {size} below one half.",
            remedy={"scorer": {"source_aware": True}} if column == "source" else {},
            advice=f"Train one model for each {column}, or one that knows it.",
            details={"parts": parts},
        )


def _right(
    material: Material,
    names: np.ndarray,
    parts: list[str],
    halves: np.ndarray,
) -> np.ndarray:
    """Whether a head trained on each part, in the other half of prompts, is right; (P, N)."""
    problem = material.problem.plain()
    member = np.stack([names == part for part in parts], axis=1)
    masses = [
        problem.mass * torch.from_numpy((member & (halves != half)[:, None]).astype(float))
        for half in (0, 1)
    ]
    seeds = problem.seeds * (2 * len(parts))
    mass = torch.cat(masses, dim=1)
    batch = replace(
        problem, mass=mass, l2=torch.full((mass.shape[1],), RIDGE, dtype=torch.float64), seeds=seeds
    )
    head = Linear()
    fitted = head.fit(batch, certify=False)
    margins = margins_of(problem.scores(head, fitted.parameters))[: len(names)].double().numpy()
    of_half = np.where(halves[:, None] == 0, margins[:, : len(parts)], margins[:, len(parts) :])
    return credit(side_of_margins(of_half), material.labels[:, None]).T


def _below(material: Material, right: np.ndarray, rows: np.ndarray) -> tuple[float, float, float]:
    """How far accuracy on some rows lies below 1/2, its error, and degrees of freedom."""
    prompts = material.prompts[rows]
    if len(np.unique(prompts)) < FEWEST_CLUSTERS:
        return 0.0, 1.0, 1.0
    found = spread(right[rows], Dependence.of(prompts, len(prompts)), np.ones(len(prompts)))
    return 0.5 - found.mean, max(found.error, 0.5 / len(prompts)), found.freedom


DIAGNOSTIC = Diagnostic(
    name="conflict",
    threat="conflict",
    question="Do two parts of the data want opposite things?",
    unit="accuracy below one half of what one part teaches of another",
    matters=0.0,
    reference=0.05,
    null="what one part teaches of another is at least as good as a coin",
    measure=conflict,
    embeds=True,
)
