"""`labels.flip_rate: fitted`: the rate at which labels are likeliest, by heads out of fold."""

from __future__ import annotations

import torch

from surefoot.data.schema import Preferences
from surefoot.data.splits import folds
from surefoot.errors import DataError
from surefoot.objectives import Objective
from surefoot.objectives.label_models.forward_corrected import ForwardCorrected
from surefoot.scorers.embeddings.encoder import load_encoder
from surefoot.scorers.fit.cross_validation import cross_validate
from surefoot.scorers.fit.task import Task
from surefoot.scorers.scorer import EmbeddingScorer
from surefoot.statistics import Estimate
from surefoot.statistics.flip_mixture import ASSUMPTION, WIDEST, flip_mixture


def with_flip_rate(
    objective: Objective, scorer: EmbeddingScorer, preferences: Preferences, seed: int
) -> tuple[Objective, Estimate | None]:
    """The objective with a number in place of `fitted`, and the estimate with its interval.

    Heads of the scorer are fitted to the labels as they are, out of fold: their margins are right
    in shape where flips are random, and the rate is fitted together with the margins' scale. A rate
    that is fitted to the margins of the very model in training falls to 0 as the model learns the
    flips by heart.

    Raises:
        DataError: no label has a margin.
    """
    labels = objective.labels
    if not isinstance(labels, ForwardCorrected) or labels.flip_rate != "fitted":
        return objective, None
    task = Task.of(scorer, Objective(), preferences)
    problem, _, _ = task.problem(load_encoder(scorer.encoder), [seed])
    own_folds = torch.from_numpy(folds(preferences, scorer.folds, scorer.fold_by, seed))
    margins = cross_validate(scorer.head, problem, own_folds).margins
    rate = flip_mixture(margins, preferences.labels, problem.mass[:, 0]).rate
    if rate.estimate is None:
        raise DataError(
            f"{preferences.name}: labels.flip_rate 'fitted' needs labels on pairs that a model "
            "distinguishes. Give labels.flip_rate a number."
        )
    fixed = labels.fixed(rate.estimate)
    return objective.model_copy(update={"labels": fixed}), rate


def doubt_of(rate: Estimate) -> tuple[str, ...]:
    """A sentence where the interval of a fitted rate is too wide to rely on."""
    if rate.low is None or rate.high is None or rate.high - rate.low <= WIDEST:
        return ()
    return (
        f"labels.flip_rate was fitted at {rate}, an interval wider than {WIDEST:g}: single labels "
        f"do not say it here. It rests on this, too: {ASSUMPTION}. With a second vote on some of "
        "the pairs it can be measured (surefoot audit).",
    )
