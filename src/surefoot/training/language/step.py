"""One optimiser step: weights over the whole step first, then a weighted sum in any split.

The risk is a statistic of the step, not of a micro-batch. So the scores of all its pairs are
gathered (a first pass without gradient, unless one micro-batch holds them or the risk does not
look at losses), the objective gives every pair its weight, and the gradient is that of a plain
weighted sum: the same for any number of micro-batches and ranks. A Wasserstein ball, the root of a
mean over the step, is such a sum as well, once the mean is known.

Ranks add up their gradients once, when all of a step's micro-batches are done. Wrapped in torch's
DistributedDataParallel, the model would do it inside a backward pass, which could then not be run
again in smaller parts after it ran out of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.arrays import Ints
from surefoot.data.rendering.token_pairs import TokenPairs
from surefoot.objectives import Evidence, Objective, Outputs, RiskValue, Units
from surefoot.objectives.risk import State
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.scores import ScoreFunction, with_steepness
from surefoot.training.language.memory import Memory


@dataclass(frozen=True)
class Step:
    """The pairs of one optimiser step, the same on every rank.

    They are N comparisons, and the P reference pairs that their evidence speaks of.
    """

    rows: Ints  #: (N + P,) positions among the tokenised pairs
    evidence: Evidence  #: (N,)
    mass: Tensor  #: (N,) weights before robustness
    units: Units | None = None  #: (N,) where the risk has any
    reference: Tensor | None = None  #: (N + P, 2) its log-probabilities; None where it is live

    def with_references(self, part: Ints) -> Ints:
        """Positions in `rows` of some of the N comparisons, and of their reference pairs."""
        references = self.evidence.references
        if references is None:
            return part
        theirs = references.pairs_of(torch.from_numpy(part)).numpy()
        return np.concatenate([part, len(self.mass) + theirs])

    def plan(self, tokens: TokenPairs, engine: Engine) -> list[Ints]:
        """Micro-batches of this process; a comparison and its reference pairs are never parted."""
        prompts, references = tokens.prompt_lengths[self.rows], self.evidence.references
        widths = engine.widths(prompts, tokens.response_lengths[self.rows])
        own, copies = widths[: len(self.mass)], 1
        if references is not None:
            sets, of = references.sets.numpy(), references.of.numpy()
            theirs, count = widths[len(self.mass) :], len(references.independent)
            copies = 1 + int(np.bincount(sets).max())
            if engine.shared:  # one row, in which their prompt stands once
                added = theirs - prompts[len(self.mass) :]
                own = own + np.bincount(sets, added, count).astype(np.int64)[of]
            else:
                longest = np.zeros(count, dtype=np.int64)
                np.maximum.at(longest, sets, theirs)
                own = copies * np.maximum(own, longest[of])
        return engine.plan(own, copies)

    def together(self, part: Ints) -> list[int] | None:
        """Which of `with_references(part)` share a prompt's row; None: each pair is alone."""
        references = self.evidence.references
        if references is None:
            return None
        index = torch.from_numpy(part)
        own, theirs = references.of[index], references.sets[references.pairs_of(index)]
        return [*own.tolist(), *theirs.tolist()]


@dataclass(frozen=True)
class StepResult:
    """Outcome of a step, on the CPU in float64, the same on every rank."""

    value: float  #: the objective with its regularisers
    risk: RiskValue  #: without them, with its weights by pair and by unit
    losses: Tensor  #: (N,)
    outputs: Outputs  #: of the N pairs
    gradient: float | None = None  #: root mean square of |grad loss| in the input embeddings


class StepOutputs:
    """What the micro-batches of a step have shown, summed over ranks when asked for."""

    def __init__(self, count: int, engine: Engine) -> None:
        self.count, self.engine = count, engine
        self.tables: dict[str, Tensor] = {}

    def take(self, part: Ints, outputs: Outputs) -> None:
        """Note the outputs of a micro-batch; of an empty one, which kinds there are."""
        for name in (one.name for one in fields(outputs)):
            value: Tensor | None = getattr(outputs, name)
            if value is not None:
                shape, device = (self.count, *value.shape[1:]), self.engine.device
                if name not in self.tables:
                    self.tables[name] = torch.zeros(shape, dtype=torch.float64, device=device)
                self.tables[name][part] = value[: len(part)].detach().to(self.tables[name])

    def gather(self) -> Outputs:
        """Every pair's outputs, on every rank, in float64 on the CPU."""
        whole = {n: self.engine.sum_over_ranks(t).cpu() for n, t in sorted(self.tables.items())}
        return Outputs(**{"log_probs": None, **whole})  # type: ignore[arg-type]


