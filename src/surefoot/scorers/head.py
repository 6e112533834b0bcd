"""Heads on frozen features, K at once: from features of a response to its reward; their folds."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from surefoot.errors import DataError
from surefoot.objectives import Evidence, Objective, RiskValue, Units
from surefoot.options import Member

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Parameters: TypeAlias = "dict[str, Tensor]"


@dataclass(frozen=True)
class Problem:
    """K fits on the same features: they differ in the mass of rows, the ridge and the seed.

    There are N rows, and P reference pairs that the evidence speaks of (none for most objectives).
    """

    features: Tensor  #: (N + P, 2, D) of response a and response b
    objective: Objective  #: what is minimised
    evidence: Evidence  #: (N,) what is known of each pair
    mass: Tensor  #: (N, K) weight of each row in each fit; 0 leaves a row out
    l2: Tensor  #: (K,) ridge penalty on the parameters, relative to the mean loss
    seeds: tuple[int, ...]  #: K, for what is random in a fit
    units: Units | None = None  #: the unit of each row, where the risk has any
    context: Tensor | None = None  #: (N + P, C) of the prompts, for heads that look at them
    #: What a head has computed from the features alone, for the next fit on them; it is carried
    #: along by `dataclasses.replace`.
    shared: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def part(self, fits: Tensor) -> Problem:
        """The fits with these indices (k,)."""
        seeds = tuple(self.seeds[k] for k in fits.tolist())
        return replace(self, mass=self.mass[:, fits], l2=self.l2[fits], seeds=seeds)

    def plain(self) -> Problem:
        """A copy under the plain objective, which is smooth and convex."""
        evidence = Evidence(self.evidence.label)
        return replace(self, objective=Objective(), evidence=evidence, units=None)

    def risk(self, margins: Tensor, fits: Tensor | None = None) -> RiskValue:
        """The objective of margins (N + P, k), for the fits with these indices (k,) or for all."""
        mass = self.mass if fits is None else self.mass[:, fits]
        return self.risk_of(self.losses(margins), mass)

    def value(self, margins: Tensor, steepness: Tensor, fits: Tensor) -> Tensor:
        """The objective (k,) with its regularisers, for the fits with these indices (k,).

        Margins are (N + P, k), steepness (k,) the squared length of their gradient in the features.
        """
        found = self.risk(margins, fits)
        ball = self.objective.wasserstein
        if ball is None:
            return found.value
        return found.value + ball(self.squared_slopes(margins) * steepness, found.weights)

    def squared_slopes(self, margins: Tensor) -> Tensor:
        """Squared derivative (N, k) of each row's loss in its margin, from margins (N + P, k)."""
        import torch

        rows = len(self.mass)
        return self.objective.squared_gradients(
            margins[:rows], self.evidence.as_columns(), torch.ones(()).to(margins), margins[rows:]
        )

    def risk_of(self, losses: Tensor, mass: Tensor) -> RiskValue:
        """The objective of losses (N, k) of rows of mass (N, k)."""
        return self.objective.risk_of(losses, self.evidence.as_columns(), mass, self.units)

    def scores(self, head: Head, parameters: Parameters) -> Tensor:
        """Scores (N + P, 2, K) by a head."""
        return head.scores(parameters, self.features, self.context)

    def losses(self, margins: Tensor) -> Tensor:
        """Loss of each row (N, k) from margins (N + P, k)."""
        rows = len(self.mass)
        evidence = self.evidence.as_columns()  # broadcasts over fits
        return self.objective.pair_losses(margins[:rows], evidence, margins[rows:])


@dataclass(frozen=True)
class Fit:
    """K fitted heads."""

    parameters: Parameters  #: tensors by name, of which one dimension is the K heads
    values: Tensor  #: (K,) objective with its ridge penalty
    gaps: Tensor  #: (K,) proven distance of each value from its minimum; infinite: none is proven
    notes: tuple[str, ...]  #: of each head: what the user is to know of its optimum
    #: For objectives with kinks, of each head the parameters of T others and shares (T,): at the
    #: optimum the worst case is a mixture of the worst cases there.
    mixtures: tuple[tuple[Parameters, Tensor], ...] = ()

    @property
    def note(self) -> str:
        """The note of the head whose gap is largest."""
        return self.notes[int(self.gaps.argmax())]


class Head(Member, slot="head"):
    """A function of features with a ridge penalty."""

    linear: ClassVar[bool] = False
    """Whether rewards are linear in the parameters."""
    pairwise: ClassVar[bool] = False
    """Whether it judges pairs, and has no reward of a response alone."""
    candidates: ClassVar[tuple[float, ...]]
    """Ridge penalties that `auto` chooses from, the weakest first."""

    l2: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Ridge penalty (l2 / 2) |parameters|^2 beside the mean loss; `auto`: by cross-validation."""

    @abstractmethod
    def fit(self, problem: Problem, certify: bool = True) -> Fit:
        """Fit K heads; `certify` spends time on proving how close to the optimum they are."""

    @abstractmethod
    def scores(
        self, parameters: Parameters, features: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Scores (n, 2, K) of the two responses of each pair: their rewards, where there are any.

        A pairwise head has none: its scores are half the margin and its opposite. Features are
        (n, 2, D), those of the prompts (n, C), for heads with a :attr:`context`.
        """

    @property
    def context(self) -> bool:
        """Whether it looks at the prompts' own features."""
        return False


def margins_of(scores: Tensor) -> Tensor:
    """Margins (N, K) from scores (N, 2, K)."""
    return scores[:, 0] - scores[:, 1]


def seeded(seed: int) -> torch.Generator:
    """A generator of its own for one fit, so that fits do not depend on their neighbours."""
    import torch

    return torch.Generator().manual_seed(seed)


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
    import torch

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
