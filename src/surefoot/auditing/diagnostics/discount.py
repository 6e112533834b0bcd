"""Would later rows be predicted better if older ones counted less?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from surefoot.arrays import Bools, Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Dots
from surefoot.data.age import DAY, counted_by_age
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import credit, side_of_half, side_of_margins

#: Less accuracy than this is no reason to throw data away.
MATTERS = 0.01
REFERENCE = 0.05
FEWEST = 400
#: Parts of the rows by time; each but the first is predicted from all before it.
BLOCKS = 5
#: Half-lives that are tried, as shares of the time that the rows span.
SHARES = (0.5, 0.25, 0.125)


@dataclass(frozen=True)
class Forward:
    """Rows by time, each block to be predicted from those before it."""

    rows: Ints  #: (M,) those with a time and a weight
    block: Ints  #: (M,) the block of each
    starts: tuple[float, ...]  #: the times from which on blocks 1 and later are
    half_lives: tuple[float, ...]  #: in seconds


def discount(material: Material) -> Iterator[Measurement | Lacking]:
    """Accuracy on later rows of heads whose training rows lose half of their weight in a half-life.

    Against heads with equal weights, paired; training and test rows share no prompt.
    """
    forward = _forward(material)
    if forward is None:
        yield Lacking(
            f"{DIAGNOSTIC.name}: a column time (--column time=...) on {FEWEST} rows or more, of "
            f"{BLOCKS} times or more."
        )
        return
    right, tried = _right(material, forward)
    prompts, weights = material.prompts[forward.rows][tried], material.weights[forward.rows][tried]
    if len(np.unique(prompts)) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: later rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    gains = [
        spread(right[:, k] - right[:, 0], Dependence.of(prompts, len(prompts)), weights)
        for k in range(1, right.shape[1])
    ]
    errors = [max(one.error, 0.5 / len(prompts)) for one in gains]
    tests = [
        MinimumEffect(gain.mean, error, gain.freedom, MATTERS, picked=len(gains))
        for gain, error in zip(gains, errors, strict=True)
    ]
    best = int(np.argmax([(one.value - MATTERS) / one.error for one in tests]))
    days = [float(f"{one / DAY:.2g}") for one in forward.half_lives]
    equal = float(weights @ right[:, 0] / weights.sum())
    sizes = [one.estimate(len(material.labels), "prompts") for one in tests]
    timed = bool(np.isfinite(material.time).all())  # what training asks of rows that count by age
    yield Measurement(
        size=sizes[best],
        test=tests[best],
        seen=f"Trained on the past, a model is right on {equal:.3f} of later pairs; where rows "
        f"lose half of their weight in {days[best]:g} days, on {sizes[best]} more.",
        remedy={"data": {"half_life": days[best]}} if timed and tests[best].value > 0 else {},
        advice="A half-life helps where people or guidelines came to want something else. Data of "
        "other times are lost by it: collect new labels, which need no discount.",
        picture=Dots(
            [f"half-life of {one:g} days" for one in days],
            {"gain": sizes},
            DIAGNOSTIC.unit,
            (None, MATTERS),
            [f"half-life of {days[best]:g} days"],
        ),
        details={
            "equal": equal,
            "gain by half-life": {
                f"{one:g}": gain.mean for one, gain in zip(days, gains, strict=True)
            },
        },
    )


def _forward(material: Material) -> Forward | None:
    """None where too few rows have a time, or these are too few times."""
    rows = np.flatnonzero(np.isfinite(material.time) & (material.weights > 0))
    time = material.time[rows]
    if len(rows) < FEWEST:
        return None
    starts = np.quantile(time, np.arange(1, BLOCKS) / BLOCKS)
    low, high = np.quantile(time, [0.05, 0.95]).tolist()
    if len(np.unique(starts)) < len(starts) or not high > low:
        return None
    block = np.searchsorted(starts, time, side="right")
    half_lives = tuple(share * (high - low) / 0.9 for share in SHARES)
    return Forward(rows, block, tuple(starts.tolist()), half_lives)


def _right(material: Material, forward: Forward) -> tuple[Floats, Bools]:
    """Whether heads with equal weights and with each half-life are right, (T, 1 + H), on which."""
    import torch

    from surefoot.scorers.head import margins_of
    from surefoot.scorers.heads.linear import Linear

    problem, rows, block = material.problem.plain(), forward.rows, forward.block
    prompts, time = material.prompts[rows], material.time[rows]
    tests = [block == k + 1 for k in range(len(forward.starts))]
    masses = []
    for start, test in zip(forward.starts, tests, strict=True):
        before = (time < start) & ~np.isin(prompts, prompts[test])
        masses.append(before.astype(np.float64))
        masses += [before * counted_by_age(time, one, start) for one in forward.half_lives]
    mass = np.zeros((len(material.labels), len(masses)))
    mass[rows] = np.stack(masses, axis=1)
    whole = problem.mass * torch.from_numpy(mass)
    usable = (whole.sum(0) > 0).numpy()
    effective = whole.sum(0) ** 2 / whole.square().sum(0).clamp_min(1e-300)
    count = problem.mass.sum() ** 2 / problem.mass.square().sum()
    # The ridge that suits all rows suits fewer rows as a prior does: it weighs more beside them.
    ridge = material.validated.l2 * count / effective.clamp_min(1.0)
    head = Linear()
    fits = replace(problem, mass=whole, l2=ridge, seeds=problem.seeds * len(masses))
    kept = torch.from_numpy(np.flatnonzero(usable))
    fitted = head.fit(fits.part(kept), certify=False)
    found = np.zeros(mass.shape)
    scores = margins_of(problem.scores(head, fitted.parameters))[: len(mass)]
    found[:, usable] = scores.double().numpy()
    each = 1 + len(forward.half_lives)
    margins = np.zeros((len(rows), each))
    for k, test in enumerate(tests):
        margins[test] = found[rows[test], k * each : (k + 1) * each]
    tried = (block > 0) & (side_of_half(material.labels[rows]) != 0)
    right = credit(side_of_margins(margins[tried]), material.labels[rows[tried]][:, None])
    return right, tried


DIAGNOSTIC = Diagnostic(
    name="discount",
    threat="time",
    question="Are later rows predicted better where older ones count less?",
    unit="accuracy gained on later rows",
    matters=MATTERS,
    reference=REFERENCE,
    null="no half-life that is tried gains more accuracy on later rows than this",
    measure=discount,
    embeds=True,
    source="weights that fall exponentially with age: NS-DPO (2407.18676)",
)
