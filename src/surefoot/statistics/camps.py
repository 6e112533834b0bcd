"""Do voters follow one direction of preference, or two? A mixture, tried on votes it has not seen.

The likelihood ratio of two directions against one counts annotators who are merely less careful,
and any departure however small, as a second camp. So the mixture is fitted to some annotators and
tried on others: how much better is each fifth of their votes predicted by the direction of the camp
that the other four fifths are of than by the one direction of all? Only which response is predicted
counts, which carelessness does not change. Where there is one direction, nothing is gained in the
mean, however large the mixture's likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, logsumexp

from surefoot.arrays import Floats, Ints
from surefoot.statistics.dependence import in_one_unit
from surefoot.statistics.logistic import fit

_FOLDS = 5
#: Precision of a camp's deviation before it is seen, in features of variance 1.
_RIDGE = 4.0
_STARTS = 3
_STEPS = 100


@dataclass(frozen=True)
class Camps:
    """A mixture of two directions, for J annotators and K features."""

    #: (V,) of each vote: 1 where the annotator's camp says that the first is preferred and the one
    #: direction says the second, -1 the other way round, else 0 (a half where one says neither);
    #: both fitted without the annotator's votes, the camp chosen without the vote
    turned: Floats
    one: Floats  #: (K,) the direction of all
    directions: Floats  #: (2, K) of the camps, the larger one first
    member: Floats  #: (J,) chance that the annotator is of the smaller camp, by all votes

    def gains(self, votes: Floats, beside: Floats | float = 0.5) -> Floats:
        """How much more of votes (V,) their camps predict than the one direction does.

        Args:
            votes: (V,) as given to :func:`camps`.
            beside: (V,) what is expected of them whatever the camp, such as the mean of other
                votes on the pair.
        """
        return 2 * self.turned * (votes - beside)


def camps(
    features: Floats,
    votes: Floats,
    annotators: Ints,
    clusters: Ints,
    weights: Floats,
    seed: int = 0,
) -> Camps:
    """Fit one direction and two, and try both out of fold.

    Args:
        features: (V, K) of the pair voted on, of variance 1 or so.
        votes: (V,) P(first) as voted, in [0, 1].
        annotators: (V,) numbered from 0 to J - 1, each with a vote.
        clusters: (V,) what votes share; an annotator's parts have none in common.
        weights: (V,) not negative, not all 0; their unit does not count.
        seed: of folds.
    """
    weights = in_one_unit(weights)
    weights = weights * (weights.sum() / np.square(weights).sum())  # as many as say as much
    order = np.argsort(annotators, kind="stable")
    x, y, who, w = features[order], votes[order], annotators[order], weights[order]
    _, cluster = np.unique(clusters[order], return_inverse=True)
    rng = np.random.default_rng(seed)
    count = int(who.max()) + 1
    fold = rng.permutation(count) % _FOLDS
    fifth = rng.integers(0, _FOLDS, int(cluster.max()) + 1)[cluster]
    turned = np.empty(len(y))
    for k in range(_FOLDS):
        seen, tried = fold[who] != k, fold[who] == k
        _, others = np.unique(who[seen], return_inverse=True)
        one, directions, shares = _fitted(x[seen], y[seen], others, w[seen])
        margins = x[tried] @ directions.T
        loss = _surprise(margins, y[tried][:, None]) * w[tried][:, None]
        chances = np.empty_like(margins)
        for part in range(_FOLDS):  # the camp is chosen by the other parts
            mine = fifth[tried] == part
            chosen = _posterior(loss * ~mine[:, None], who[tried], count, shares)
            chances[mine] = chosen[who[tried][mine]]
        camp, all_alike = (chances * margins).sum(1), x[tried] @ one
        turned[order[tried]] = (np.sign(camp) - np.sign(all_alike)) / 2
    one, directions, shares = _fitted(x, y, who, w)
    loss = _surprise(x @ directions.T, y[:, None]) * w[:, None]
    member = _posterior(loss, who, count, shares)
    larger = int(member.mean(0).argmax())
    return Camps(turned, one, directions[[larger, 1 - larger]], member[:, 1 - larger])


def _surprise(margins: Floats, votes: Floats) -> Floats:
    return -(votes * log_expit(margins) + (1 - votes) * log_expit(-margins))


def _posterior(loss: Floats, who: Ints, count: int, shares: Floats) -> Floats:
    """Chance of each camp (count, 2), from the losses (V, 2) of votes under either."""
    sums = np.stack([np.bincount(who, one, count) for one in loss.T], axis=1)
    with np.errstate(divide="ignore"):
        logs = np.log(shares) - sums
    return np.asarray(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))


def _fitted(x: Floats, y: Floats, who: Ints, w: Floats) -> tuple[Floats, Floats, Floats]:
    """The one direction (K,), those of two camps (2, K), and the camps' shares (2,).

    Each annotator's likelihood is taken as quadratic about the one direction, which makes every
    step of EM a solution of two linear systems. Votes come sorted by annotator.
    """
    one = fit(x, y, w)
    p = expit(x @ one)
    cuts = np.flatnonzero(np.diff(who)) + 1
    slope, bend = x * (w * (y - p))[:, None], x * np.sqrt(w * p * (1 - p))[:, None]
    gradients = np.stack([part.sum(0) for part in np.split(slope, cuts)])
    hessians = np.stack([part.T @ part for part in np.split(bend, cuts)])
    moves, shares = _mixture(gradients, hessians)
    return one, one + moves, shares


def _mixture(gradients: Floats, hessians: Floats) -> tuple[Floats, Floats]:
    """The likeliest two deviations (2, K) and their shares, by EM from several starts.

    Annotators differ most along the first principal axes of their gradients, where these are
    measured in their own error; each start parts the annotators by the sign along one axis.
    """
    width = gradients.shape[1]
    prior = _RIDGE * np.eye(width)
    root = np.linalg.inv(np.linalg.cholesky(hessians.sum(0) + prior))
    scaled = gradients @ root.T
    axes = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1][:, :_STARTS].T @ root
    best, found = -np.inf, (np.zeros((2, width)), np.array([1.0, 0.0]))
    for axis in axes:
        spread = np.sqrt(np.einsum("k,jkl,l->j", axis, hessians, axis) + 1e-12)
        first = expit(2 * gradients @ axis / spread)
        value = -np.inf
        for _ in range(_STEPS):
            member = np.stack([first, 1 - first])
            curved = np.einsum("cj,jkl->ckl", member, hessians) + prior
            moves = np.linalg.solve(curved, (member @ gradients)[..., None])[..., 0]
            shares = member.mean(1)
            quadratic = np.einsum("ck,jkl,cl->cj", moves, hessians, moves) / 2
            logs = moves @ gradients.T - quadratic + np.log(np.maximum(shares, 1e-12))[:, None]
            every = logsumexp(logs, axis=0)
            first = np.exp(logs[0] - every)
            last, value = value, float(every.sum() - _RIDGE * (moves**2).sum() / 2)
            if value - last < 1e-4:
                break
        if value > best:
            best, found = value, (moves, shares)
    return found
