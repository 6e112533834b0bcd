"""Wasserstein ball around the data: Gao, Chen and Kleywegt (1712.06050), gradient-norm penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.objectives.regulariser import Regulariser

if TYPE_CHECKING:
    from torch import Tensor


class Wasserstein(Regulariser, kind="wasserstein"):
    """radius sqrt(mean |grad_x loss|^2): what small changes of all that is read add to the loss.

    Beside the mean loss it is the worst mean loss over all data within `radius` of these in
    2-Wasserstein distance, to first order in the radius: what the scorer reads may move, labels
    stay. For a linear head w on differences of features x the gradient is psi'(m) w, so it is
    radius |w| sqrt(mean psi'(m)^2). Under a convex loss with psi'' <= B the worst case is then at
    least the first-order value, and above it by B |w|^2 radius^2 / 2 at most. Not convex in w: the
    penalty is least where margins are large.
    """

    radius: float = Field(gt=0)
    """Root mean square of how far what is read may move: differences of standardised features for
    heads on frozen embeddings, input embeddings of both responses for reward models."""

    needs = "rewards"
    remedy_for = frozenset({"drift"})
    of_linear_heads = True

    def __call__(self, squares: Tensor, share: Tensor) -> Tensor:
        """The penalty (...).

        Args:
            squares: (N, ...) |grad_x loss|^2 of each pair.
            share: (N, ...) weight of each pair, summing to 1.
        """
        return self.radius * _root((share * squares).sum(0))

    def rate(self, squares: Tensor, share: Tensor) -> Tensor:
        """Growth of the penalty (...) with the mean of the squares; constant in both.

        The penalty of a step has the gradient of `rate * sum(share * squares)`, in any split of it.
        """
        import torch

        mean = (share * squares).sum(0).detach().requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad((self.radius * _root(mean)).sum(), mean)
        return slope


def _root(values: Tensor) -> Tensor:
    """Square roots; at 0 with gradient 0, a subgradient of the norm that they are of."""
    import torch

    positive = values > 0
    return torch.where(positive, values, 1.0).sqrt() * positive
