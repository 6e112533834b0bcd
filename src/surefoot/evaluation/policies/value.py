"""The value of a policy from logged comparisons: how often it would be preferred to its reference.

DRPO (arXiv 2506.01183). The value is the total preference of pi over pi_ref,

    p*(pi) = E[g*(X, Y, Y')],   Y ~ pi, Y' ~ pi_ref,   g*(x, y, y') = P(y preferred to y' | x),

which needs no Bradley-Terry. Of one record (X, Y1, Y2, Z), with both responses from pi_ref and
Z = 1 where Y1 was preferred, an auxiliary model g of g*, ratios w_a = pi(Ya | X) / pi_ref(Ya | X)
and samples Y* ~ pi(. | X):

    direct          1/2 sum_a mean over Y* of g(X, Y*, Ya)          right where g is
    importance      1/2 [w_1 Z + w_2 (1 - Z)]                       right where pi_ref is
    doubly robust   direct + 1/2 (w_1 - w_2) [Z - g(X, Y1, Y2)]     right where either is

Nothing confines the last two to [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import model_validator
from scipy.special import logsumexp

from surefoot.arrays import ArrayLike, Floats
from surefoot.errors import ConfigurationError, DataError
from surefoot.options import Options
from surefoot.statistics import NOT_NEGATIVE, SHARE, Estimate, Range, mean
from surefoot.statistics.estimate import Scope, fields_ready
from surefoot.statistics.ranges import as_one

#: With an effective size of fewer responses than this, weighted means get no interval.
FEWEST_EFFECTIVE = 10
#: Logarithm of a ratio above which a weighted mean is no number to print.
_LARGEST_LOG = 100.0
_COVERS = "test prompts"


class RatioOptions(Options):
    """How the ratios w = pi / pi_ref enter."""

    title = "the ratio"

    clip: tuple[float, float] | None = None
    """Smallest and largest ratio, such as [0, 20]; off by default. A clipped ratio has less
    variance and is wrong: importance is biased, and doubly robust is right only where the auxiliary
    model is. A lower end above 0 gives weight to responses that the policy would not write; after
    long training nearly all ratios lie below it, and the estimate is that end, whatever the
    labels say."""
    self_normalise: bool = False
    """Divide by the mean ratio, which is 1 for the true ratios and many records. Steadier, with a
    bias of order 1 / effective size; ratios that are all equal, or all clipped to one end, then
    give exactly 1/2 for importance."""

    @model_validator(mode="after")
    def _around_one(self) -> RatioOptions:
        if self.clip is not None and not 0 <= self.clip[0] < 1 < self.clip[1]:
            raise ConfigurationError(
                "clip of the ratio is [low, high] with 0 <= low < 1 < high, since the ratio of a "
                f"policy that equals its reference is 1; got {list(self.clip)!r}."
            )
        return self


@dataclass(frozen=True)
class Terms:
    """What one record adds to each estimate, each of shape (N,)."""

    direct: Floats  #: 1/2 sum_a g(X, Y*, Ya)
    importance: Floats  #: 1/2 [w_1 Z + w_2 (1 - Z)]
    correction: Floats  #: 1/2 (w_1 - w_2) [Z - g(X, Y1, Y2)]: doubly robust less direct
    ratio: Floats  #: 1/2 (w_1 + w_2)


def terms(labels: Floats, auxiliary: Floats, sampled: Floats, ratios: Floats) -> Terms:
    """The equations above, record by record.

    Of labels Z (or P(Y1 preferred), where they are soft) and g(X, Y1, Y2), shape (N,), and of the
    mean over Y* ~ pi of g(X, Y*, Ya) and the ratios w_a for a = 1, 2, shape (N, 2).
    """
    first, second = ratios.T
    return Terms(
        direct=sampled.mean(axis=1),
        importance=(first * labels + second * (1 - labels)) / 2,
        correction=(first - second) * (labels - auxiliary) / 2,
        ratio=ratios.mean(axis=1),
    )


def effective_size(log_ratios: ArrayLike) -> float:
    """(sum w)^2 / sum w^2 of ratios, given by their logarithms: how many share the weight.

    >>> effective_size([0.0, 0.0, 0.0]), round(effective_size([0.0, -800.0]), 6)
    (3.0, 1.0)
    """
    logs = np.ravel(np.asarray(log_ratios, dtype=np.float64))
    if not len(logs) or np.isneginf(logs).all():
        return 0.0
    return float(np.exp(2 * logsumexp(logs) - logsumexp(2 * logs)))


@dataclass(frozen=True)
class PolicyValue:
    """Three estimates of one value, and what the weighted ones rest on."""

    n: int  #: records
    prompts: int  #: clusters of the intervals
    direct: Estimate
    importance: Estimate
    doubly_robust: Estimate
    #: doubly robust less direct. Away from 0, the labels contradict the auxiliary model where the
    #: policy writes, or the ratios are not those of the data
    correction: Estimate
    #: before clipping; 1 in expectation where the responses come from the reference
    mean_ratio: Estimate
    effective: float  #: effective size of the 2 N ratios before clipping, in responses
    largest: float  #: the largest ratio before clipping, as its share of all weight
    clipped: tuple[float, float]  #: shares of ratios that were raised and lowered
    options: RatioOptions  #: how the ratios entered

    @property
    def effective_share(self) -> float:
        """Effective size as a share of the 2 N responses."""
        return self.effective / (2 * self.n)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        weights = {
            "effective": {
                "responses": self.effective,
                "of": 2 * self.n,
                "share": self.effective_share,
                "largest_share": self.largest,
            },
            "clipped": {"raised": self.clipped[0], "lowered": self.clipped[1]},
            "ratio": self.options.model_dump(mode="json"),
        }
        return fields_ready(self, "largest", "options") | weights


def policy_value(
    labels: ArrayLike,
    auxiliary: ArrayLike,
    sampled: ArrayLike,
    log_ratios: ArrayLike,
    prompts: ArrayLike | None = None,
    options: RatioOptions | None = None,
    level: float = 0.95,
) -> PolicyValue:
    """Estimate the value of a policy three ways.

    Args:
        labels: Z in [0, 1], soft or not, shape (N,).
        auxiliary: g(X, Y1, Y2), shape (N,); of a model that did not see these labels.
        sampled: mean over samples of the policy of g(X, Y*, Ya), shape (N, 2).
        log_ratios: log pi - log pi_ref of both responses in nats, shape (N, 2).
        prompts: ids of the prompts, shape (N,), which intervals take as clusters. None: each
            record has its own.
        options: clipping and self-normalisation of the ratios; default: neither.
        level: nominal coverage.

    Returns:
        Estimates whose intervals cover test prompts with their labels and samples, for this policy,
        reference and auxiliary model. The error of a wrong model is in none of them.

    Raises:
        DataError: no records, shapes that do not fit, probabilities outside [0, 1], or ratios that
            are not defined; the message says where.
    """
    options = options or RatioOptions()
    z, g, s, logs, ids = _checked(labels, auxiliary, sampled, log_ratios, prompts)
    n = len(z)
    effective = effective_size(logs)

    def weighted(values: Floats, top: float, within: Range | None = None) -> Estimate:
        reason = _unusable(values, top, effective)
        if not reason:
            return mean(values, ids, None, level, _COVERS, within)
        figure = None if top > _LARGEST_LOG else float(values.mean())
        return Scope(n, _COVERS, level).refused(figure, reason)

    used, clipped = _clipped(logs, options)
    top, highest, total = float(used.max()), float(logs.max()), logsumexp(logs)
    if options.self_normalise and np.isfinite(top):
        used, top = used - top, 0.0
    parts = terms(z, g, s, np.exp(np.minimum(used, _LARGEST_LOG)))
    importance, correction = parts.importance, parts.correction
    if options.self_normalise:
        importance, correction = (_normalised(v, parts.ratio) for v in (importance, correction))
    ratio = np.exp(np.minimum(logs, _LARGEST_LOG)).mean(axis=1)
    return PolicyValue(
        n=n,
        prompts=len(np.unique(ids)),
        direct=mean(parts.direct, ids, None, level, _COVERS, SHARE),
        importance=weighted(importance, top, None if options.self_normalise else NOT_NEGATIVE),
        doubly_robust=weighted(parts.direct + correction, top),
        correction=weighted(correction, top),
        mean_ratio=weighted(ratio, highest, NOT_NEGATIVE),
        effective=effective,
        largest=float(np.exp(highest - total)) if np.isfinite(total) else 0.0,
        clipped=clipped,
        options=options,
    )


def _unusable(values: Floats, top: float, effective: float) -> str:
    """Why a mean with weights, the largest e^top, has no interval; or nothing."""
    if top > _LARGEST_LOG:
        return f"the largest ratio is above e^{top:.0f}: clip"
    if effective < FEWEST_EFFECTIVE:
        return (
            f"the ratios have an effective size of {effective:.1f} of {2 * len(values)} responses "
            f"({FEWEST_EFFECTIVE} are needed)"
        )
    return "every record has the same value" if as_one(values) else ""


def _clipped(logs: Floats, options: RatioOptions) -> tuple[Floats, tuple[float, float]]:
    """Log-ratios as they are used, and the shares that were raised and lowered."""
    if options.clip is None:
        return logs, (0.0, 0.0)
    low, high = (math.log(end) if end > 0 else -math.inf for end in options.clip)
    return np.clip(logs, low, high), (float((logs < low).mean()), float((logs > high).mean()))


def _normalised(values: Floats, ratio: Floats) -> Floats:
    """Values whose mean is mean(values) / mean(ratio), and whose spread is that of the quotient.

    They are linearised: q + (value - q ratio) / mean(ratio), with q the quotient.
    """
    scale = ratio.mean()
    if scale == 0:
        raise DataError("every ratio is 0: the policy writes none of these responses.")
    quotient = values.mean() / scale
    return np.asarray(quotient + (values - quotient * ratio) / scale)


def _checked(
    labels: ArrayLike,
    auxiliary: ArrayLike,
    sampled: ArrayLike,
    log_ratios: ArrayLike,
    prompts: ArrayLike | None,
) -> tuple[Floats, Floats, Floats, Floats, npt.NDArray[np.generic]]:
    z = _probabilities("labels", labels, None)
    n = len(z)
    g = _probabilities("auxiliary", auxiliary, (n,))
    s = _probabilities("sampled", sampled, (n, 2))
    logs = np.asarray(log_ratios, dtype=np.float64)
    if logs.shape != (n, 2):
        raise DataError(f"log_ratios have shape ({n}, 2); got {logs.shape}.")
    if wrong := np.argwhere(np.isnan(logs) | np.isposinf(logs)).tolist():
        raise DataError(
            f"log_ratios are log pi - log pi_ref, below infinity; got {logs[tuple(wrong[0])]} in "
            f"record {wrong[0][0]}."
        )
    ids = np.arange(n) if prompts is None else np.asarray(prompts)
    if ids.shape != (n,):
        raise DataError(f"prompts are ids of shape ({n},); got {ids.shape}.")
    return z, g, s, logs, ids


def _probabilities(name: str, numbers: ArrayLike, shape: tuple[int, ...] | None) -> Floats:
    values = np.asarray(numbers, dtype=np.float64)
    if values.shape != (shape or (values.size,)):
        raise DataError(f"{name} have shape {shape or '(N,)'}; got {values.shape}.")
    if not values.size:
        raise DataError("there are no records to estimate a value from.")
    if wrong := np.argwhere(~((values >= 0) & (values <= 1))).tolist():
        raise DataError(
            f"{name} are probabilities in [0, 1]; got {values[tuple(wrong[0])]} in record "
            f"{wrong[0][0]}."
        )
    return values
