"""Does the reward pay more for the form of responses than labels do?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.blind import in_deviations
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.diagnostics.shortcuts import differs
from surefoot.auditing.features import FEATURES
from surefoot.auditing.models.material import RewardMaterial
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.intervals import quantile
from surefoot.statistics.logistic import sure_slope
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import credit, side_of_half, side_of_margins

MATTERS = 0.1
#: Pairs as good as alike in a feature, in deviations of its difference; parts of the jackknife;
#: pairs that an accuracy takes.
_MATCHED, _PARTS, _FEWEST = 0.25, 40, 20


def overpaid(material: RewardMaterial) -> Iterator[Measurement | Lacking]:
    r"""Of labels given the reward's margin, the slope in each feature, negated.

    .. math:: \operatorname{logit} P(y = 1) = a\,m - \gamma_f\,f

    A reward that pays for a feature f as labels do leaves no slope: m carries it already. One that
    pays more is to be corrected downwards, gamma > 0, whatever its scale a.
    """
    if len(np.unique(material.prompts[material.weights > 0])) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    margins = in_deviations(material.rewards[:, 0] - material.rewards[:, 1])
    contrasts = {
        name: in_deviations(values)
        for name, values in material.contrasts.items()
        if differs(material, values)
    }
    if not contrasts:
        yield Lacking(f"{DIAGNOSTIC.name}: 100 rows that differ in a feature of form.")
        return
    for name, values in contrasts.items():
        columns = np.stack([values, margins], axis=1)
        value, error, freedom = sure_slope(
            columns, material.labels, material.prompts, material.weights, MATTERS
        )
        test = MinimumEffect(-value, error, freedom, MATTERS, "either")
        size = test.estimate(len(values), "prompts")
        more = next(one.more for one in FEATURES if one.name == name)
        ratio = explained(material, values)
        yield Measurement(
            of=name,
            size=size,
            test=test,
            seen=f"It rewards {more} responses {'more' if value < 0 else 'less'} than labels do, "
            f"by {size} log-odds for a standard deviation. {ratio} "
            f"{by_side(material, values, more)}",
            advice="Balance the training pairs by the feature, or judge on pairs matched in it.",
            details=ratio.to_dict(),
            weight=3.0 if name == "length" else 1.0,
        )


@dataclass(frozen=True)
class Explained:
    """What a feature alone explains within pairs, as squared correlations."""

    reward: float  #: of the variance of the reward
    labels: float  #: of that of labels
    ratio: tuple[float, float] | None  #: ends of an interval of their ratio; None where it has none

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "explained_of_reward": self.reward,
            "explained_of_labels": self.labels,
            "ratio": None if self.ratio is None else list(self.ratio),
        }

    def __str__(self) -> str:
        said = f"The feature alone explains {self.reward:.1%} of the reward's variance within pairs"
        if self.ratio is None:
            return f"{said}, and {self.labels:.1%} of the labels', too little for a ratio."
        low, high = self.ratio
        times = self.reward / self.labels
        return f"{said}, {times:.1f} [{low:.1f}, {high:.1f}] times as much as of the labels'."


def explained(material: RewardMaterial, values: Floats) -> Explained:
    """Shares of the variance of margins and labels, with the ratio's interval by the jackknife.

    Prompts are left out in 40 parts. Where the labels' share is within two errors of 0 there is no
    ratio.
    """
    margins = material.rewards[:, 0] - material.rewards[:, 1]
    targets, w = (margins, 2 * material.labels - 1), material.weights
    part = np.unique(material.prompts, return_inverse=True)[1] % _PARTS
    sums = [
        np.bincount(part, w * one, _PARTS)
        for target in targets
        for one in (values * target, values**2, target**2)
    ]
    totals = [float(one.sum()) for one in sums]
    shares = np.array([_share(*totals[:3]), _share(*totals[3:])])
    without = np.array(
        [
            [_share(*(t - s[k] for t, s in zip(totals[i : i + 3], sums[i : i + 3], strict=True)))
             for i in (0, 3)]
            for k in range(_PARTS)
        ]
    )  # fmt: skip
    spread_of = (_PARTS - 1) / _PARTS * np.square(without - without.mean(axis=0)).sum(axis=0)
    if not (shares > 0).all() or shares[1] < 2 * np.sqrt(spread_of[1]) or (without <= 0).any():
        return Explained(float(shares[0]), float(shares[1]), None)
    logs = np.log(without[:, 0]) - np.log(without[:, 1])
    error = float(np.sqrt((_PARTS - 1) / _PARTS * np.square(logs - logs.mean()).sum()))
    reach = quantile(_PARTS - 1, 0.95) * error
    value = float(np.log(shares[0] / shares[1]))
    ends = float(np.exp(value - reach)), float(np.exp(value + reach))
    return Explained(float(shares[0]), float(shares[1]), ends)


def _share(product: float, of_feature: float, of_target: float) -> float:
    whole = of_feature * of_target
    return product**2 / whole if whole > 0 else 0.0


def by_side(material: RewardMaterial, values: Floats, more: str) -> str:
    """How right it is where the better response has more of the feature, less, or as much."""
    labelled = side_of_half(material.labels)
    margins = side_of_margins(material.rewards[:, 0] - material.rewards[:, 1])
    live = (labelled != 0) & (material.weights > 0)
    aligned = np.sign(values) * labelled
    near = np.abs(in_deviations(values)) < _MATCHED
    right = credit(margins, material.labels)
    said = []
    for rows, what in (
        (live & (aligned > 0), "has more of it"),
        (live & (aligned < 0), "has less"),
        (live & near, "has nearly as much"),
    ):
        if rows.sum() >= _FEWEST:
            share = np.average(right[rows], weights=material.weights[rows])
            said.append(f"{share:.3f} where it {what}")
    parted = live & (values != 0)
    if not parted.any():
        return ""
    weights = material.weights[parted]
    picks = np.average((margins[parted] * np.sign(values[parted]) + 1) / 2, weights=weights)
    wanted = np.average((aligned[parted] + 1) / 2, weights=weights)
    return (
        f"It picks the {more} response in {picks:.0%} of the pairs, labels in {wanted:.0%}. As for "
        f"the better response, it is right on {', '.join(said)}."
    )


DIAGNOSTIC = Diagnostic(
    name="form rewarded",
    threat="reward model",
    question="Does the reward pay more for form than labels do?",
    unit="log-odds for a standard deviation of the feature",
    matters=MATTERS,
    reference=0.4,
    null="given the reward, labels' log-odds move by at most this much with the feature",
    measure=overpaid,
)
