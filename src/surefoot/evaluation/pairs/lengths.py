"""Does a model pick the longer response, and is it right where the shorter one is preferred?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.evaluation.pairs.judgments import Judgments
from surefoot.statistics import Estimate, mean
from surefoot.statistics.estimate import fields_ready


@dataclass(frozen=True)
class LengthFindings:
    """A model beside the lengths of responses, on pairs that differ in it."""

    #: share of pairs on which the model prefers the longer response; its ties count half
    picks_longer: Estimate
    prefer_longer: Estimate  #: share on which the labels do, human ties left out
    right_on_longer: Estimate  #: accuracy where the labels prefer the longer response
    right_on_shorter: Estimate  #: accuracy where they prefer the shorter one

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return fields_ready(self)

    @property
    def sentence(self) -> str:
        """All of it in words."""
        return (
            f"The model picks the longer response in {self.picks_longer} of the pairs, the labels "
            f"in {self.prefer_longer}. It is right on {self.right_on_longer} where the longer "
            f"one is preferred, on {self.right_on_shorter} where the shorter one is."
        )


def length_findings(
    judged: Judgments, lengths: Floats, ids: Ints, coverage: Mapping[str, Any]
) -> LengthFindings | None:
    """What a model's verdicts have to do with length; None where no lengths differ.

    Args:
        judged: the model on N pairs.
        lengths: of both responses, (N, 2).
        ids: (N,) of what pairs share.
        coverage: level and words of the intervals.
    """
    side = np.sign(lengths[:, 0] - lengths[:, 1])
    differ = np.flatnonzero(side)
    rows = np.intersect1d(judged.decided, differ)
    if not len(rows):
        return None
    picked = 0.5 + (judged.vote - 0.5) * side  # 1 where the longer one is, 1/2 for a tie
    longer = (judged.labels > 0.5) == (side > 0)

    def over(values: Floats, chosen: Ints) -> Estimate:
        return mean(values[chosen], ids[chosen], **coverage)

    return LengthFindings(
        over(picked, differ),
        over(longer.astype(np.float64), rows),
        over(judged.correct, rows[longer[rows]]),
        over(judged.correct, rows[~longer[rows]]),
    )
