"""DRPO: the policy that is preferred to its reference most, doubly robust.

Doubly robust alignment (arXiv 2506.01183), Algorithm 1. Of a record (X, Y1, Y2, Z), with both
responses from pi_ref and Z = 1 where Y1 was preferred, an auxiliary model g(x, y, y') of
P(y preferred to y' | x), ratios w_a = pi(Ya | X) / pi_ref(Ya | X) and samples Y* ~ pi(. | X):

    psi = mean over Y* of 1/2 [g(X, Y*, Y1) + g(X, Y*, Y2)]  +  1/2 (w_1 - w_2) [Z - g(X, Y1, Y2)]

    maximise over pi   mean psi - beta KL(pi || pi_ref)

psi estimates how often pi is preferred to pi_ref without bias where g is right or the responses are
the reference's (:mod:`surefoot.evaluation.policies.value`). Its gradient is a sum over responses of
a credit times grad log pi:

    of Y_a     1/2 (-1)^(a-1) clip(w_a) [Z - g(X, Y1, Y2)]
    of Y*_k    (R_k - mean of the other R) / K,
               R_k = 1/2 sum_a g(X, Y*_k, Ya) - beta log(pi / pi_ref)(Y*_k)

Taking the mean of the other samples away adds no bias (leave-one-out, arXiv 2402.14740), since
E[grad log pi] = 0. The published code takes every record in both orders, the first response being
Y1; their mean is the same psi, and its beta is this one. It differentiates a tokenwise estimate of
the KL with the samples held fixed, which gives the gradient of KL(pi_ref || pi) of each token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: Logarithm above which a ratio is not printed.
_LARGEST_LOG = 50.0


@dataclass(frozen=True)
class Credits:
    """What the log-probability of each response is worth, and the terms of each record's psi."""

    data: Tensor  #: (N, 2) credits of the record's responses
    samples: Tensor  #: (N, K) credits of the samples
    direct: Tensor  #: (N,) mean over samples of 1/2 sum_a g(X, Y*, Ya)
    correction: Tensor  #: (N,) 1/2 (w_1 - w_2) [Z - g], with the ratios as they entered
    kl: Tensor  #: (N,) mean over samples of log(pi / pi_ref), in nats


def credits(
    labels: Tensor,
    auxiliary: Tensor,
    sampled: Tensor,
    log_ratios: Tensor,
    sample_log_ratios: Tensor,
    beta: float,
    clip: tuple[float, float] | None = None,
) -> Credits:
    """The equations above; nothing here has a gradient.

    Args:
        labels: Z, or P(Y1 preferred) where labels are soft, shape (N,).
        auxiliary: g(X, Y1, Y2), shape (N,).
        sampled: g(X, Y*_k, Ya), shape (N, K, 2), with K of at least 2.
        log_ratios: log pi - log pi_ref of Y1 and Y2 in nats, shape (N, 2).
        sample_log_ratios: the same of the samples, shape (N, K).
        beta: weight of the KL.
        clip: smallest and largest ratio; None: as they are.

    Raises:
        ValueError: fewer than two samples, which leave nothing to compare with.
    """
    import torch

    count = sampled.shape[1]
    if count < 2:
        raise ValueError(f"at least two samples of each prompt are needed; got {count}.")
    with torch.no_grad():
        ratios = log_ratios.clamp(max=_LARGEST_LOG).exp()
        if clip is not None:
            ratios = ratios.clamp(*clip)
        residual = labels - auxiliary
        signed = ratios * ratios.new_tensor([0.5, -0.5])
        preferred = sampled.mean(-1)
        rewards = preferred - beta * sample_log_ratios
        others = (rewards.sum(1, keepdim=True) - rewards) / (count - 1)
        return Credits(
            data=signed * residual[:, None],
            samples=(rewards - others) / count,
            direct=preferred.mean(1),
            correction=signed.sum(1) * residual,
            kl=sample_log_ratios.mean(1),
        )
