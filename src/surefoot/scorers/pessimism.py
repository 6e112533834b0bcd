"""Pessimism: one reward from the rewards of several members of an ensemble.

Coste et al., Reward Model Ensembles Help Mitigate Overoptimization (2310.02743). Where members
disagree, one of them is wrong, and a policy that looks for high rewards finds that place: a reward
below the members' mean there takes the prize away.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from pydantic import Field

from surefoot.options import Member
from surefoot.statistics.dependence import Floats


class Pessimism(Member, slot="pessimism"):
    """A rule that joins rewards (..., K) of K members, on one scale, into one reward (...)."""

    def __call__(self, rewards: Floats) -> Floats:
        """The reward (...) of each response, from those of the members (..., K)."""
        return np.asarray(self._joined(rewards))

    @abstractmethod
    def _joined(self, rewards: Floats) -> Floats: ...


class MeanOfMembers(Pessimism, kind="mean"):
    """r = 1/K sum_k r_k: none."""

    def _joined(self, rewards: Floats) -> Floats:
        return rewards.mean(-1)


class WorstCase(Pessimism, kind="worst-case"):
    """r = min_k r_k: worst-case optimisation (WCO).

    The zero of a member counts: one whose rewards are lower on all responses decides alone.
    """

    def _joined(self, rewards: Floats) -> Floats:
        return rewards.min(-1)


class VariancePenalised(Pessimism, kind="variance-penalised"):
    """r = mean_k r_k - coefficient * var_k r_k: uncertainty-weighted optimisation (UWO).

    The variance is that of the K members (divided by K), as in the paper and in its code for
    best-of-n; its code for PPO divides by K - 1.
    """

    coefficient: float = Field(0.5, ge=0)
    """Weight of the variance (lambda; the paper: 0.5 for best-of-n, 0.1 for PPO), in 1 / reward."""

    def _joined(self, rewards: Floats) -> Floats:
        return rewards.mean(-1) - self.coefficient * rewards.var(-1)
