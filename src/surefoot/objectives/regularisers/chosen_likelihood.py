"""Negative log-likelihood of the preferred response: iterative RPO (Pang et al., 2404.19733)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.objectives.regulariser import Outputs, PairPenalty

if TYPE_CHECKING:
    from torch import Tensor


class ChosenLikelihood(PairPenalty, kind="chosen-likelihood"):
    """-P log pi(a) / |a| - (1 - P) log pi(b) / |b|, with P the label: per token of the preferred.

    Preference losses see differences only, and can lower the likelihood of both responses; this
    term holds the preferred one up.
    """

    needs = "token sums"
    remedy_for = frozenset({"likelihood"})

    def __call__(self, outputs: Outputs, label: Tensor) -> Tensor:
        """Penalty of each pair (N,)."""
        if outputs.log_probs is None:
            raise TypeError("a reward has no likelihood")
        per_token = outputs.log_probs / outputs.lengths.clamp_min(1)
        preferred = label.to(per_token)
        return -(preferred * per_token[:, 0] + (1 - preferred) * per_token[:, 1])
