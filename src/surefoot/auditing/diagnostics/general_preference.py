"""Do labels go round in circles that a model can foresee: is there more than a reward for each?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.special import expit

from surefoot.arrays import Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.encompassing import added_by
from surefoot.statistics.logistic import fit

if TYPE_CHECKING:
    from surefoot.scorers.head import Problem

#: As for shortcuts, and as small: it moves 52.5 % of the labels one way.
MATTERS = 0.1
FEWEST = 200
#: Rows above this are left out, whole prompts at random.
MOST = 20_000
#: Directions in which the responses of a prompt differ most; of 16 there are 120 planes.
DIRECTIONS = 16


def general_preference(material: Material) -> Iterator[Measurement | Lacking]:
    """Labels regressed on margins of rewards and on v_a' S v_b, S' = -S, of earlier folds."""
    rows = _compared(material)
    if len(rows) < FEWEST or len(np.unique(material.prompts[rows])) < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST} rows on prompts that compare three responses or more; "
            f"there are {len(rows)}. Two responses to a prompt always have rewards that explain "
            "them."
        )
        return
    planes = _planes(material, rows)
    if planes.shape[1] == 0:
        yield Lacking(f"{DIAGNOSTIC.name}: responses that differ in two directions.")
        return
    from surefoot.scorers.fit.prequential import forward_margins

    skew = forward_margins(_problem(material, rows, planes), material.folds(5)[rows])
    tried = np.isfinite(skew) & (material.weights[rows] > 0)
    rows, skew = rows[tried], skew[tried]
    labels, weights, prompts = material.labels[rows], material.weights[rows], material.prompts[rows]
    margins, placed = material.margins[rows], material.placed[rows]
    test = None
    if len(np.unique(prompts)) >= FEWEST_CLUSTERS:
        test = added_by(skew, margins, placed, labels, prompts, weights, MATTERS)
    if test is None:
        yield Lacking(f"{DIAGNOSTIC.name}: {FEWEST_CLUSTERS} prompts beside those to learn from.")
        return
    size = test.estimate(len(material.labels), "prompts")
    models = [np.column_stack(one) for one in ([margins, placed], [margins, placed, skew])]
    alone, with_it = (one @ fit(one, labels, weights) for one in models)
    turned = np.flatnonzero((alone > 0) != (with_it > 0))
    moved = np.abs(expit(with_it) - expit(alone))[turned]
    order = np.argsort(-moved, kind="stable")
    yield Measurement(
        size=size,
        test=test,
        seen=f"Beside a reward for each response, who is compared with whom moves the labels by "
        f"{size} log-odds for a standard deviation, on {len(rows):,} pairs of prompts that were "
        "not learnt from.",
        rows=RowScores(rows[turned[order]], moved[order]),
        remedy={"scorer": {"head": {"kind": "general-preference", "reward": True}}},
        advice="A scorer of pairs gives no response a number: judge pairs with it, or let it be "
        "the auxiliary model of a policy. Where several people voted, see whether camps explain "
        "it.",
    )


def _compared(material: Material) -> Ints:
    """Rows (M,) of prompts that compare three responses or more, at most so many, sorted."""
    _, prompt = np.unique(material.prompts, return_inverse=True)
    distinct = np.unique(np.stack([np.repeat(prompt, 2), material.responses.ravel()]), axis=1)[0]
    several = np.bincount(distinct, minlength=int(prompt.max(initial=-1)) + 1) >= 3
    rows = np.flatnonzero(several[prompt])
    if len(rows) <= MOST:
        return rows
    rank = np.random.default_rng(0).permutation(len(several))[prompt[rows]]
    return np.sort(rows[np.argsort(rank, kind="stable")[:MOST]])


def _planes(material: Material, rows: Ints) -> Floats:
    """a_i b_j - a_j b_i (M, P) of the responses' places among those of their prompt.

    Less the mean of a prompt's responses these are uncorrelated with r(a) - r(b) for every reward
    r, also one that depends on the prompt: the mean of the others lies opposite to a response.
    """
    ids, first, place = np.unique(
        material.responses[rows].ravel(), return_index=True, return_inverse=True
    )
    vectors = material.problem.features[rows].flatten(0, 1)[first].numpy().astype(np.float64)
    _, prompt = np.unique(np.repeat(material.prompts[rows], 2)[first], return_inverse=True)
    member = sparse.csr_array((np.ones(len(ids)), (prompt, np.arange(len(ids)))))
    vectors -= ((member @ vectors) / member.sum(1)[:, None])[prompt]
    spread, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    kept = np.flatnonzero(spread > 1e-6 * max(float(spread.max()), 1e-300))[-DIRECTIONS:]
    places = (vectors @ axes[:, kept] / np.sqrt(spread[kept]))[place].reshape(len(rows), 2, -1)
    i, j = np.triu_indices(len(kept), 1)
    a, b = places[:, 0], places[:, 1]
    return a[:, i] * b[:, j] - a[:, j] * b[:, i]


def _problem(material: Material, rows: Ints, planes: Floats) -> Problem:
    """A fit of labels to planes (M, P): a linear head whose margin is a sum of them."""
    import torch

    from surefoot.objectives import Evidence, Objective

    half = torch.from_numpy(planes / 2).to(material.problem.features.dtype)
    return replace(
        material.problem,
        features=torch.stack([half, -half], dim=1),
        objective=Objective(),
        evidence=Evidence(torch.from_numpy(material.labels[rows])),
        mass=material.problem.mass[rows],
        units=None,
        context=None,
        shared={},
    )


DIAGNOSTIC = Diagnostic(
    name="general preference",
    threat="misspecification",
    question="Do labels depend on who is compared with whom, beyond a reward for each?",
    unit="log-odds for a standard deviation of what rewards cannot say",
    matters=MATTERS,
    reference=0.3,
    null="given the rewards, what a general preference model foresees moves the label by at most "
    "this much",
    measure=general_preference,
    embeds=True,
    source="Zhang et al. (2410.02197), general preference model with a linear embedding",
)
