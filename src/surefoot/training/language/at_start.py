"""Before the first step a policy is its reference: whether that shows, and what rounding makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.escaping import warn
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.noise import noise_of, per_root_token
from surefoot.scorers.language.reference import ReferencePolicy
from surefoot.scorers.language.scores import log_probs
from surefoot.training.language.pairs import TrainingPairs

#: Pairs that are looked at, and how many of them at a time: batches of several shapes.
LOOKED_AT, SHAPES = 8, (1, 3, 8)


def noise_at_start(
    model: nn.Module, reference: ReferencePolicy, pairs: TrainingPairs, engine: Engine
) -> float:
    """What counts as no change of a policy, in nats per root of a token.

    Some pairs, spread by length, are read again in batches of several shapes, which are others than
    those that made the reference's log-probabilities (which the pairs have, unless it is live). A
    warning tells where they differ by more than rounding makes.
    """
    noise = noise_of(model, engine.precision, engine.device)
    measured = _difference(model, reference, pairs, engine)
    if measured <= noise.most:
        return noise.of(measured)
    cause = "The model reads a text otherwise in other batches, or a hook changes it."
    if reference.without_adapter:
        cause = "The adapter does not begin as nothing (init_lora_weights)."
    warn(
        f"before the first step the policy is not its reference: log-probabilities differ by up to "
        f"{measured:.2g} nats per root of a token, and rounding makes {noise.most:g} at most in "
        f"this precision. Margins do not begin at 0. {cause}",
        stacklevel=3,
    )
    return noise.usual


def _difference(
    model: nn.Module, reference: ReferencePolicy, pairs: TrainingPairs, engine: Engine
) -> float:
    by_length = np.argsort(pairs.tokens.lengths.max(axis=1), kind="stable")
    rows = by_length[np.unique(np.linspace(0, len(by_length) - 1, LOOKED_AT).astype(int))]

    def theirs(model: nn.Module, batch: PairBatch) -> Tensor:
        return reference(batch)

    if pairs.reference is not None:
        before = pairs.reference[torch.from_numpy(rows)]
    else:
        before = torch.from_numpy(over_rows(theirs, model, pairs.tokens, rows, engine, "reference"))
    lengths = torch.from_numpy(pairs.tokens.response_lengths[rows])
    worst = 0.0
    for size in SHAPES:
        some = replace(engine, pairs=size)
        found = torch.from_numpy(
            over_rows(log_probs, model, pairs.tokens, rows, some, "first look")
        )
        worst = max(worst, float(per_root_token(found - before, lengths).max()))
    return worst
