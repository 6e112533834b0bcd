"""What a fit has to say: its optimum, its held-out accuracy, and who got the weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot.objectives import RiskValue
from surefoot.scorers.fit.coefficient import Coefficient
from surefoot.scorers.fit.conflict import SourceConflict
from surefoot.scorers.fit.unit_shares import UnitShare, shares_of
from surefoot.scorers.head import Fit, Head, Problem, margins_of
from surefoot.statistics import Estimate, mean
from surefoot.statistics.ties import credit, side_of_half, side_of_margins

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FitReport:
    """What a fit has to say.

    Attributes:
        warnings: sentences for the user.
        optimum: what is known of the optimum.
        gap: proven distance of the objective from its minimum; infinite where none is proven.
        l2: the ridge penalty in force.
        l2_curve: held-out objective by ridge penalty.
        out_of_fold_margins: (N,) margin of each pair by heads that did not see its prompt.
        out_of_fold_accuracy: their accuracy on the labels as observed.
        conflict: sources tried on each other, where there are several and they are pooled.
        truncated: share of texts that the encoder cut.
        identical: number of pairs whose responses are the same to the encoder.
        risk: objective on the training data, with the worst-case weights.
        units: names of the risk's units.
        coefficient: of a control variate, where it was fitted.
        input_gradient: root mean square of the loss's gradient in the differences of features,
            where there is a Wasserstein ball; the mean over the members.
    """

    warnings: tuple[str, ...]
    optimum: str
    gap: float
    l2: float
    l2_curve: dict[float, float]
    out_of_fold_margins: Array
    out_of_fold_accuracy: Estimate
    conflict: SourceConflict | None
    truncated: float
    identical: int
    risk: RiskValue
    units: tuple[str, ...]
    coefficient: Coefficient | None = None
    input_gradient: float | None = None

    @property
    def shares(self) -> tuple[UnitShare, ...]:
        """Who got the weight; empty where the risk is over single pairs."""
        return shares_of(self.units, self.risk)


def worst_case(problem: Problem, fitted: Fit, head: Head) -> RiskValue:
    """The risk at the optimum (its trailing dimension is 1), the mean over the members.

    Where units tie at the optimum, the weights are those of the mixture that balances them.
    """
    pooled = problem.risk(margins_of(problem.scores(head, fitted.parameters)).double())
    mixed = [
        _mixture(problem, k, margins_of(problem.scores(head, parameters)), shares)
        for k, (parameters, shares) in enumerate(fitted.mixtures)
    ]
    weights = torch.stack([w for w, _ in mixed], dim=-1) if mixed else pooled.weights
    by_unit = torch.stack([u for _, u in mixed], dim=-1) if mixed else pooled.unit_weights

    def average(values: Tensor) -> Tensor:
        return values.mean(-1, keepdim=True)

    return RiskValue(
        average(pooled.value),
        average(weights),
        average(by_unit),
        average(pooled.unit_mass),
        average(pooled.unit_losses),
    )


def _mixture(problem: Problem, fit: int, margins: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (N,) and unit weights (U,) of one fit, from margins (N, T) and shares (T,)."""
    found = problem.risk(margins.double(), torch.full((len(shares),), fit))
    return (found.weights * shares).sum(-1), (found.unit_weights * shares).sum(-1)


def out_of_fold_accuracy(
    margins: Array, labels: Array, clusters: npt.NDArray[np.int64]
) -> Estimate:
    """Share of decided pairs (N,) that heads which did not see them order as labelled."""
    decided = side_of_half(labels) != 0
    right = credit(side_of_margins(margins), labels)
    return mean(right[decided], clusters[decided], covers="training pairs, out of fold")
