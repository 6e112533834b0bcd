"""Over-optimisation along a run: the law of Gao et al. (2210.10760) on its own history.

With d the root of KL and R the gain of the reward that is watched,

    R(d) = d (alpha - beta log d).

The steps are cut into windows of equal length. The k-th steps of all windows are one series along
the whole run, and these series are the units of the fit (interpenetrating samples): what one step's
prompts and draws do to the figures is seen in how they differ. Intervals are those of this run, not
of another seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.evaluation.policies.overoptimisation.law import Law, fit_law

#: Windows at most, steps of a window at least (an interval needs so many units), windows at least.
_WINDOWS, _FEWEST_STEPS, _FEWEST_WINDOWS = 20, 10, 3
#: KL in nats from which it is more than rounding.
_LEAST = 1e-4


@dataclass(frozen=True)
class AlongTraining:
    """What the history of a run says."""

    law: Law | None  #: None where it cannot be fitted
    sentence: str  #: the verdict, or why there is none

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {"law": self.law.to_dict() if self.law else None, "verdict": self.sentence}


def along_training(history: Sequence[Mapping[str, float]]) -> AlongTraining:
    """Fit the law to what every step showed: `sequence_kl`, `trained_gain` and `watched_gain`."""
    if not history or "watched_gain" not in history[0]:
        return _none("no reward was watched (objective.watch)")
    length = max(_FEWEST_STEPS, len(history) // _WINDOWS)
    count = len(history) // length
    if count < _FEWEST_WINDOWS:
        return _none(f"it takes {_FEWEST_STEPS * _FEWEST_WINDOWS} steps; got {len(history)}")
    kept = history[len(history) - count * length :]
    kl, trained, watched = (
        np.array([one[name] for one in kept]).reshape(count, length)
        for name in ("sequence_kl", "trained_gain", "watched_gain")
    )
    at = kl.mean(1)
    moved = (at > _LEAST) & np.isfinite(at)
    if moved.sum() < _FEWEST_WINDOWS or np.ptp(at[moved]) == 0:
        return _none(
            "the KL is hardly above 0, or stands still (beta 0 leaves it unknown, or nothing was "
            "learnt)"
        )
    law = fit_law(at[moved], [watched[moved].T], "training", covers="steps")
    return AlongTraining(law, _verdict(law, float(trained[-1].mean()), float(watched[-1].mean())))


def _none(reason: str) -> AlongTraining:
    return AlongTraining(None, f"No law of over-optimisation was fitted: {reason}.")


def _verdict(law: Law, trained: float, watched: float) -> str:
    slope = law.slope
    direction = {
        1: "No over-optimisation: the watched reward still grows",
        -1: "Over-optimised: the watched reward falls",
        0: "The watched reward neither grows nor falls for certain",
    }[slope.side(0.0)]
    peak = law.peak
    where = f", its peak at d = {peak:.2f}" if peak is not None and peak <= law.last else ""
    fit = "" if law.r2 is None else f"; R² {law.r2:.2f}"
    return (
        f"{direction} where the run went furthest from the reference, d = {law.last:.2f} root nats "
        f"(slope {slope}{where}{fit}). At the end the trained reward has gained "
        f"{trained:.3g}, the watched one {watched:.3g}."
    )