@dataclass
class StepRunner:
    """Runs optimiser steps of a preference objective."""

    objective: Objective
    score: ScoreFunction
    tokens: TokenPairs
    engine: Engine
    backward: Callable[[Tensor], None]  #: accumulates gradients of a loss
    live_reference: Callable[[PairBatch], Tensor] | None = None  #: (n, 2); None where it is cached
    memory: Memory = field(default_factory=Memory)

    def run(self, model: nn.Module, step: Step, state: State) -> StepResult:
        """Leave the step's gradient in the model, the same on every rank.

        The model is itself, not wrapped for several processes, and without gradients.
        """
        parts = step.plan(self.tokens, self.engine)
        seen = StepOutputs(len(step.rows), self.engine)
        kept: list[Outputs] = []

        def look(now: list[Ints]) -> None:
            """Note every score. One micro-batch keeps its graph, and is not run again."""
            keep = len(now) == 1
            with nullcontext() if keep else torch.no_grad():
                for part in now:
                    outputs = self._forward(model, step, part, learn=keep)
                    seen.take(step.with_references(part), outputs)
                    kept[:] = [outputs] if keep else []

        def learn(now: list[Ints]) -> None:
            """The gradient of the weighted sum."""
            for part in now:
                reuse = kept and len(now) == 1
                outputs = kept.pop() if reuse else self._forward(model, step, part)
                seen.take(step.with_references(part), outputs)
                self.backward(self._loss(step, part, outputs, weights, rate))

        risk: RiskValue | None = None
        ball, rate = self.objective.wasserstein, torch.zeros(())
        if not self.objective.risk.adaptive and ball is None:  # does not look at losses
            nothing = torch.zeros_like(step.mass)
            weights = self.objective.risk(nothing, step.mass, step.units, state).weights
        else:
            parts = self.memory.fit(parts, look)
            looked_at = seen.gather()
            risk = _weigh(self.objective, step, looked_at, state)
            weights = risk.weights
            if ball is not None:
                squares = _squared_gradients(self.objective, step.evidence, looked_at)
                rate = ball.rate(squares, weights)
        self.memory.fit(parts, learn, undo=model.zero_grad)
        add_up_gradients(model, self.engine)
        return judge(self.objective, step, seen.gather(), state, risk)

    def _forward(self, model: nn.Module, step: Step, part: Ints, learn: bool = True) -> Outputs:
        """Outputs of a micro-batch; an empty one runs a pair that counts for nothing."""
        run, together = np.zeros(1, dtype=np.int64), None
        if len(part):
            run, together = step.with_references(part), step.together(part)
        batch = self.engine.batch(self.tokens, step.rows[run], together)
        with self.engine.autocast():
            reference = None
            if self.live_reference is not None:
                reference = self.live_reference(batch)
            elif step.reference is not None:
                reference = step.reference[run].to(self.engine.device)
            if self.objective.wasserstein is not None:
                return with_steepness(self.score, model, batch, learn)
            return self.score(model, batch, reference)

    def _loss(
        self, step: Step, part: Ints, outputs: Outputs, weights: Tensor, rate: Tensor
    ) -> Tensor:
        """Share of a micro-batch in the weighted sum, on the device."""
        if not len(part):
            return outputs.scores.sum() * 0.0
        here = outputs.scores
        evidence = step.evidence[torch.from_numpy(part)].like(here)
        total = (weights[part].to(here) * _losses(self.objective, evidence, outputs)).sum()
        if self.objective.wasserstein is not None:
            squares = _squared_gradients(self.objective, evidence, outputs)
            total = total + rate.to(here) * (weights[part].to(here) * squares).sum()
        if self.objective.regularisers:
            share = (step.mass / step.mass.sum())[part].to(here)
            own = outputs.first(len(part))
            total = total + (share * self.objective.penalties(own, evidence.label)).sum()
        return total


def judge(
    objective: Objective,
    step: Step,
    outputs: Outputs,
    state: State,
    risk: RiskValue | None = None,
) -> StepResult:
    """The result of a step from all its outputs; `risk`: where it is known already."""
    risk = risk or _weigh(objective, step, outputs, state)
    share = step.mass / step.mass.sum()
    of_pairs = outputs.first(len(step.mass))
    penalty = (share * objective.penalties(of_pairs, step.evidence.label)).sum()
    gradient = None
    if (ball := objective.wasserstein) is not None:
        squares = _squared_gradients(objective, step.evidence, outputs)
        penalty = penalty + ball(squares, risk.weights)
        gradient = float((risk.weights * squares).sum().sqrt())
    return StepResult(
        float(risk.value + penalty),
        risk,
        _losses(objective, step.evidence, outputs),
        of_pairs,
        gradient,
    )


def _losses(objective: Objective, evidence: Evidence, outputs: Outputs) -> Tensor:
    """Losses (n,) from the outputs of n comparisons and then of their reference pairs."""
    margins = objective.loss.margins(outputs.scores, outputs.lengths)
    count = len(evidence.label)
    return objective.pair_losses(margins[:count], evidence, margins[count:])


def _squared_gradients(objective: Objective, evidence: Evidence, outputs: Outputs) -> Tensor:
    """|grad loss|^2 (n,) in the input embeddings of n comparisons; their reference pairs stay."""
    if outputs.steepness is None:
        raise TypeError("no one has looked at the gradient of the margins")
    margins, count = objective.loss.margins(outputs.scores, outputs.lengths), len(evidence.label)
    steepness = outputs.steepness[:count]
    return objective.squared_gradients(margins[:count], evidence, steepness, margins[count:])


def _weigh(objective: Objective, step: Step, outputs: Outputs, state: State) -> RiskValue:
    with torch.no_grad():
        losses = _losses(objective, step.evidence, outputs)
        return objective.risk_of(losses, step.evidence, step.mass, step.units, state)


def add_up_gradients(model: nn.Module, engine: Engine) -> None:
    """The sum over ranks in place of each gradient; a parameter that none of them used has none."""
    if engine.ranks == 1:
        return
    parameters = [one for one in model.parameters() if one.requires_grad]
    own = torch.tensor([one.grad is not None for one in parameters], device=engine.device)
    used = engine.sum_over_ranks(own.float()).tolist()
    for one, anywhere in zip(parameters, used, strict=True):
        if anywhere:
            gradient = torch.zeros_like(one) if one.grad is None else one.grad
            one.grad = engine.sum_over_ranks(gradient)
