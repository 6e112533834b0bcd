"""What would twice as many pairs of this kind bring?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Curves
from surefoot.auditing.refits import FOLDS, right_on_parts
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.estimate import Estimate, written
from surefoot.statistics.learning_curve import PowerLaw, power_law

#: Shares of the prompts that are trained on, in so many orders of the prompts.
SHARES = np.array([0.125, 0.25, 0.5, 0.75, 1.0])
ORDERS = 4
FEWEST = 400
#: Resamples of prompts and orders, and how many are held at once.
_DRAWS, _AT_ONCE = 400, 50
_LEVEL = 0.95


def learning_curve(material: Material) -> Iterator[Measurement | Lacking]:
    """Accuracy out of fold at growing shares of the prompts; a power law says how it goes on."""
    _, prompt = np.unique(material.prompts, return_inverse=True)
    count = int(prompt.max(initial=-1)) + 1
    if (material.weights > 0).sum() < FEWEST or count < 4 * FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST} rows or more of {4 * FEWEST_CLUSTERS} prompts or more."
        )
        return
    rng = np.random.default_rng(material.seed)
    wrong = 1 - _right(material, prompt, count, rng)  # (N, ORDERS, S)
    sums, weights = _by_prompt(wrong, material.weights, prompt, count)
    draws = _resampled(sums, weights, rng)  # (B, S)
    seen = sums.sum(0).mean(0) / weights.sum()
    law, laws = power_law(SHARES, seen), power_law(SHARES, draws)
    gain, gains = _twice(law), _twice(laws)
    low, high = np.quantile(gains, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]).tolist()
    size = Estimate(
        float(gain),
        min(low, float(gain)),
        max(high, float(gain)),
        len(prompt),
        "prompts",
        within=(0.0, 1.0),
    )
    misfit = float(np.abs(law_at(law) - seen).max())
    bad = misfit > 3 * float(draws.std(0).max())
    yield Measurement(
        size=size,
        test=None,
        seen=f"Trained on an eighth of the prompts a model is right on {written(1 - seen[0])} of "
        f"pairs, on a half {written(1 - seen[2])}, on all {written(1 - seen[-1])}. Twice as many "
        f"pairs of this kind would bring {size} more"
        + (
            f"; the curve is no power law (it misses by {written(misfit)}): read its points."
            if bad
            else "."
        ),
        advice="Where twice as many bring little, the labels' noise or the model is what limits: "
        "better pairs help (label-next.jsonl), more of the same do not.",
        assumption="accuracy goes on by the power law that fits so far, with pairs of this kind",
        picture=_picture(1 - seen, draws, law, len(prompt)),
        details={
            "shares": SHARES.tolist(),
            "accuracy": (1 - seen).tolist(),
            "floor": float(law.floor),
            "scale": float(law.scale),
            "exponent": float(law.exponent),
            "misfit": misfit,
        },
    )


def law_at(law: PowerLaw) -> Floats:
    """Errors (S,) of a law at the shares."""
    return np.array([float(law.at(share)) for share in SHARES])


def _twice(law: PowerLaw) -> Floats:
    """What twice all rows would take off the error; folds are trained on fewer than all."""
    whole = FOLDS / (FOLDS - 1)
    return law.at(whole) - law.at(2 * whole)


def _right(material: Material, prompt: Ints, count: int, rng: np.random.Generator) -> Floats:
    """Whether heads trained on each share of each order are right, (N, ORDERS, S)."""
    ranks = np.stack([rng.permutation(count) / count for _ in range(ORDERS)], axis=1)[prompt]
    kept = (ranks[:, :, None] < SHARES[:-1]).reshape(len(prompt), -1).astype(np.float64)
    right = right_on_parts(material, np.hstack([kept, np.ones((len(prompt), 1))]))
    parts = right[:, :-1].reshape(len(prompt), ORDERS, len(SHARES) - 1)
    whole = np.broadcast_to(right[:, -1:, None], (len(prompt), ORDERS, 1))
    return np.concatenate([parts, whole], axis=2)


def _by_prompt(wrong: Floats, weights: Floats, prompt: Ints, count: int) -> tuple[Floats, Floats]:
    """Weighted sums of errors (P, ORDERS, S) and of weights (P,) of each prompt."""
    flat = (wrong * weights[:, None, None]).reshape(len(prompt), -1)
    sums = np.stack([np.bincount(prompt, column, count) for column in flat.T], axis=1)
    whole = np.bincount(prompt, weights, count).astype(np.float64)
    return sums.astype(np.float64).reshape(count, *wrong.shape[1:]), whole


def _resampled(sums: Floats, weights: Floats, rng: np.random.Generator) -> Floats:
    """Error at each share (B, S) with prompts drawn again, and orders of them."""
    count, orders, shares = sums.shape
    found = []
    for _ in range(_DRAWS // _AT_ONCE):
        times = rng.multinomial(count, np.full(count, 1 / count), _AT_ONCE).astype(np.float64)
        mean = (times @ sums.reshape(count, -1)).reshape(-1, orders, shares)
        mean /= (times @ weights)[:, None, None]
        drawn = rng.multinomial(orders, np.full(orders, 1 / orders), _AT_ONCE) / orders
        found.append((mean * drawn[:, :, None]).sum(1))
    return np.concatenate(found)


def _picture(seen: Floats, draws: Floats, law: PowerLaw, rows: int) -> Curves:
    """Accuracy over rows, with the law to twice as many."""
    low, high = (1 - np.quantile(draws, q, axis=0) for q in (0.975, 0.025))
    at = [*SHARES.tolist(), 2.0]
    points = [
        Estimate(float(v), min(float(v), float(a)), max(float(v), float(b)), rows, "prompts")
        for v, a, b in zip(seen, low, high, strict=True)
    ]
    line = [Estimate(1 - float(law.at(one)), None, None, rows, "prompts") for one in at]
    fit = (FOLDS - 1) / FOLDS * rows
    return Curves(
        [one * fit for one in at],
        {"seen": [*points, None], "power law": line},
        "accuracy",
        "pairs trained on",
        points=("seen",),
    )


DIAGNOSTIC = Diagnostic(
    name="learning curve",
    threat="sparse feedback",
    question="What would twice as many pairs bring?",
    unit="of accuracy",
    matters=0.01,
    reference=0.02,
    null="twice as many pairs bring at most this",
    measure=learning_curve,
    embeds=True,
    source="Viering and Loog (IEEE TPAMI 2023), power law with a floor",
)
