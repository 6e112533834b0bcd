"""Risks: from losses to one value and the worst-case weights that it puts on the losses.

A risk is computed over *units* (pairs, prompts, sources, groups): the losses of a unit's pairs are
averaged first. The returned weights are constants; their weighted sum has the gradient of the risk
(Danskin's theorem), so a step can be split in any way once its weights are known.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from surefoot.errors import ConfigurationError
from surefoot.options import Member

if TYPE_CHECKING:
    from torch import Tensor

State: TypeAlias = "Mapping[str, Tensor]"
#: Value (...), weights (U, ...) and next state.
WorstCase: TypeAlias = "tuple[Tensor, Tensor, State]"


@dataclass(frozen=True)
class Units:
    """Which unit each loss belongs to."""

    ids: Tensor  #: (N,) integers in [0, count)
    count: int  #: number of units


@dataclass(frozen=True)
class RiskValue:
    """A risk and where its weight went."""

    value: Tensor  #: (...) the risk; its gradient is that of the weighted sum
    #: (N, ...) worst-case weight of each loss, without gradient, summing to 1 (about 1 under
    #: running dual variables)
    weights: Tensor
    unit_weights: Tensor  #: (U, ...) the same per unit
    unit_mass: Tensor  #: (U, ...) the weight that each unit has without robustness, summing to 1
    unit_losses: Tensor  #: (U, ...) mean loss of each unit's pairs
    #: what a stateful risk carries to the next step; empty for the others
    state: State = field(default_factory=dict)

    @property
    def effective_units(self) -> Tensor:
        """(Sum of weights)^2 / sum of their squares (...): how many units share the weight."""
        return self.unit_weights.sum(0).square() / self.unit_weights.square().sum(0)


@dataclass(frozen=True, kw_only=True)
class RiskProperties:
    """What the validator and the solver need to know of a risk."""

    direction: Literal["none", "against shift", "against noise"]
    """Hard units gain weight (against shift), or lose it (against noise)."""
    convex: bool
    """Convex and non-decreasing in the losses, so that it keeps their convexity."""
    smooth: bool
    stateful: bool = False
    neutral: Mapping[str, Any] | None = None
    """Options at which it equals the mean; a large finite number where that is a limit."""


class Risk(Member, slot="risk"):
    """A rule that makes losses (N, ...), mass and units one value and worst-case weights."""

    unit: Literal["pair", "prompt", "source", "group", "cluster"] = "pair"
    """What shares one weight: losses are averaged inside a unit before the risk sees them.
    `cluster`: clusters of the prompts' embeddings, which the run makes and keeps."""
    clusters: int = Field(16, ge=2)
    """How many clusters of prompts, for the unit `cluster`."""
    unit_mass: Literal["pairs", "equal"] = Field("pairs")
    """Weight of a unit before robustness: its share of the pairs, or the same for each unit."""

    trim: Annotated[float, Field(ge=0, lt=0.5)] | Literal["auto"] = 0.0
    """Share of the pairs that is left out first, those with the largest losses: the share of labels
    that are flipped. Of each source or group alike; of all pairs where the unit is smaller. `auto`:
    from repeated votes, by `surefoot train`."""

    regret: bool = False
    """Let the risk see by how much a loss is above the least that is possible at the column
    `auxiliary`: pairs that are close calls do not count as hard."""

    properties: ClassVar[RiskProperties]

    @property
    def stateful(self) -> bool:
        """Whether the risk carries a state from step to step."""
        return self.properties.stateful

    def of_all(self) -> Risk:
        """The risk to minimise where all the data are seen at once."""
        return self

    @property
    def adaptive(self) -> bool:
        """Whether the weights depend on the losses."""
        return self.properties.direction != "none" or self.trim != 0

    @property
    def convex(self) -> bool:
        """Convex and non-decreasing in the losses; what is trimmed is neither."""
        return self.properties.convex and self.trim == 0

    def begin(self, share: Tensor, pairs: Tensor) -> State:
        """The state before the first step; empty for risks without.

        Args:
            share: (U, ...) weight of each unit before robustness, summing to 1, in all the data.
            pairs: (U, ...) number of its pairs.
        """
        del share, pairs
        return {}

    def start(self, mass: Tensor, units: Units | None = None) -> State:
        """The state before the first step, from the mass (N, ...) and units of all the data."""
        if not self.stateful:
            return {}
        _, share = self._shares(mass / mass.sum(0), units)
        counted = (mass > 0).to(mass)
        return self.begin(share, counted if units is None else _sum_by(units, counted))

    def __call__(
        self,
        losses: Tensor,
        mass: Tensor | None = None,
        units: Units | None = None,
        state: State | None = None,
    ) -> RiskValue:
        """The risk of these losses.

        Args:
            losses: (N, ...) loss of each pair; trailing dimensions are independent problems.
            mass: (N, ...) weight of each pair before robustness; only ratios matter. Rows of mass
                0 are absent. Default: equal.
            units: the unit of each pair; default: each pair is its own.
            state: the state that the previous step returned, for stateful risks; without it these
                losses are the first step, and all the data.
        """
        import torch

        fixed = losses.detach()
        mass = torch.ones_like(fixed) if mass is None else mass.to(fixed).expand_as(fixed)
        mass = mass / mass.sum(0)
        state = state or self.start(mass, units)
        if self.trim == "auto":
            raise ConfigurationError(
                "risk.trim 'auto' is for `surefoot train`, which puts the flip rate of repeated "
                "votes in its place; here it should be a number."
            )
        if self.trim:
            large = units is not None and self.unit not in ("pair", "prompt")
            mass = trimmed(fixed, mass, self.trim, units if large else None)
            mass = mass / mass.sum(0)
        share, unit_share = self._shares(mass, units)
        unit_losses = fixed if units is None else _sum_by(units, share * fixed)
        value, unit_weights, state = self.worst_case(unit_losses, unit_share, state)
        weights = share * (unit_weights if units is None else unit_weights[units.ids])
        weighted = (weights * losses).sum(0)
        # Value of the risk, gradient of the weighted sum.
        value = value + (weighted - weighted.detach())
        return RiskValue(value, weights, unit_weights, unit_share, unit_losses, state)

    def _shares(self, mass: Tensor, units: Units | None) -> tuple[Tensor, Tensor]:
        """Share of each pair inside its unit (N, ...), and mass of each unit (U, ...)."""
        import torch

        if units is None:
            share, unit_share = torch.ones_like(mass), mass
        else:
            unit_share = _sum_by(units, mass)
            inside = unit_share.clamp_min(torch.finfo(mass.dtype).tiny)
            share = mass / inside[units.ids]
        if self.unit_mass == "equal":
            unit_share = (unit_share > 0).to(mass)
            unit_share = unit_share / unit_share.sum(0)
        return share, unit_share

    @abstractmethod
    def worst_case(self, losses: Tensor, mass: Tensor, state: State) -> WorstCase:
        """Value (...), weights (U, ...) and next state, from the losses and mass of the units.

        Args:
            losses: (U, ...) mean loss of each unit, without gradient.
            mass: (U, ...) weight of each unit before robustness, summing to 1; 0 where absent.
            state: the state that the previous step returned.
        """


