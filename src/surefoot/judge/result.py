"""What a judge said of N pairs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.arrays import ArrayLike, Floats
from surefoot.data.schema import Fault, Preferences
from surefoot.judge.cost import amount
from surefoot.statistics import SHARE, Estimate, mean
from surefoot.statistics.ties import side_of_half

_SHOWN = 5

#: Shares of verdicts that change with the order, from which a judge is warned about, and from which
#: it is worth nothing (if the order also moves its chances more than the texts do); and the
#: position bias that is large if its interval leaves out 0.
OFTEN, WORTHLESS, BIASED = 0.2, 0.5, 0.05


@dataclass(frozen=True)
class JudgeResult:
    """What a judge said of N pairs."""

    probabilities: Floats  #: (N,) P(a preferred); NaN where a pair was skipped
    firsts: Floats  #: (N, 2) P(first preferred) with a first and with b first; NaN where not asked
    position_bias: Estimate  #: mean P(first preferred) - 1/2, over the pairs asked in both orders
    flipped: int  #: pairs whose verdict changes with the order
    judged: int  #: pairs asked in both orders
    identical: int  #: pairs of equal responses, which are 1/2 without being asked
    requests: int  #: questions put to the endpoint in this run, each counted once
    retries: int  #: requests that had to be sent again
    cached: int  #: answers that were known
    cut: int  #: texts shown only in part
    tokens_in: int  #: tokens sent in this run, as the endpoint counts them; 0 where it does not say
    tokens_out: int  #: tokens received
    money: float | None  #: what they cost in the currency of the prices; None without prices
    failures: tuple[Fault, ...]  #: the skipped pairs, with their places and reasons
    template: str  #: which template asked
    refused: int = 0  #: the skipped pairs that the judge refused
    #: pairs whose texts hold what looks like the marks of a question, with it
    imitations: tuple[Fault, ...] = ()
    #: other names than the one asked for by which the endpoint calls the model
    answered_by: tuple[str, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against the answers, in sentences."""
        sentences = []
        share = self.flipped / self.judged if self.judged else 0.0
        bias = self.position_bias
        large = bias.side(0.0) != 0 and abs(bias.estimate or 0.0) >= BIASED
        flips = f"the verdict changes with the order in {self.flipped:,} of {self.judged:,} pairs"
        first, second = self.firsts[np.isfinite(self.firsts).all(1)].T
        by_place, by_content = (
            np.abs(x).mean() if len(x) else 0.0 for x in (first + second - 1, first - second)
        )
        if share >= WORTHLESS and by_place > by_content:
            sentences.append(
                f"{flips} ({share:.0%}): this judge goes by the place of a response, not by what "
                "it says. Do not rely on it: take another model or template."
            )
        elif share >= OFTEN or large:
            sentences.append(
                f"{flips} ({share:.0%}), position bias {bias:+.3f}: the place of a response "
                "counts. The mean of both orders takes it out, and much of what was paid for "
                "with it."
            )
        if self.imitations:
            sentences.append(
                f"{len(self.imitations):,} pair(s) hold text that looks like an end of the "
                f"question's parts ({self.imitations[0].reason}): {_places(self.imitations)}. It "
                "may be meant for a judge; look at these pairs."
            )
        if self.answered_by:
            left = len(self.answered_by) - _SHOWN
            more = f" and {left} more" if left > 0 else ""
            names = f"{', '.join(self.answered_by[:_SHOWN])}{more}"
            sentences.append(f"the endpoint answers as another model: {names}.")
        return tuple(sentences)

    def __str__(self) -> str:
        lines = [
            f"{self.judged:,} pair(s) judged: {self.requests:,} request(s), {self.retries:,} sent "
            f"again, {self.cached:,} answer(s) known",
            f"position bias (mean P(first) - 1/2) {self.position_bias:+.3f}; the verdict changes "
            f"with the order in {self.flipped:,} pair(s)",
        ]
        if self.tokens_in or self.tokens_out:
            price = "" if self.money is None else f", {amount(self.money)}"
            lines.append(f"{self.tokens_in:,} tokens sent, {self.tokens_out:,} received{price}")
        lines += [f"warning: {doubt}" for doubt in self.doubts]
        if self.refused:
            lines.append(
                f"{self.refused:,} pair(s) refused by the judge: remembered, not asked again"
            )
        if self.failures:
            counts = Counter(fault.reason for fault in self.failures).most_common(_SHOWN)
            skipped = f"{len(self.failures):,} pair(s) skipped: {_places(self.failures)}"
            lines.append(f"warning: {skipped}")
            lines += [f"  {count:,} times: {reason}" for reason, count in counts]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the figures of single pairs, for a JSON result."""
        names = "judged identical flipped refused requests retries cached cut tokens_in tokens_out"
        counts = {name: getattr(self, name) for name in [*names.split(), "money"]}
        return {
            "template": self.template,
            "position_bias": self.position_bias.to_dict(),
            **counts,
            "answered_by": list(self.answered_by),
            "doubts": list(self.doubts),
            "imitations": [vars(one) for one in self.imitations],
            "failures": [vars(fault) for fault in self.failures],
        }


def _places(faults: tuple[Fault, ...]) -> str:
    shown = ", ".join(f"{one.file} row {one.row}" for one in faults[:_SHOWN])
    return shown + (", ..." if len(faults) > _SHOWN else "")


def combine(first: ArrayLike, second: ArrayLike) -> Floats:
    """P(a preferred) = 1/2 + (p(a, b) - p(b, a)) / 2, so that P(a, b) + P(b, a) = 1 exactly.

    Args:
        first: p(a, b), shape (N,): P(first preferred) with a first.
        second: p(b, a), shape (N,): P(first preferred) with b first.
    """
    difference = (np.asarray(first, np.float64) - np.asarray(second, np.float64)) / 2
    larger = 0.5 + np.abs(difference)  # rounded once: its complement is exact
    return np.where(difference < 0, 1 - larger, larger)


def position(firsts: Floats, preferences: Preferences) -> tuple[Estimate, int, int]:
    """Position bias with an interval over prompts, pairs that flip, and pairs that count.

    Args:
        firsts: (N, 2) P(first preferred) in either order; NaN where not asked.
        preferences: the N pairs.
    """
    rows = np.flatnonzero(np.isfinite(firsts).all(1))
    asked = firsts[rows]
    sides = side_of_half(asked)
    flipped = int(((sides == 1).all(1) | (sides == -1).all(1)).sum())
    prompts = preferences.select(rows).prompt_keys() if len(rows) else None
    share = mean(asked.mean(1), prompts, covers="prompts", within=SHARE)
    return share.mapped(lambda first: first - 0.5), flipped, len(rows)
