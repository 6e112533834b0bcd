"""Skew-symmetric scores of pairs: the general preference model (Zhang et al., 2410.02197).

Every response has a unit vector v in k planes, and a pair is scored by the sine between its two
vectors, plane by plane: antisymmetric, 0 for a response against itself, and able to say that a is
preferred to b, b to c and c to a, which no rewards can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from surefoot.errors import ConfigurationError
from surefoot.options import Options

if TYPE_CHECKING:
    from torch import Tensor

#: Length below which a vector is not made a unit one: it bounds the gradient there.
_SHORTEST = 1e-4


class SkewOptions(Options):
    """What general preference models have in common, on embeddings and on language models."""

    title: ClassVar[str] = "the general preference model"

    blocks: int = Field(4, ge=1)
    """Planes of the embedding, k in the paper; one can hold one cycle."""
    temperature: float = Field(0.1, gt=0)
    """tau: no margin is beyond 1 / tau. Toward 0 the scorer becomes one of rewards."""
    prompt_weights: bool = False
    """Weigh the planes by a softmax of what the prompt alone says; false: all weigh 1."""
    reward: bool = False
    """Add a difference of rewards, so that rewards are among the models exactly."""

    @model_validator(mode="after")
    def _one_plane_has_no_weights(self) -> Self:
        if self.prompt_weights and self.blocks == 1:
            raise ConfigurationError(
                "prompt_weights has no effect on one plane: a softmax of one number is 1. Set "
                "blocks to 2 or more."
            )
        return self

    def margins(self, a: Tensor, b: Tensor, prompts: Tensor | None = None) -> Tensor:
        """Log-odds s / tau (...) that the first response is preferred.

        Of what a network makes of both responses, `a` and `b` (..., 2k), and of their `prompts`
        (..., k), whose softmax weighs the planes.
        """
        v_a, v_b = (unit_embeddings(offsets, self.temperature) for offsets in (a, b))
        weights = None if prompts is None else prompts.softmax(-1)
        return skew_score(v_a, v_b, weights) / self.temperature


def unit_embeddings(offsets: Tensor, temperature: float) -> Tensor:
    """Unit vectors u / |u| (..., k, 2), u = (1, 0, ..., 1, 0) / sqrt(k) + sqrt(tau) * offsets.

    The paper has no fixed mean. Here it gives a ridge penalty something to pull to (equal vectors:
    every pair a tie), and to first order in the offsets s is a difference of rewards: the model of
    Bradley and Terry is the limit of a small temperature. Offsets that are linear in centred
    features could not come near it without a mean: opposite features would have opposite vectors.
    The square root makes what is of second order in s / tau, and can cycle, as large as the offsets
    say, whatever tau is. With tau itself, fits that began near ties often missed a cycle.

    Where |u| is below 1e-4 it counts as 1e-4: u = 0 has no direction, gives 0 and ties with all.
    Offsets (..., 2k) are as a network gives them, and the temperature is tau.
    """
    import torch

    planes = offsets.unflatten(-1, (-1, 2))
    mean = torch.tensor([planes.shape[-2] ** -0.5, 0.0]).to(planes)
    u = mean + temperature**0.5 * planes
    return u / u.square().sum((-2, -1), keepdim=True).clamp_min(_SHORTEST**2).sqrt()


def skew_score(a: Tensor, b: Tensor, weights: Tensor | None = None) -> Tensor:
    """s(a, b) = sum_l lambda_l v_a' R v_b in plane l, with R = ((0, -1), (1, 0)).

    From unit vectors (..., k, 2) and weights lambda (..., k), by default 1. Of the scores (...)
    s(b, a) is the exact opposite.
    """
    sines = a[..., 1] * b[..., 0] - a[..., 0] * b[..., 1]
    return (sines if weights is None else weights * sines).sum(-1)
