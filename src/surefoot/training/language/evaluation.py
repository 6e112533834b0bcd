"""Figures of a model on pairs that it is not trained on, over all of them at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import over_rows
from surefoot.scorers.language.scores import with_steepness
from surefoot.training.language.monitors import figures_of
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.language.step import judge

if TYPE_CHECKING:
    from surefoot.training.language.trainer import PreferenceTrainer


def evaluation_figures(trainer: PreferenceTrainer, pairs: TrainingPairs) -> dict[str, float]:
    """The objective (`loss`), the plain mean over pairs (`mean_loss`), and those of the monitors.

    The pairs have the reference's figures, where the score needs them. The state of the risk counts
    where their units are those of training.
    """
    model, score, objective = trainer.model, trainer.score, trainer.objective
    engine = replace(trainer.engine, pairs=trainer.args.per_device_eval_batch_size)
    known = trainer.train_dataset and pairs.unit_names == trainer.pairs.unit_names
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
    result = judge(objective, step, outputs, trainer.risk_state if known else {})
    figures = {"loss": result.value, "mean_loss": float(result.losses.mean())}
    label, pairwise = step.evidence.label, score.kind == "margins"
    return figures | figures_of(result.outputs, label, score.beta, pairwise)
