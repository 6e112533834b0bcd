"""Rewards of responses one by one, from models that score them two at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.schema import Preferences
from surefoot.data.text import Message, Prompt, to_text
from surefoot.errors import DataError
from surefoot.scorers.trained import TrainedScorer


def rewards_of(
    model: TrainedScorer,
    prompts: Sequence[Prompt],
    responses: Sequence[Sequence[list[Message]]],
    sources: Sequence[str | None] | None = None,
    name: str = "responses",
) -> list[Floats]:
    """Rewards (N_i,) of the N_i responses to each of P prompts.

    Two responses to one prompt are scored beside each other, the last of an odd number beside
    itself. Where a language model has to cut a prompt, both of a pair lose the same part of it.

    Raises:
        ConfigurationError: the model judges pairs.
        DataError: a reward is not finite; the message names the prompt.
    """
    rows = [
        {
            **prompts[i]._asdict(),
            "response_a": texts[k],
            "response_b": texts[min(k + 1, len(texts) - 1)],
            "label": 0.5,
            "source": sources[i] if sources is not None else None,
        }
        for i, texts in enumerate(responses)
        for k in range(0, len(texts), 2)
    ]
    if not rows:
        return [np.empty(0) for _ in responses]
    scored = np.asarray(model.rewards(Preferences.from_rows(rows, name)), dtype=np.float64)
    rewards, start = [], 0
    for i, texts in enumerate(responses):
        end = start + (len(texts) + 1) // 2
        scores = scored[start:end].ravel()[: len(texts)]
        if not np.isfinite(scores).all():
            prompt = " ".join(to_text(prompts[i].prompt).split())[:60]
            text = to_text(texts[int((~np.isfinite(scores)).argmax())])[:60]
            raise DataError(
                f"the reward of {text!r} to the prompt {prompt!r} is not finite: the reward model "
                "cannot be used on it."
            )
        rewards.append(scores)
        start = end
    return rewards
