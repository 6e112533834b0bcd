"""Win rate of policy A against policy B: both orders, ties, length, position.

A judge sees both responses in both orders. With P(A preferred) f where A is shown first and b where
it is second, a comparison is p = (f + b) / 2, and A wins it where p > 1/2, ties at 1/2, or loses:
a judge that only prefers the first place ties with itself. Ties count half.

The length-controlled rate is the rate at equal length under

    logit E[outcome] = a + c log((1 + length of A) / (1 + length of B)),   rate = sigma(a),

in the spirit of AlpacaEval-LC (Dubois et al., arXiv 2404.04475), which fits regressions of the same
kind to all models of a leaderboard: it squashes the difference of lengths (tanh of it over
its deviation), adds the difficulty of each prompt, over which it averages, and penalises. Two
policies alone cannot carry that. Swapping A and B turns each rate into 1 less it.

Coverage of nominal 95 % intervals of that rate (`tests/evaluation/win_rate_coverage.py 2000`,
winners of one prompt alike three times in ten), by the number of prompts:

                                         10     20     30     50    100    200
    equal lengths, one a prompt       0.992  0.996  0.989  0.974  0.957  0.954
    A twice as long, one a prompt     0.982  0.992  0.997  0.993  0.970  0.960
    A twice as long, five a prompt    0.946  0.950  0.955  0.957  0.947  0.950
    A longer and better, unequal      0.951  0.953  0.956  0.954  0.956  0.951

Where many comparisons tie, the interval of the raw rate errs wide: it is not let below that of as
many comparisons without ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from surefoot.arrays import Floats
from surefoot.errors import DataError
from surefoot.statistics import NOT_NEGATIVE, SHARE, Estimate, Range, hierarchical
from surefoot.statistics.estimate import Scope, fields_ready, json_ready
from surefoot.statistics.ties import side_of_half, side_of_rewards

_COVERS = "test prompts"
#: Share of comparisons with one side longer from which equal length is called an extrapolation.
_NEARLY_ALL = 0.95
#: Share of comparisons with another winner in the other order from which the judge is doubted.
_OFTEN = 0.25


@dataclass(frozen=True)
class Contests:
    """Comparisons of responses of A and of B to the same prompts, with one seed of each.

    Raises:
        DataError: no comparisons, shapes that do not fit, or values out of range.
    """

    first: Floats  #: P(A preferred) with A shown first, or votes 1, 0 and 1/2, shape (N,)
    #: P(A preferred) with A shown second, shape (N,). None: the judge does not see the order, such
    #: as a reward model
    second: Floats | None
    lengths: Floats  #: of the responses of A and B in any one unit, shape (N, 2)
    #: ids of the prompts, shape (N,): equal over seeds where the prompt is the same
    prompts: npt.NDArray[np.generic]

    def __post_init__(self) -> None:
        n = len(self.first)
        if not n:
            raise DataError("there are no comparisons to take a win rate of.")
        sides = [("first", self.first), ("second", self.second)]
        for name, values in [(name, v) for name, v in sides if v is not None]:
            if values.shape != (n,):
                raise DataError(f"{name} has shape ({n},); got {values.shape}.")
            if len(wrong := np.flatnonzero(~((values >= 0) & (values <= 1)))):
                raise DataError(
                    f"{name} is P(A preferred), in [0, 1]; got {values[wrong[0]]} in comparison "
                    f"{wrong[0]}."
                )
        if self.lengths.shape != (n, 2) or not (self.lengths >= 0).all():
            raise DataError(f"lengths are not negative, of shape ({n}, 2).")
        if self.prompts.shape != (n,):
            raise DataError(f"prompts are ids of shape ({n},); got {self.prompts.shape}.")

    @property
    def probability(self) -> Floats:
        """P(A preferred) over both orders, shape (N,)."""
        return self.first if self.second is None else (self.first + self.second) / 2

    def outcome(self, tie_tolerance: float = 0.0) -> Floats:
        """1 where A wins, 0 where B does, 1/2 where neither is beyond the tolerance, (N,)."""
        return _vote(side_of_half(self.probability, tie_tolerance))

    @property
    def log_length_ratio(self) -> Floats:
        """log((1 + length of A) / (1 + length of B)), shape (N,)."""
        return np.asarray(np.log1p(self.lengths[:, 0]) - np.log1p(self.lengths[:, 1]))


@dataclass(frozen=True)
class WinRate:
    """A against B."""

    n: int  #: comparisons, over all seeds
    prompts: int  #: distinct prompts, which intervals take as clusters
    seeds: int  #: with several, intervals cover seeds too
    win_rate: Estimate  #: of A; ties count half
    #: the same at equal length; on the sigmoid's scale its interval is not symmetric
    length_controlled: Estimate
    probability: Estimate  #: mean of the judge's P(A preferred)
    ties: Estimate  #: share of comparisons
    #: how often the response shown first wins; 1/2 is no bias. None where the judge does not see
    #: the order
    position: Estimate | None
    #: share of comparisons whose winner is another one in the other order
    inconsistent: Estimate | None
    lengths: tuple[Estimate, Estimate]  #: mean length of A's responses and of B's
    longer: Estimate  #: share of comparisons in which A is longer, equal lengths half
    notes: tuple[str, ...] = ()  #: cautions

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        lengths = dict(zip("ab", self.lengths, strict=True))
        return fields_ready(self) | {"lengths": json_ready(lengths)}


def win_rate(
    judged: Contests | Sequence[Contests], tie_tolerance: float = 0.0, level: float = 0.95
) -> WinRate:
    """Win rate of A against B, raw and at equal length, each with its interval.

    Args:
        judged: comparisons; several for several seeds (of both policies, one to one).
        tie_tolerance: p within this of 1/2 is a tie, and within 1e-6 in any case: two orders that
            cancel do so up to rounding.
        level: nominal coverage.

    Raises:
        DataError: no seed, a tolerance outside [0, 1/2), or seeds of which only some were judged in
            both orders.
    """
    seeds = [judged] if isinstance(judged, Contests) else list(judged)
    if not seeds:
        raise DataError("there are no comparisons to take a win rate of.")
    if not 0 <= tie_tolerance < 0.5:
        raise DataError(f"tie_tolerance is in [0, 1/2); got {tie_tolerance!r}.")
    votes = [
        [_vote(side_of_half(p, tie_tolerance)) for p in (one.first, one.second)]
        for one in seeds
        if one.second is not None
    ]
    if len(votes) not in (0, len(seeds)):
        raise DataError(f"{len(votes)} of {len(seeds)} seeds were judged in both orders.")
    ids = [one.prompts for one in seeds]

    def over(values: list[npt.NDArray[Any]], within: Range | None = None) -> Estimate:
        return hierarchical(values, ids, level, _COVERS, within)

    outcomes = [one.outcome(tie_tolerance) for one in seeds]
    log_ratios = [one.log_length_ratio for one in seeds]
    turned = over([first != second for first, second in votes]) if votes else None
    longer = over([_vote(side_of_rewards(one.lengths)) for one in seeds])
    return WinRate(
        n=sum(map(len, ids)),
        prompts=len(np.unique(np.concatenate(ids))),
        seeds=len(seeds),
        win_rate=over(outcomes),
        length_controlled=length_controlled(outcomes, log_ratios, ids, level),
        probability=over([one.probability for one in seeds], SHARE),
        ties=over([y == 0.5 for y in outcomes]),
        position=over([(first + 1 - second) / 2 for first, second in votes]) if votes else None,
        inconsistent=turned,
        lengths=(
            over([one.lengths[:, 0] for one in seeds], NOT_NEGATIVE),
            over([one.lengths[:, 1] for one in seeds], NOT_NEGATIVE),
        ),
        longer=longer,
        notes=tuple(_notes(longer, turned)),
    )


def length_controlled(
    outcomes: Sequence[Floats],
    log_ratios: Sequence[Floats],
    prompts: Sequence[npt.NDArray[np.generic]],
    level: float = 0.95,
) -> Estimate:
    """sigma(a) of the regression above: the rate at equal length.

    With several seeds a is the mean of the seeds' own. The interval is that of a, clustered by
    prompt and over seeds, mapped through sigma: each comparison counts with its influence on a,
    which is the delta method.

    Outcomes in [0, 1], log-ratios of the lengths, and ids of the prompts have shape (N,) for each
    seed. Without a figure, but with the reason, where the regression has no solution.
    """
    n = sum(len(one) for one in outcomes)
    for y, x in zip(outcomes, log_ratios, strict=True):
        if reason := _unsolvable(y, x):
            return Scope(n, _COVERS, level).refused(None, reason)
        if (y == 0.5).all():
            return Scope(n, _COVERS, level).refused(0.5, "every comparison is a tie")
    influences = [_intercepts(y, x) for y, x in zip(outcomes, log_ratios, strict=True)]
    found = hierarchical(influences, list(prompts), level, _COVERS)
    return found.mapped(expit)


def _intercepts(outcomes: Floats, log_ratios: Floats) -> Floats:
    """Intercept of the logistic regression, plus N times each comparison's influence, (N,)."""
    design = np.column_stack([np.ones_like(log_ratios), log_ratios])
    coefficients = np.zeros(2)
    for _ in range(100):
        p = expit(design @ coefficients)
        hessian = design.T @ (design * (p * (1 - p))[:, None])
        step = np.linalg.solve(hessian, design.T @ (outcomes - p))
        coefficients = coefficients + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    scores = design * (outcomes - expit(design @ coefficients))[:, None]
    return np.asarray(coefficients[0] + len(outcomes) * np.linalg.solve(hessian, scores.T)[0])


