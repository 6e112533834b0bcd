"""Where a policy goes that is pushed by a reward to a distance, from samples of it alone.

The policy of most reward at a KL divergence is proportional to pi exp(r / beta), and a mean under
it a weighted one of responses of pi: within each prompt by w_k proportional to exp(r_k / beta), the
self-normalised importance weights (Owen, Monte Carlo theory, methods and examples, 2013, chapter
9). At its beginning the mean of a feature f moves by Cov(f, r) / beta, and the divergence by
Var(r) / (2 beta^2): at a divergence d by rho sqrt(2 d) deviations, rho being the correlation of f
and r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from surefoot.arrays import Floats, Ints

#: Responses to a prompt that a tilted mean rests on, in the mean: with fewer there is none.
FEWEST_EFFECTIVE = 4.0
#: Ends of 1 / beta in deviations of the reward, as powers of e.
_ENDS = -12.0, 12.0


@dataclass(frozen=True)
class Tilt:
    """A policy tilted by a reward."""

    beta: float  #: what the reward is divided by
    weights: Floats  #: (R,) of the responses, which sum to 1 for each prompt
    effective: float  #: responses to a prompt that it rests on, in the mean: 1 / sum of squares

    def moved(self, values: Floats, prompt: Ints) -> Floats:
        """How far the mean of values (R,) moves for each prompt, (P,)."""
        plain = np.bincount(prompt, values) / np.bincount(prompt)
        return np.asarray(np.bincount(prompt, self.weights * values) - plain)


def tilt(rewards: Floats, prompt: Ints, kl: float) -> Tilt | None:
    """The tilt at which the divergence is `kl` nats in the mean over prompts.

    Args:
        rewards: (R,) of the responses.
        prompt: (R,) number of each one's prompt, 0 to P - 1.
        kl: above 0.

    Returns:
        None where the samples do not reach so far: K responses to a prompt are at most log K from
        their policy, and a tilt that rests on fewer than four of them in the mean is refused.
    """
    unit = float(np.sqrt(np.mean(np.square(rewards - _means(rewards, prompt)))))
    if not unit > 0:
        return None
    scaled = rewards / unit

    def missing(log_slope: float) -> float:
        return _divergence(_weights(scaled, prompt, np.exp(log_slope)), prompt) - kl

    if missing(_ENDS[0]) > 0 or missing(_ENDS[1]) < 0:
        return None
    slope = float(np.exp(brentq(missing, *_ENDS, xtol=1e-6)))
    weights = _weights(scaled, prompt, slope)
    effective = float(np.mean(1 / np.bincount(prompt, np.square(weights))))
    return None if effective < FEWEST_EFFECTIVE else Tilt(unit / slope, weights, effective)


def _means(values: Floats, prompt: Ints) -> Floats:
    return np.asarray((np.bincount(prompt, values) / np.bincount(prompt))[prompt])


def _weights(scaled: Floats, prompt: Ints, slope: float) -> Floats:
    top = np.full(int(prompt.max()) + 1, -np.inf)
    np.maximum.at(top, prompt, scaled)
    powers = np.exp(slope * (scaled - top[prompt]))
    return np.asarray(powers / np.bincount(prompt, powers)[prompt])


def _divergence(weights: Floats, prompt: Ints) -> float:
    """Mean over prompts of sum w log(K w)."""
    counts = np.bincount(prompt)[prompt]
    logs = np.log(np.maximum(weights * counts, 1e-300))
    return float(np.bincount(prompt, weights * logs).mean())
