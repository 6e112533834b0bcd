"""One step of DRPO: credits of all responses first, then a credited sum in any split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.arrays import Ints
from surefoot.data.rendering.token_pairs import TokenPairs
from surefoot.data.rendering.tokens import Tokens
from surefoot.data.steps import plan
from surefoot.objectives import Outputs
from surefoot.objectives.doubly_robust import credits
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.scores import PolicyScores, log_probs
from surefoot.training.drpo.on_policy import StepResponses
from surefoot.training.language.memory import Memory
from surefoot.training.language.step import Step, add_up_gradients


@dataclass(frozen=True)
class DoublyRobustResult:
    """What a step found of its N records, on the CPU in float64, the same on every rank."""

    outputs: Outputs  #: scores (beta log-ratios), log-probabilities and lengths of the data's
    direct: Tensor  #: (N,), as are all below
    correction: Tensor
    kl: Tensor
    sample_tokens: Tensor  #: mean length of a record's samples
    finished: Tensor  #: share of them that ended by themselves


@dataclass
class DoublyRobustRunner:
    """Runs optimiser steps of DRPO."""

    score: PolicyScores  #: its beta is the weight of the KL
    clip: tuple[float, float] | None  #: of the ratios
    tokens: TokenPairs  #: the data's pairs
    engine: Engine
    backward: Callable[[Tensor], None]  #: accumulates gradients of a loss
    reference: Callable[[PairBatch], Tensor]  #: its log-probabilities (n, 2)
    memory: Memory

    def run(
        self, model: nn.Module, step: Step, drawn: StepResponses, auxiliary: Tensor, sampled: Tensor
    ) -> DoublyRobustResult:
        """Leave the gradient of N records in the model, the same on every rank.

        The model is itself, not wrapped for several processes, and without gradients. `drawn` are
        this process's samples, K for each of its n records; `auxiliary` is g(X, Y1, Y2) of all,
        shape (N,), and `sampled` g(X, Y*_k, Ya) of this process's, shape (n, K, 2).
        """
        table = torch.zeros(len(step.mass), 11, dtype=torch.float64)
        if len(drawn.places):
            table[drawn.places] = self._run_own(model, step, drawn, auxiliary, sampled)
        add_up_gradients(model, self.engine)
        whole = self.engine.sum_over_ranks(table.to(self.engine.device)).cpu()
        scores = self.score.of_log_probs(whole[:, :2], whole[:, 2:4], whole[:, 4:6])
        outputs = Outputs(scores, whole[:, :2], whole[:, 4:6])
        return DoublyRobustResult(outputs, *whole[:, 6:].T)

    def _run_own(
        self, model: nn.Module, step: Step, drawn: StepResponses, auxiliary: Tensor, sampled: Tensor
    ) -> Tensor:
        """Leave the gradient of this process's part; the figures (n, 11) of its records."""
        n, count = len(drawn.places), sampled.shape[1]
        items = _paired(drawn, self.tokens.read(step.rows[drawn.places]))
        parts = self._plan(items, n)
        here, there = torch.zeros(2, len(items), 2, dtype=torch.float64)
        cached = step.reference
        if cached is not None:
            there[:n] = cached[drawn.places].double()

        def batch(part: Ints) -> PairBatch:
            return self.engine.lay_out([items[i] for i in part])

        def look(now: list[Ints]) -> None:
            with torch.no_grad():
                for part in now:
                    pairs = batch(part)
                    with self.engine.autocast():
                        here[part] = log_probs(model, pairs).cpu().double()
                        if cached is None or part[0] >= n:
                            there[part] = self.reference(pairs).cpu().double()

        parts = self.memory.fit(parts, look)
        change = here - there
        credited = credits(
            step.evidence.label[drawn.places].double(),
            auxiliary[drawn.places],
            sampled,
            change[:n],
            change[n:].view(n, count),
            self.score.beta,
            self.clip,
        )
        share = (step.mass / step.mass.sum())[drawn.places].double()
        credit = torch.cat([credited.data, credited.samples.view(-1, 2)])
        credit *= torch.cat([share, share.repeat_interleave(count // 2)])[:, None]

        def learn(now: list[Ints]) -> None:
            for part in now:
                with self.engine.autocast():
                    found = log_probs(model, batch(part))
                self.backward(-(credit[part].to(found) * found).sum())

        self.memory.fit(parts, learn, undo=model.zero_grad)
        lengths = torch.tensor([[len(a), len(b)] for _, a, b in items], dtype=torch.float64)
        written = lengths[n:].view(n, count).mean(1)
        columns = (credited.direct, credited.correction, credited.kl, written, drawn.finished)
        return torch.cat([here[:n], there[:n], lengths[:n], torch.stack(columns, 1)], 1)

    def _plan(self, items: list[Tokens], n: int) -> list[Ints]:
        """Micro-batches of this process; none holds both data, the first n, and samples."""
        prompts, *both = np.array([[len(p), len(a), len(b)] for p, a, b in items]).T
        widths = self.engine.widths(prompts, np.stack(both, axis=1))
        data, samples = (
            plan(some, 1, self.engine.pairs, self.engine.tokens)[0]
            for some in (widths[:n], widths[n:])
        )
        return [*data, *(n + part for part in samples)]


def _paired(drawn: StepResponses, data: list[Tokens]) -> list[Tokens]:
    """Pairs of responses to one prompt: the data's of n records, then their samples two by two."""
    return data + [
        (opening, one[i], one[i + 1])
        for opening, one in zip(drawn.openings, drawn.responses, strict=True)
        for i in range(0, len(one), 2)
    ]
