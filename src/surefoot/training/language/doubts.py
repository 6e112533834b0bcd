"""What speaks against a run of a language model that has come to its end."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from surefoot.objectives import Evidence, Objective
from surefoot.statistics import Estimate

#: A last loss this many times that of an ignorant model is no noise of a few steps.
_DIVERGED = 1.25
#: Effective size of the ratios as a share of the responses, below which few of them count.
_FEW_EFFECTIVE = 0.25
#: Share of samples that end by themselves, below which most are judged half-written.
_FEW_FINISHED = 0.5


def ignorant_loss(objective: Objective, evidence: Evidence) -> float:
    """Mean loss of a model whose every margin is 0; log 2 under the logistic loss.

    Args:
        objective: what was minimised.
        evidence: of N pairs, and of P reference pairs where the objective asks for them.
    """
    own = torch.zeros(len(evidence.label), dtype=torch.float64)
    theirs = None if evidence.references is None else own.new_zeros(len(evidence.references.sets))
    return float(objective.pair_losses(own, evidence.like(own), theirs).mean())


def doubts_of_samples(last: Mapping[str, float], max_new_tokens: int) -> list[str]:
    """Sentences on a run that learnt from what its policy wrote, none for a sound run.

    Args:
        last: figures of the last log; see :mod:`surefoot.training.drpo.trainer`.
        max_new_tokens: tokens of a sample at most.
    """
    sentences = []
    share, finished = last.get("effective_share", 1.0), last.get("finished", 1.0)
    if share < _FEW_EFFECTIVE:
        sentences.append(
            f"the ratios pi / pi_ref of a step have an effective size of {share:.0%} of its "
            "responses: the labels correct the auxiliary model through a few of them only. A "
            "larger scorer.beta keeps the policy nearer to its reference."
        )
    if finished < _FEW_FINISHED:
        sentences.append(
            f"{1 - finished:.0%} of the samples reached {max_new_tokens} tokens and were judged as "
            "they were: raise objective.max_new_tokens."
        )
    return sentences


def doubts(last: Mapping[str, float], ignorant: float, accuracy: Estimate | None) -> list[str]:
    """Sentences, none for a sound run.

    Args:
        last: figures of the last log; `mean_loss` is the plain mean over pairs.
        ignorant: see :func:`ignorant_loss`.
        accuracy: on held-out pairs, if there are any.
    """
    sentences = []
    loss = last.get("mean_loss")
    if loss is not None and loss > _DIVERGED * ignorant:
        sentences.append(
            f"training diverged: the last mean loss is {loss:.3g}, and a model that tells no pair "
            f"apart has {ignorant:.3g}. Do not use this model; lower training.learning_rate."
        )
    if accuracy is not None and accuracy.side(0.5) < 0:
        sentences.append(
            f"on held-out pairs the model is worse than a coin: it orders {accuracy} of them as "
            "labelled. Do not use it as it is."
        )
    return sentences
