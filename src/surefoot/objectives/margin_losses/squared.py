"""Squared loss: IPO (Azar et al., 2310.12036)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.errors import ConfigurationError
from surefoot.objectives.margin_loss import LossProperties, MarginLoss

if TYPE_CHECKING:
    from torch import Tensor


class Squared(MarginLoss, kind="squared"):
    """psi(m) = (m - 1 / (2 tau))^2: a preferred response is to win by a set margin, no more.

    The best margin for a pair preferred with probability p is (2p - 1) / (2 tau). In IPO the
    margin is the difference of log-ratios to the reference, without DPO's beta.
    """

    tau: float = Field(0.5, gt=0)
    """Regularisation strength of IPO; the target margin is 1 / (2 tau)."""
    length_normalised: bool = False
    """Divide each response's score by its number of tokens (only where scores sum over tokens)."""

    properties = LossProperties(
        convex=True,
        smooth=True,
        bounded=False,
        lipschitz=float("inf"),
        odd_part_linear=True,  # psi(m) - psi(-m) = -2 m / tau
        signed_growth="none",
        calibrated=True,
    )

    remedy_for = frozenset({"confidence"})
    strength_option = "tau"

    @property
    def per_token(self) -> bool:
        """Whether margins are divided by the lengths of the responses."""
        return self.length_normalised

    def __call__(self, margins: Tensor) -> Tensor:
        """Losses, in the shape of the margins."""
        return (margins - 1 / (2 * self.tau)).square()

    def irreducible(self, probability: Tensor) -> Tensor:
        """P (1 - P) / tau^2, at the margin (2 P - 1) / (2 tau)."""
        return probability * (1 - probability) / self.tau**2

    def slack_point(self, penalty: float) -> float:
        """The slope 2 (m - target) equals -penalty half a penalty below the target."""
        return 1 / (2 * self.tau) - penalty / 2

    def margins(self, scores: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Margins of pairs, of per-token scores where `length_normalised`.

        Raises:
            ConfigurationError: `length_normalised` without lengths, or an empty response.
        """
        if not self.length_normalised:
            return super().margins(scores)
        if lengths is None or bool((lengths < 1).any()):
            raise ConfigurationError(
                "length_normalised divides by the number of tokens of each response: give the "
                "lengths (N, 2), all at least 1."
            )
        trailing = [1] * (scores.dim() - 2)
        return super().margins(scores / lengths.to(scores).reshape(*lengths.shape, *trailing))
