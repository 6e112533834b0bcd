"""Figures of a model on pairs that it is not trained on, over all of them at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.objectives import Objective
from surefoot.objectives.risk import State
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.scores import ScoreFunction, with_steepness
from surefoot.training.language.monitors import figures_of
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.language.step import judge


def evaluation_figures(
    model: nn.Module,
    pairs: TrainingPairs,
    objective: Objective,
    score: ScoreFunction,
    engine: Engine,
    state: State,
) -> dict[str, float]:
    """The objective (`loss`), the plain mean over pairs (`mean_loss`), and those of the monitors.

    Args:
        model: itself, not wrapped for several processes.
        pairs: with the reference's figures, where the score needs them.
        objective: what is minimised in training.
        score: from a batch to scores.
        engine: where forward passes run.
        state: of the risk; empty where the units are others than in training.
    """
    # All pairs are seen at once: nothing is left to estimate.
    objective = objective.model_copy(update={"risk": objective.risk.of_all()})
    step = pairs.step(np.arange(len(pairs)))

    def steepness(model: nn.Module, batch: PairBatch) -> Tensor:
        slopes = with_steepness(score, model, batch).steepness
        assert slopes is not None
        return slopes[:, None].expand(-1, 2)

    values = over_rows(score.of_model, model, pairs.tokens, step.rows, engine, "evaluating")
    outputs = pairs.outputs(torch.from_numpy(values), score)
    if objective.wasserstein is not None:
        slopes = over_rows(steepness, model, pairs.tokens, step.rows, engine, "input gradients")
        outputs = replace(outputs, steepness=torch.from_numpy(slopes[:, 0]))
    result = judge(objective, step, outputs, state)
    figures = {"loss": result.value, "mean_loss": float(result.losses.mean())}
    label, pairwise = step.evidence.label, score.kind == "margins"
    return figures | figures_of(result.outputs, label, score.beta, pairwise)
