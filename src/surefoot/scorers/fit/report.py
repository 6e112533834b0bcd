"""What a fit has to say: its optimum, its held-out accuracy, and who got the weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from surefoot.arrays import Floats, Ints
from surefoot.objectives import RiskValue
from surefoot.scorers.fit.coefficient import Coefficient
from surefoot.scorers.fit.conflict import SourceConflict
from surefoot.scorers.head import Fit, Head, Parameters, Problem, margins_of
from surefoot.statistics import Estimate, mean
from surefoot.statistics.estimate import Result
from surefoot.statistics.ties import credit, side_of_half, side_of_margins


@dataclass(frozen=True)
class UnitShare(Result):
    """What a risk did to a unit."""

    unit: str  #: its name
    mass: float  #: its weight before robustness; all masses sum to 1
    weight: float  #: its worst-case weight; all weights sum to 1 (estimate `dual`: about)
    loss: float  #: mean loss of its pairs, or what the adversary saw of it (`regret`)


def unit_shares(
    names: Sequence[str], mass: Tensor, weights: Tensor, losses: Tensor
) -> tuple[UnitShare, ...]:
    """One for each of U named units, from masses, weights and losses (U,); none where unnamed.

    Those whose weight grew most come first.
    """
    if not names:
        return ()
    figures = zip(names, mass.tolist(), weights.tolist(), losses.tolist(), strict=True)
    made = [UnitShare(*one) for one in figures]
    return tuple(sorted(made, key=lambda one: -one.weight / max(one.mass, 1e-12)))


def in_words(shares: Sequence[UnitShare], most: int = 3) -> str:
    """The units that gained most, on one line, as `name: mass to weight`."""
    gains = "; ".join(f"{o.unit}: {o.mass:.3f} to {o.weight:.3f}" for o in shares[:most])
    gains = gains.replace("|", "/")  # it stands in a table
    return gains + (f" (of {len(shares)} units)" if len(shares) > most else "")


@dataclass(frozen=True)
class FitReport:
    """What a fit has to say."""

    warnings: tuple[str, ...]  #: sentences for the user
    optimum: str  #: what is known of the optimum
    gap: float  #: proven distance of the objective from its minimum; infinite: none is proven
    l2: float  #: the ridge penalty in force
    l2_curve: dict[float, float]  #: held-out objective by ridge penalty
    out_of_fold_margins: Floats  #: (N,) of each pair by heads that did not see its prompt
    out_of_fold_accuracy: Estimate  #: their accuracy on the labels as observed
    conflict: SourceConflict | None  #: sources tried on each other, where several are pooled
    truncated: float  #: share of texts that the encoder cut
    identical: int  #: number of pairs whose responses are the same to the encoder
    risk: RiskValue  #: objective on the training data, with the worst-case weights
    units: tuple[str, ...]  #: names of the risk's units
    coefficient: Coefficient | None = None  #: of a control variate, where it was fitted
    #: Root mean square of the loss's gradient in the differences of features, where there is a
    #: Wasserstein ball; the mean over the members.
    input_gradient: float | None = None

    @property
    def shares(self) -> tuple[UnitShare, ...]:
        """Who got the weight; empty where the risk is over single pairs."""
        risk = self.risk
        found = (risk.unit_mass, risk.unit_weights, risk.unit_losses)
        return unit_shares(self.units, *(figures[:, 0] for figures in found))


def worst_case(problem: Problem, fitted: Fit, head: Head) -> RiskValue:
    """The risk at the optimum (its trailing dimension is 1), the mean over the members.

    Where units tie at the optimum, the weights are those of the mixture that balances them.
    """

    def risk(parameters: Parameters, fits: Tensor | None = None) -> RiskValue:
        return problem.risk(margins_of(problem.scores(head, parameters)).double(), fits)

    found = risk(fitted.parameters)
    weights, by_unit = found.weights, found.unit_weights
    if fitted.mixtures:
        mixed = [
            (risk(parameters, torch.full((len(shares),), k)), shares)
            for k, (parameters, shares) in enumerate(fitted.mixtures)
        ]
        weights = torch.stack([(one.weights * shares).sum(-1) for one, shares in mixed], -1)
        by_unit = torch.stack([(one.unit_weights * shares).sum(-1) for one, shares in mixed], -1)

    def average(values: Tensor) -> Tensor:
        return values.mean(-1, keepdim=True)

    of_units = average(by_unit), average(found.unit_mass), average(found.unit_losses)
    return RiskValue(average(found.value), average(weights), *of_units)


def out_of_fold_accuracy(margins: Floats, labels: Floats, clusters: Ints) -> Estimate:
    """Share of decided pairs (N,) that heads which did not see them order as labelled."""
    decided = side_of_half(labels) != 0
    right = credit(side_of_margins(margins), labels)
    return mean(right[decided], clusters[decided], covers="training pairs, out of fold")
