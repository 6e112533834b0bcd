"""Skew-symmetric scores of pairs: the general preference model (Zhang et al., 2410.02197).

Every response has a unit vector v in k planes, and a pair is scored by the sine between its two
vectors, plane by plane: antisymmetric, 0 for a response against itself, and able to say that a is
preferred to b, b to c and c to a, which no rewards can.
"""

from __future__ import annotations

import torch
from torch import Tensor


def unit_embeddings(offsets: Tensor, temperature: float) -> Tensor:
    """Unit vectors u / |u| (..., k, 2), u = (1, 0, ..., 1, 0) / sqrt(k) + temperature * offsets.

    The paper has no fixed mean. Here it gives a ridge penalty something to pull to (equal vectors:
    every pair a tie), and to first order in the offsets s / temperature is a difference of rewards
    on the scale of a linear head: the model of Bradley and Terry is the limit of a small
    temperature. Offsets that are linear in centred features could not come near it without a mean:
    opposite features would have opposite vectors.

    Args:
        offsets: (..., 2k) as a network gives them.
        temperature: tau of the paper.
    """
    planes = offsets.unflatten(-1, (-1, 2))
    mean = torch.tensor([planes.shape[-2] ** -0.5, 0.0]).to(planes)
    u = mean + temperature * planes
    return u / u.square().sum((-2, -1), keepdim=True).sqrt()


def skew_score(a: Tensor, b: Tensor, weights: Tensor | None = None) -> Tensor:
    """s(a, b) = sum_l lambda_l v_a' R v_b in plane l, with R = ((0, -1), (1, 0)).

    Args:
        a: (..., k, 2) unit vectors of first responses.
        b: (..., k, 2) of second responses.
        weights: (..., k) lambda of each plane; None: 1.

    Returns:
        Scores (...), of which s(b, a) is the exact opposite.
    """
    sines = a[..., 1] * b[..., 0] - a[..., 0] * b[..., 1]
    return (sines if weights is None else weights * sines).sum(-1)
