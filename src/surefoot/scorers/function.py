"""A reward by a function of Python.

It takes prompts and responses, a list of each, and gives a number for every pair of them. Prompts
and responses are texts, or lists of messages where the data are conversations, as TRL hands them
to a reward function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.schema import Preferences
from surefoot.data.text import Message, to_text, with_extra
from surefoot.errors import DataError, first_line
from surefoot.escaping import excerpt
from surefoot.scorers.trained import TrainedScorer

Reward = Callable[[list[Any], list[Any]], Sequence[float]]


class RewardFunction(TrainedScorer):
    """A function that rewards responses.

    Args:
        reward: from prompts and responses to a number for each.
        name: what messages call it.
    """

    def __init__(self, reward: Reward, name: str = "") -> None:
        self.reward = reward
        self.name = name or getattr(reward, "__name__", type(reward).__name__)

    @property
    def pairwise(self) -> bool:
        """It has a reward of a response alone."""
        return False

    def label(self) -> str:
        """What messages call it."""
        return self.name

    def scores(self, preferences: Preferences) -> Floats:
        """Rewards (N, 2) of both responses.

        Raises:
            DataError: the function fails, or gives something else than a finite number for each.
        """
        prompts, responses = [], []
        for prompt, a, b, chat in preferences.read(
            "prompt", "response_a", "response_b", "conversational"
        ):
            prompts += 2 * [_handed(prompt, chat)]
            responses += [_handed(a, chat), _handed(b, chat)]
        try:
            given = list(self.reward(prompts, responses)) if prompts else []
        except Exception as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise DataError(
                f"the reward {self.name} failed on {preferences.name}: {reason}"
            ) from error
        if len(given) != len(responses):
            raise DataError(
                f"the reward {self.name} gave {len(given)} numbers for {len(responses)} responses."
            )
        rewards = np.array([_number(one) for one in given], dtype=np.float64)
        if not np.isfinite(rewards).all():
            first = int((~np.isfinite(rewards)).argmax())
            raise DataError(
                f"the reward {self.name} gave {excerpt(given[first], 40)} for the response "
                f"{excerpt(responses[first], 60)}; it should be a finite number."
            )
        return rewards.reshape(-1, 2)


def _handed(turns: Sequence[Message], conversational: bool) -> Any:
    """Messages as they were given, or their text."""
    return list(map(with_extra, turns)) if conversational else to_text(turns)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan
