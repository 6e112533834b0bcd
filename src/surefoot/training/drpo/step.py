"""One step of DRPO: credits of all responses first, then a credited sum in any split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.data.rendering.token_pairs import TokenPairs
from surefoot.data.rendering.tokens import Tokens
from surefoot.data.steps import Ints, plan
from surefoot.objectives import Outputs
from surefoot.objectives.doubly_robust import credits
from surefoot.scorers.language.batch import PairBatch, pad
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.scores import PolicyScores, log_probs
from surefoot.training.drpo.on_policy import StepResponses
from surefoot.training.language.memory import Memory
from surefoot.training.language.step import Step, add_up_gradients


@dataclass(frozen=True)
class DoublyRobustResult:
    """What a step found of its N records, on the CPU in float64, the same on every rank.

    Attributes:
        outputs: scores (beta log-ratios), log-probabilities and lengths of the data's responses.
        direct, correction, kl: (N,) the terms of each record.
        sample_tokens: (N,) mean tokens of its samples.
        finished: (N,) share of its samples that ended by themselves.
    """

    outputs: Outputs
    direct: Tensor
    correction: Tensor
    kl: Tensor
    sample_tokens: Tensor
    finished: Tensor


@dataclass
class DoublyRobustRunner:
    """Runs optimiser steps of DRPO.

    Attributes:
        score: the policy's; its beta is the weight of the KL.
        clip: of the ratios.
        tokens: the data's pairs.
        engine: where forward passes run.
        backward: accumulates gradients of a loss.
        reference: log-probabilities of the reference policy (n, 2) for a batch.
        memory: what this process's memory holds.
    """

    score: PolicyScores
    clip: tuple[float, float] | None
    tokens: TokenPairs
    engine: Engine
    backward: Callable[[Tensor], None]
    reference: Callable[[PairBatch], Tensor]
    memory: Memory

    def run(
        self, model: nn.Module, step: Step, drawn: StepResponses, auxiliary: Tensor, sampled: Tensor
    ) -> DoublyRobustResult:
        """Leave the step's gradient in the model, the same on every rank.

        Args:
            model: itself, not wrapped for several processes, and without gradients.
            step: N records.
            drawn: this process's samples, K for each of its n records.
            auxiliary: g(X, Y1, Y2) of the N records, shape (N,).
            sampled: g(X, Y*_k, Ya) of this process's n, shape (n, K, 2).
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
        work = _Work(drawn, self.tokens.read(step.rows[drawn.places]))
        n, count = len(drawn.places), sampled.shape[1]
        parts = work.plan(self.engine)
        here, there = torch.zeros(2, len(work.items), 2, dtype=torch.float64)
        cached = step.reference
        if cached is not None:
            there[:n] = cached[drawn.places].double()

        def look(now: list[Ints]) -> None:
            with torch.no_grad():
                for part in now:
                    batch = self._batch(work, part)
                    here[part] = self._log_probs(model, batch).cpu().double()
                    if cached is None or part[0] >= n:
                        there[part] = self._ask_reference(batch)

        parts, _ = self.memory.fit(parts, look)
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
                found = self._log_probs(model, self._batch(work, part))
                self.backward(-(credit[part].to(found) * found).sum())

        self.memory.fit(parts, learn, undo=model.zero_grad)
        lengths = torch.tensor([[len(a), len(b)] for _, a, b in work.items], dtype=torch.float64)
        written = lengths[n:].view(n, count).mean(1)
        columns = (credited.direct, credited.correction, credited.kl, written, drawn.finished)
        return torch.cat([here[:n], there[:n], lengths[:n], torch.stack(columns, 1)], 1)

    def _batch(self, work: _Work, part: Ints) -> PairBatch:
        return pad([work.items[i] for i in part], self.engine.pad_id).to(self.engine.device)

    def _log_probs(self, model: nn.Module, batch: PairBatch) -> Tensor:
        with self.engine.autocast():
            return log_probs(model, batch)

    def _ask_reference(self, batch: PairBatch) -> Tensor:
        with self.engine.autocast():
            return self.reference(batch).cpu().double()


class _Work:
    """Pairs of responses to one prompt: the data's of n records, then their samples two by two."""

    def __init__(self, drawn: StepResponses, data: list[Tokens]) -> None:
        self.n = len(data)
        self.items = data + [
            (opening, one[i], one[i + 1])
            for opening, one in zip(drawn.openings, drawn.responses, strict=True)
            for i in range(0, len(one), 2)
        ]

    def plan(self, engine: Engine) -> list[Ints]:
        """Micro-batches of this process; none holds both data and samples."""
        lengths = np.array([[len(p) + len(a), len(p) + len(b)] for p, a, b in self.items])
        data, samples = (
            plan(some, 1, engine.pairs, engine.tokens)[0]
            for some in (lengths[: self.n], lengths[self.n :])
        )
        return [*data, *(self.n + part for part in samples)]
