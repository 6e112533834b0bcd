"""Heads trained on parts of the rows, each tried on prompts that it did not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.material import Material
from surefoot.statistics.ties import credit, side_of_margins

#: Folds of the rows, prompts apart.
FOLDS = 5


def right_on_parts(material: Material, kept: Floats) -> Floats:
    """Whether heads that were trained on parts of the rows are right out of fold, (N, K).

    All fits are one batch. The ridge penalty that suits all rows suits fewer as a prior does: it
    weighs more beside them.

    Args:
        material: the comparisons.
        kept: (N, K) how much each row counts in training, in [0, 1], for each of K parts.
    """
    import torch

    from surefoot.scorers.head import margins_of
    from surefoot.scorers.heads.linear import Linear

    problem, count = material.problem.plain(), kept.shape[1]
    fold = material.folds(FOLDS)
    outside = (fold[:, None] != np.arange(FOLDS)).astype(np.float64)  # (N, F)
    mass = problem.mass * torch.from_numpy(
        (kept[:, :, None] * outside[:, None]).reshape(len(fold), -1)
    )
    effective = mass.sum(0) ** 2 / mass.square().sum(0).clamp_min(1e-300)
    whole = problem.mass.sum() ** 2 / problem.mass.square().sum()
    fits = replace(
        problem,
        mass=mass + (mass.sum(0) == 0),  # of nothing, any head is a coin's: it is never read
        l2=material.validated.l2 * whole * (1 - 1 / FOLDS) / effective.clamp_min(1.0),
        seeds=problem.seeds * mass.shape[1],
    )
    head = Linear()
    fitted = head.fit(fits, certify=False)
    margins = margins_of(problem.scores(head, fitted.parameters))[: len(fold)].double().numpy()
    own = margins.reshape(len(fold), count, FOLDS)[np.arange(len(fold)), :, fold]
    return credit(side_of_margins(own), material.labels[:, None])