def log_mean_exp(values: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """Log sum_u mass_u exp(values_u) (...) and the weights (U, ...) in that sum, stably.

    The mass sums to 1. Small values, as of a risk next to the mean, keep their accuracy: times a
    temperature of 1e7 the rounding of a logarithm near 0 would be .6 in float32.
    """
    import torch

    terms = values + mass.log()
    close = values.masked_fill(mass == 0, 0.0).clamp(-1, 1)
    near = torch.log1p((mass * close.expm1()).sum(0))
    small = (close == values.masked_fill(mass == 0, 0.0)).all(0)
    return torch.where(small, near, terms.logsumexp(0)), terms.softmax(0)


def tie_bounds(x: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """Mass of the units with a smaller value, and of those with the same value, both (U, ...)."""
    import torch

    values, order = x.movedim(0, -1).sort(dim=-1, stable=True)
    cumulated = mass.movedim(0, -1).gather(-1, order).cumsum(-1)
    cumulated = torch.cat([torch.zeros_like(cumulated[..., :1]), cumulated], dim=-1)
    values, own = values.contiguous(), x.movedim(0, -1).contiguous()
    below = cumulated.gather(-1, torch.searchsorted(values, own, side="left"))
    up_to = cumulated.gather(-1, torch.searchsorted(values, own, side="right"))
    return below.movedim(-1, 0), (up_to - below).movedim(-1, 0)


def trimmed(losses: Tensor, mass: Tensor, share: float, units: Units | None = None) -> Tensor:
    """What is left of each pair's mass (N, ...), without the `share` of largest losses of its unit.

    Rousseeuw (1984); Shen and Sanghavi (2019). Pairs of equal loss lose in proportion, so that
    nothing depends on their order; the pairs at the boundary lose a part.

    Args:
        losses: (N, ...).
        mass: (N, ...).
        share: of each unit's mass, in [0, 1).
        units: of the pairs; None: all are one.
    """
    import torch

    units = units or Units(torch.zeros(len(losses), dtype=torch.int64, device=losses.device), 1)
    ids = units.ids.view(-1, *[1] * (losses.dim() - 1))
    ranks = losses.unique(return_inverse=True)[1]
    # Unit by unit, and by loss in each.
    below, tied = tie_bounds(ids * (ranks.max() + 1) + ranks, mass)
    whole = _sum_by(units, mass)
    up_to, whole = (each[units.ids] for each in (whole.cumsum(0), whole))
    left = (up_to - below - share * whole).clamp_min(0)
    # A rest that is rounding would be a pair that is there, and the worst of all.
    number = torch.finfo(mass.dtype)
    left = left.masked_fill(left < torch.minimum(64 * number.eps * whole, tied / 1000), 0)
    return mass * (left / tied.clamp_min(number.tiny)).clamp_max(1)


def _sum_by(units: Units, values: Tensor) -> Tensor:
    sums = values.new_zeros(units.count, *values.shape[1:])
    return sums.index_add(0, units.ids, values)
