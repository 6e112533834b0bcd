"""Rewards of responses one by one, from models that score them two at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surefoot.data.schema import Preferences
from surefoot.data.text import Message, Prompt, to_text
from surefoot.errors import DataError
from surefoot.scorers.trained import Array, TrainedScorer


def rewards_of(
    model: TrainedScorer,
    prompts: Sequence[Prompt],
    responses: Sequence[Sequence[list[Message]]],
    sources: Sequence[str | None] | None = None,
    name: str = "responses",
) -> list[Array]:
    """Rewards (N_i,) of the N_i responses to each of P prompts.

    Two responses to one prompt are scored beside each other, the last of an odd number beside
    itself. Where a language model has to cut a prompt, both of a pair lose the same part of it.

    Args:
        model: a trained scorer that gives rewards.
        prompts: P of them.
        responses: to each.
        sources: of each prompt, for models that know sources.
        name: what messages call them.

    Raises:
        ConfigurationError: the model judges pairs.
        DataError: a reward is not finite; the message names the prompt.
    """
    rows = [
        {
            **prompts[i]._asdict(),
            "response_a": several[k],
            "response_b": several[min(k + 1, len(several) - 1)],
            "label": 0.5,
            "source": sources[i] if sources is not None else None,
        }
        for i, several in enumerate(responses)
        for k in range(0, len(several), 2)
    ]
    if not rows:
        return [np.empty(0) for _ in responses]
    scored = np.asarray(model.rewards(Preferences.from_rows(rows, name)), dtype=np.float64)
    found, start = [], 0
    for i, several in enumerate(responses):
        end = start + (len(several) + 1) // 2
        own = scored[start:end].ravel()[: len(several)]
        if not np.isfinite(own).all():
            prompt = " ".join(to_text(prompts[i].prompt).split())[:60]
            said = to_text(several[int((~np.isfinite(own)).argmax())])[:60]
            raise DataError(
                f"the reward of {said!r} to the prompt {prompt!r} is not finite: the reward model "
                "cannot be used on it."
            )
        found.append(own)
        start = end
    return found
