"""Margins by heads that saw only earlier folds: prequential validation (Dawid 1984).

What a row is predicted with rests on earlier folds alone, so the errors of a sum over rows are
those of a martingale. Where every fold is predicted from all others, each two rows count twice,
once either way, and where there is nothing to learn such a sum has twice the variance that its rows
show.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from surefoot.arrays import Floats, Ints
from surefoot.scorers.head import Problem, margins_of
from surefoot.scorers.heads.linear import Linear


def forward_margins(problem: Problem, fold: Ints) -> Floats:
    """Margins (N,) of each row by a linear head of the folds before its own; NaN in the first fold.

    The ridge penalty of a fold is the one that did best on the folds before it, of those that are
    predicted; where there are none, the strongest.

    Args:
        problem: one fit on all rows; its `l2` is ignored.
        fold: (N,) from 0 on; rows of one prompt share a fold.
    """
    head, rows, count = Linear(), len(fold), int(fold.max(initial=0)) + 1
    penalties = sorted(head.candidates, reverse=True)
    later = torch.arange(1, count)
    earlier = (torch.from_numpy(fold)[:, None] < later).to(problem.mass)  # (N, F - 1)
    batch = replace(
        problem,
        mass=(problem.mass * earlier).repeat(1, len(penalties)),
        l2=torch.tensor(penalties, dtype=torch.float64).repeat_interleave(len(later)),
        seeds=problem.seeds * (len(penalties) * len(later)),
    )
    fitted = head.fit(batch, certify=False)
    margins = margins_of(problem.scores(head, fitted.parameters))
    losses = _by_penalty(problem.losses(margins)[:rows], len(later))
    weighted = losses * problem.mass.numpy()[:, :, None]
    margin, found = _by_penalty(margins[:rows], len(later)), np.full(rows, np.nan)
    so_far = np.zeros(len(penalties))
    for k in range(1, count):
        here = fold == k
        found[here] = margin[here, int(so_far.argmin()), k - 1]
        so_far = so_far + weighted[here, :, k - 1].sum(0)
    return found


def _by_penalty(values: Tensor, folds: int) -> Floats:
    """Values (N, L, F) of heads (N, L F)."""
    return np.asarray(values.detach().double().unflatten(1, (-1, folds)).numpy(), dtype=np.float64)
