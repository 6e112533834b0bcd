"""What speaks against a run of a language model that has come to its end."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from surefoot.objectives import Evidence, Objective
from surefoot.statistics import Estimate

#: A last loss this many times that of an ignorant model is no noise of a few steps.
_DIVERGED = 1.25


def ignorant_loss(objective: Objective, evidence: Evidence) -> float:
    """Mean loss of a model whose every margin is 0; log 2 under the logistic loss.

    Args:
        objective: what was minimised.
        evidence: of N pairs, and of P reference pairs where the objective asks for them.
    """
    own = torch.zeros(len(evidence.label), dtype=torch.float64)
    theirs = None if evidence.references is None else own.new_zeros(len(evidence.references.sets))
    return float(objective.pair_losses(own, evidence.like(own), theirs).mean())


def doubts(last: Mapping[str, float], ignorant: float, accuracy: Estimate | None) -> list[str]:
    """Sentences, none for a sound run.

    Args:
        last: figures of the last log; `mean_loss` is the plain mean over pairs.
        ignorant: see :func:`ignorant_loss`.
        accuracy: on held-out pairs, if there are any.
    """
    found = []
    loss = last.get("mean_loss")
    if loss is not None and loss > _DIVERGED * ignorant:
        found.append(
            f"training diverged: the last mean loss is {loss:.3g}, and a model that tells no pair "
            f"apart has {ignorant:.3g}. Do not use this model; lower training.learning_rate."
        )
    if accuracy is not None and accuracy.high is not None and accuracy.high < 0.5:
        found.append(
            f"on held-out pairs the model is worse than a coin: it orders {accuracy} of them as "
            "labelled. Do not use it as it is."
        )
    return found
