"""Are later labels turned round more often than earlier ones, or less?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from surefoot.arrays import Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.kinds import kinds_of
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Curves
from surefoot.data.age import DAY
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.regression import RegressionFit, linear

#: Two labels in a hundred cost a model less accuracy than its choice of seed.
MATTERS = 0.02
REFERENCE = 0.10
FEWEST = 200
#: Equal parts of the rows by time, for the picture and for where the change is.
PARTS = 8
#: Kinds of prompts, at most, in each of which labels may follow the head as far as they do.
KINDS = 16


def drift(material: Material) -> Iterator[Measurement | Lacking]:
    """The share q of labels turned round in the later half, beside the earlier one.

    E[2 y - 1] = (1 - q) d later and (1 + q) d earlier, where d = 2 p - 1, and p is the chance that
    a head gives which did not see the row: to first order, q of the labels are turned round between
    the two. Least squares with the weights of labels of which one in twenty is turned round is next
    to the best there is where d is right. Where it is not, labels may follow it farther for prompts
    of one kind than of another, and later prompts be of other kinds: halves are compared by kind.
    """
    given = np.isfinite(material.time) & (material.weights > 0)
    time = material.time[given]
    if len(time) < FEWEST or len(np.unique(time)) < 2:
        yield Lacking(
            f"{DIAGNOSTIC.name}: a column time (--column time=...) on {FEWEST} rows or more."
        )
        return
    later = time > np.median(time)
    later = later if later.any() else time >= np.median(time)
    prompts = material.prompts[given]
    if min(len(np.unique(prompts[half])) for half in (later, ~later)) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more in each half.")
        return
    found = _followed(material, given, later)
    value, error, freedom = (
        float(part[0]) for part in (found.coefficients, found.errors, found.freedom)
    )
    if not error > 0:
        yield Lacking(f"{DIAGNOSTIC.name}: labels on pairs that a model distinguishes.")
        return
    test = MinimumEffect(value, error, freedom, MATTERS, "either")
    size = test.estimate(len(time), "prompts")
    parts, cut = _by_time(material, given)
    yield Measurement(
        size=size,
        test=test,
        seen="By what all data teach, the share of labels that are turned round changes by "
        f"{size} at {written(float(np.median(time)))}.",
        advice=f"The change is nearest to {written(cut)}. Read rows on both sides of it: where "
        "guidelines or people changed, train on the later rows; where labels only became careless, "
        "get a second vote on these.",
        picture=_picture(parts),
        details={"parts": parts, "change": cut, "middle": float(np.median(time))},
    )


def _picture(parts: list[dict[str, float]]) -> Curves:
    """How far labels follow the model over time; grey: as in the first half, but for a little."""
    values = [one["followed"] for one in parts]
    earlier = float(np.mean(values[: PARTS // 2]))
    shown = [Estimate(v, None, None, 1, "rows", note="a part of the rows") for v in values]
    return Curves(
        at=[(one["from"] - parts[0]["from"]) / DAY for one in parts],
        series={"labels": shown},
        axis="how far labels follow all (1: as they do)",
        along=f"days after {written(parts[0]['from'])}",
        band=([earlier - 2 * MATTERS] * len(parts), [earlier + 2 * MATTERS] * len(parts)),
    )


def written(seconds: float) -> str:
    """A time as a day, or as it is where that is no day."""
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return f"{seconds:g}"


def _followed(
    material: Material, given: npt.NDArray[np.bool_], later: npt.NDArray[np.bool_]
) -> RegressionFit:
    """How much less the later of the given rows follow the margins than the earlier: q first."""
    chance = expit(material.margins[given])
    follows, side = 2 * chance - 1, np.where(later, 1.0, -1.0)
    floor = REFERENCE / 2
    seen = (1 - floor) * chance + floor * (1 - chance)
    place, kind = material.placed[given], _kinds(material)[given]
    of_kind = follows[:, None] * (kind[:, None] == np.unique(kind))
    terms = np.stack([-follows * side, follows**3, place, place * side], axis=1)
    return linear(
        np.hstack([terms, of_kind]),
        2 * material.labels[given] - 1,
        material.prompts[given],
        material.weights[given] / (seen * (1 - seen)),
    )


def _kinds(material: Material) -> Ints:
    """The kind of each row's prompt, (N,); ten prompts for each kind, or one kind."""
    prompts = material.training
    count = min(KINDS, len(prompts) // FEWEST_CLUSTERS)
    if count < 2:
        return np.zeros(len(material.labels), dtype=np.int64)
    return kinds_of(prompts.texts, prompts.vectors, count, material.seed)[0][prompts.of_rows]


def _by_time(
    material: Material, given: npt.NDArray[np.bool_]
) -> tuple[list[dict[str, float]], float]:
    """How far the labels of each part by time follow the margins, and the time of the change.

    Both beside what they do in all of time for prompts of the same kinds. The change is where the
    score test of a step within kinds is largest.
    """
    rows = np.flatnonzero(given)
    rows = rows[np.argsort(material.time[rows], kind="stable")]
    chance = expit(material.margins[rows])
    follows = 2 * chance - 1
    signs = (2 * material.labels[rows] - 1) * follows * material.weights[rows]
    square = np.square(follows) * material.weights[rows]
    _, kind = np.unique(_kinds(material)[rows], return_inverse=True)
    known = np.maximum(np.bincount(kind, square), 1e-300)
    beyond = signs - (np.bincount(kind, signs) / known)[kind] * square
    parts = np.array_split(np.arange(len(rows)), PARTS)
    starts = [float(material.time[rows[p[0]]]) for p in parts]
    sums = np.array([beyond[p].sum() for p in parts])
    of_kinds = np.array([np.bincount(kind[p], square[p], len(known)) for p in parts])
    before = np.cumsum(of_kinds, axis=0)[:-1]
    information = (before * (1 - before / known)).sum(1)
    telling = np.abs(np.cumsum(sums)[:-1]) / np.sqrt(np.maximum(information, 1e-300))
    usual = float(signs.sum() / known.sum())
    shown = [
        {"from": start, "followed": usual + float(more / max(mass, 1e-300))}
        for start, more, mass in zip(starts, sums, of_kinds.sum(1), strict=True)
    ]
    return shown, starts[int(telling.argmax()) + 1]


DIAGNOSTIC = Diagnostic(
    name="drift",
    threat="time",
    question="Do new labels follow what the data teach as old ones do?",
    unit="of labels turned round between the earlier half and the later",
    matters=MATTERS,
    reference=REFERENCE,
    null="of prompts of a kind, the labels of one half are like the other's with at most this "
    "share turned round",
    measure=drift,
    embeds=True,
    source="least squares on the known direction of flips (one step of scoring)",
)
