"""Folds of a batch of heads: the ridge penalty and out-of-fold margins."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surefoot.errors import DataError
from surefoot.scorers.head import Head, Problem, margins_of


@dataclass(frozen=True)
class CrossValidation:
    """What the folds say."""

    l2: float  #: the chosen ridge penalty
    curve: dict[float, float]  #: held-out value of the objective by ridge penalty
    margins: Tensor  #: (N,) of each pair by the heads that did not see it, at the chosen penalty


def cross_validate(head: Head, problem: Problem, folds: Tensor) -> CrossValidation:
    """Fit every fold at every ridge penalty, in one batch, and choose by held-out objective.

    Args:
        head: options; its `l2` is one number or "auto".
        problem: one fit on all rows; its `l2` is ignored.
        folds: (N,) fold of each row; rows of one prompt share a fold.

    Raises:
        DataError: all rows that have a weight share a fold.
    """
    penalties = head.candidates if head.l2 == "auto" else (float(head.l2),)
    choices, count = len(penalties), int(folds.max()) + 1
    held_out = torch.nn.functional.one_hot(folds, count).to(problem.mass)  # (N, F)
    mass = problem.mass * (1 - held_out)
    if not bool((mass.sum(0) > 0).all()):
        raise DataError(
            f"all the weight lies in one of {count} folds: nothing is left to fit on where that is "
            "held out. Give more prompts a weight above 0, or fold by row (scorer.fold_by)."
        )
    batch = replace(
        problem,
        mass=mass.repeat(1, choices),
        l2=torch.tensor(penalties, dtype=torch.float64).repeat_interleave(count),
        seeds=problem.seeds * (choices * count),
    )
    fitted = head.fit(batch, certify=False)
    margins = margins_of(problem.scores(head, fitted.parameters))  # (N + P, L F)

    def of_its_fold(values: Tensor) -> Tensor:
        """(N, L) by the head that did not see the row, from values (N, L F)."""
        by_fold = values.unflatten(1, (choices, count))
        return (by_fold * held_out[:, None].to(values)).sum(-1)

    out_of_fold = of_its_fold(margins[: len(held_out)])
    losses = of_its_fold(problem.losses(margins))
    values = problem.risk_of(losses, problem.mass.expand_as(losses)).value
    # Of equals the strongest: they differ where nothing can be learnt at all.
    best = choices - 1 - int(values.flip(0).argmin())
    curve = dict(zip(penalties, values.tolist(), strict=True))
    return CrossValidation(penalties[best], curve, out_of_fold[:, best])
