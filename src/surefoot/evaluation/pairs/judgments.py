"""Rewards against labels, pair by pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.data.schema import Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.statistics import log_loss
from surefoot.statistics.ties import credit, side_of_half, side_of_rewards


@dataclass(frozen=True)
class Judgments:
    """What a model says of each pair, next to the label."""

    rewards: Floats  #: shape (N, 2)
    probabilities: Floats  #: P(a preferred), shape (N,)
    labels: Floats  #: shape (N,)
    vote: Floats  #: 1 where the model prefers a, 0 where b, 1/2 for its ties, shape (N,)

    @property
    def decided(self) -> Ints:
        """Rows whose label prefers one side; human ties are left out of accuracy."""
        return np.flatnonzero(side_of_half(self.labels))

    @property
    def correct(self) -> Floats:
        """1 where the model is with the majority, 0 against, 1/2 where it ties, shape (N,)."""
        return credit(2 * self.vote - 1, self.labels)

    @property
    def agreement(self) -> Floats:
        """Chance that the model is with a judgment drawn from the label, shape (N,)."""
        return self.labels * self.vote + (1 - self.labels) * (1 - self.vote)

    def loss(self, labels: Floats | None = None) -> Floats:
        """Log-loss in nats under these labels, or others, shape (N,)."""
        return log_loss(self.probabilities, self.labels if labels is None else labels)


def judge(
    rewards: ArrayLike,
    preferences: Preferences,
    probabilities: ArrayLike | None = None,
    tie_tolerance: float = 0.0,
) -> Judgments:
    """Compare rewards with labels.

    Args:
        rewards: of responses a and b, shape (N, 2).
        preferences: the N pairs.
        probabilities: P(a preferred), shape (N,). None: Bradley-Terry, the logistic function of
            the difference of rewards.
        tie_tolerance: the model ties where its rewards differ by no more than this, or by no more
            than rounding: a millionth of the larger one.

    Raises:
        DataError: shapes that do not fit, or a value that is not finite or not a probability; the
            message names the row.
        ConfigurationError: a negative tolerance.
    """
    if not tie_tolerance >= 0:
        raise ConfigurationError(f"tie_tolerance is not negative; got {tie_tolerance!r}.")
    r = np.asarray(rewards, dtype=np.float64)
    n = len(preferences)
    if r.shape != (n, 2):
        raise DataError(f"rewards for {preferences.name} have shape ({n}, 2); got {r.shape}.")
    _all_rows(np.isfinite(r).all(axis=1), "the reward is not finite", preferences)
    if probabilities is None:
        p = 1 / (1 + np.exp(-np.clip(r[:, 0] - r[:, 1], -700, 700)))
    else:
        p = np.asarray(probabilities, dtype=np.float64)
        if p.shape != (n,):
            raise DataError(
                f"probabilities of {preferences.name} have shape ({n},); got {p.shape}."
            )
        _all_rows((p >= 0) & (p <= 1), "the probability is not in [0, 1]", preferences)
    return Judgments(r, p, preferences.labels, (side_of_rewards(r, tie_tolerance) + 1) / 2)


def _all_rows(good: ArrayLike, complaint: str, preferences: Preferences) -> None:
    wrong = np.flatnonzero(~np.asarray(good))
    if len(wrong):
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise DataError(f"{preferences.name}, row {wrong[0]}: {complaint}{more}.")
