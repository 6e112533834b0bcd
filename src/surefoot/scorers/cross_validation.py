"""Folds of a batch of heads: the ridge penalty, the temperature and out-of-fold margins."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from surefoot.scorers.head import Head, Problem, margins_of


@dataclass(frozen=True)
class CrossValidation:
    """What the folds say.

    Attributes:
        l2: the chosen ridge penalty.
        curve: held-out value of the objective by ridge penalty.
        margins: (N,) margins of each pair by the heads that did not see it, at the chosen penalty.
    """

    l2: float
    curve: dict[float, float]
    margins: Tensor


def cross_validate(head: Head, problem: Problem, folds: Tensor) -> CrossValidation:
    """Fit every fold at every ridge penalty, in one batch, and choose by held-out objective.

    Args:
        head: options; its `l2` is one number or "auto".
        problem: one fit (K = 1) on all rows; its `l2` is ignored.
        folds: (N,) fold of each row; rows of one prompt share a fold.
    """
    penalties = head.candidates() if head.l2 == "auto" else (float(head.l2),)
    count = int(folds.max()) + 1
    held_out = torch.nn.functional.one_hot(folds, count).to(problem.mass)  # (N, F)
    mass = problem.mass * (1 - held_out)
    batch = replace(
        problem,
        mass=mass.repeat(1, len(penalties)),
        l2=torch.tensor(penalties, dtype=torch.float64).repeat_interleave(count),
        seeds=problem.seeds * (count * len(penalties)),
    )
    fitted = head.fit(batch, certify=False)
    margins = margins_of(head.rewards(fitted.parameters, problem.features))
    by_penalty = margins.unflatten(1, (len(penalties), count))  # (N, L, F)
    out_of_fold = (by_penalty * held_out[:, None].to(margins)).sum(-1)  # (N, L)
    everywhere = replace(problem, mass=problem.mass.expand(-1, len(penalties)))
    values = everywhere.risk(out_of_fold).value
    # Of equals the strongest: they differ where nothing can be learnt at all.
    best = len(penalties) - 1 - int(values.flip(0).argmin())
    curve = dict(zip(penalties, values.tolist(), strict=True))
    return CrossValidation(penalties[best], curve, out_of_fold[:, best])


def fit_temperature(margins: Tensor, labels: Tensor, mass: Tensor, flip_rate: float = 0.0) -> float:
    """The T for which sigma(margin / T) is the likeliest P(a preferred).

    Args:
        margins: (N,) from heads that did not see the pair.
        labels: (N,) P(a preferred) as observed.
        mass: (N,) weight of each pair.
        flip_rate: share of labels taken to be flipped: the likelihood is that of the observed
            labels, the probability that of the clean ones.
    """
    y, weight = labels.double(), mass.double() / mass.sum()
    scale = float((weight * margins.double().square()).sum().sqrt())
    if scale == 0:  # every pair a tie: any temperature says 1/2
        return 1.0
    z = margins.double() / scale

    def log_loss(log_slope: float) -> float:
        clean = torch.sigmoid(z * torch.tensor(log_slope).exp())
        seen = ((1 - 2 * flip_rate) * clean + flip_rate).clamp(1e-12, 1 - 1e-12)
        return float(-(weight * (y * seen.log() + (1 - y) * (1 - seen).log())).sum())

    slope = minimize_scalar(log_loss, bounds=(-8, 5), method="bounded").x
    return scale / float(torch.tensor(slope).exp())