def _unsolvable(outcomes: Floats, log_ratios: Floats) -> str:
    """Why the regression has no (finite, single) solution, or nothing."""
    if np.ptp(log_ratios) < 1e-12:
        return "the length ratio is the same in all comparisons"
    won, lost = log_ratios[outcomes > 0], log_ratios[outcomes < 1]
    if not len(won) or not len(lost):
        return "one side wins every comparison"
    if won.min() >= lost.max() or won.max() <= lost.min():
        return "length alone tells the winner of every comparison"
    return ""


def _vote(sides: Floats) -> Floats:
    """1 for A's side, 0 for B's, 1/2 for neither."""
    return (sides + 1) / 2


def _notes(longer: Estimate, inconsistent: Estimate | None) -> list[str]:
    notes = []
    share = longer.estimate or 0.0
    if max(share, 1 - share) > _NEARLY_ALL:
        side, share = ("A", share) if share > 0.5 else ("B", 1 - share)
        notes.append(
            f"{side} is longer in {share:.0%} of the comparisons: the rate at equal length is an "
            "extrapolation"
        )
    if inconsistent is not None and (inconsistent.estimate or 0.0) > _OFTEN:
        notes.append(
            f"the judge changes its mind with the order in {inconsistent.estimate:.0%} of the "
            "comparisons"
        )
    return notes
