"""`labels.flip_rate: fitted`: the rate at which labels are likeliest, by heads out of fold."""

from __future__ import annotations

import torch

from surefoot.arrays import Floats, Ints
from surefoot.data.schema import Preferences
from surefoot.data.splits import folds
from surefoot.errors import DataError
from surefoot.objectives import Objective
from surefoot.objectives.label_models.forward_corrected import ForwardCorrected
from surefoot.scorers.embeddings.encoder import load_encoder
from surefoot.scorers.fit.task import Task
from surefoot.scorers.head import cross_validate
from surefoot.scorers.scorer import EmbeddingScorer
from surefoot.statistics import Estimate
from surefoot.statistics.flip_mixture import ASSUMPTION, WIDEST, flip_mixture


def with_flip_rate(
    objective: Objective, scorer: EmbeddingScorer, preferences: Preferences, seed: int
) -> tuple[Objective, Estimate | None]:
    """The objective with a number in place of `fitted`, and the estimate with its interval.

    Heads of the scorer are fitted to the labels as they are, out of fold: their margins are right
    in shape where flips are random, and the rate is fitted together with the margins' scale. A rate
    that is fitted to the margins of the very model in training falls towards 0 as the model learns
    the flips by heart.

    Raises:
        DataError: no label has a margin.
    """
    if not is_asked(objective):
        return objective, None
    task = Task.of(scorer, Objective(), preferences)
    problem, _, _ = task.problem(load_encoder(scorer.encoder), [seed])
    own_folds = torch.from_numpy(folds(preferences, scorer.folds, scorer.fold_by, seed))
    margins = cross_validate(scorer.head, problem, own_folds).margins.double().numpy()
    mass = problem.mass[:, 0].numpy()
    return fitted_to(objective, margins, preferences.labels, mass, preferences.prompt_keys())


def is_asked(objective: Objective) -> bool:
    """Whether the objective's flip rate is to be fitted before anything else."""
    labels = objective.labels
    return isinstance(labels, ForwardCorrected) and labels.flip_rate == "fitted"


def fitted_to(
    objective: Objective, margins: Floats, labels: Floats, weights: Floats, prompts: Ints
) -> tuple[Objective, Estimate]:
    """The objective with the rate at which labels (N,) are likeliest, given margins out of fold.

    Where the interval is too wide to act on, it is the lower end: as many flips as are sure. A rate
    of 0 is the plain loss.

    Raises:
        DataError: no label has a margin.
    """
    assert isinstance(objective.labels, ForwardCorrected)
    rate = flip_mixture(margins, labels, weights, clusters=prompts).rate
    if rate.estimate is None or rate.low is None:
        raise DataError(
            "labels.flip_rate 'fitted' needs labels on pairs that a model distinguishes. Give "
            "labels.flip_rate a number."
        )
    fixed = objective.labels.fixed(rate.low if is_wide(rate) else rate.estimate)
    return objective.model_copy(update={"labels": fixed}), rate


def is_wide(rate: Estimate) -> bool:
    """Whether an interval says too little to act on the estimate."""
    return rate.low is None or rate.high is None or rate.high - rate.low > WIDEST


def doubt_of(rate: Estimate) -> tuple[str, ...]:
    """A sentence where the interval of a fitted rate is too wide to rely on."""
    if not is_wide(rate):
        return ()
    return (
        f"labels.flip_rate was fitted at {rate}, an interval wider than {WIDEST:g}: single labels "
        f"do not say it here, and its lower end is taken. It rests on this, too: {ASSUMPTION}. "
        "With a second vote on some of the pairs flips can be measured (surefoot audit).",
    )
