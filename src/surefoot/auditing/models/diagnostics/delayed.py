"""When does the reward know: along the response, or only at its end?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata

from surefoot.auditing.diagnostic import Diagnostic, Each, Lacking, Measurement
from surefoot.auditing.models.material import PARTS, RewardMaterial
from surefoot.auditing.picture import Curves
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import side_of_margins

FEWEST = 30
#: A coin turns half of the pairs round. Up to seven in twenty, half of a response says something
#: of what the whole of it is worth.
MATTERS = 0.35
_HALF = PARTS.index(0.5)


def late(material: RewardMaterial) -> Iterator[Measurement | Lacking]:
    """Share of pairs that stand in another order by the first halves of both responses."""
    found = material.prefixes
    prompts = material.prompts[found.rows]
    if len(found.rows) < FEWEST or len(np.unique(prompts)) < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST} pairs on {FEWEST_CLUSTERS} prompts with responses of "
            "four words or more."
        )
        return
    sides = side_of_margins(found.rewards[:, 0] - found.rewards[:, 1])  # (M, parts)
    turned = np.abs(sides[:, :-1] - sides[:, -1:]) / 2
    weights = material.weights[found.rows]
    tests = [_test(one, prompts, weights) for one in turned.T]
    sizes = [one.estimate(len(prompts), "prompts") for one in tests]
    ranks = [
        float(np.corrcoef(rankdata(one.ravel()), rankdata(found.rewards[..., -1].ravel()))[0, 1])
        if np.ptp(one) > 0 and np.ptp(found.rewards[..., -1]) > 0
        else 0.0
        for one in np.moveaxis(found.rewards, -1, 0)[:-1]
    ]
    shares = zip(tests, PARTS, strict=True)
    along = ", ".join(f"{one.value:.0%} at {part:.0%}" for one, part in shares)
    known = ", ".join(f"{one:.2f}" for one in ranks)
    yield Measurement(
        size=sizes[_HALF],
        test=tests[_HALF],
        seen=f"By the first half of each response {sizes[_HALF]} of {len(prompts)} pairs stand in "
        f"another order than by all of it ({along} of the words). Rewards of beginnings rank as "
        f"those of the whole with correlation {known}.",
        advice="The reward is sparse: what is written first gets no signal of its own. Give it at "
        "the end alone, as TRL does, and do not score beginnings; more responses to a prompt, or a "
        "model of steps, help the policy.",
        each=Each(found.rows, np.zeros(len(prompts), dtype=np.int64), turned[:, _HALF]),
        picture=Curves(
            at=[100 * part for part in PARTS],
            series={"turned round": sizes},
            axis="share of pairs in another order",
            along="percent of the words of both responses",
            band=([0.0] * len(PARTS), [MATTERS] * len(PARTS)),
        ),
        details={"rank_correlation": dict(zip(map(str, PARTS), ranks, strict=True))},
    )


def _test(turned: np.ndarray, prompts: np.ndarray, weights: np.ndarray) -> MinimumEffect:
    found = spread(turned, Dependence.of(prompts, len(prompts)), weights)
    error = max(found.error, 0.5 / len(prompts))  # equal values are no certainty
    return MinimumEffect(found.mean, error, found.freedom, MATTERS)


DIAGNOSTIC = Diagnostic(
    name="delayed reward",
    threat="reward model",
    question="Does the reward come only at the end of a response?",
    unit="of pairs in another order by the first halves of both responses",
    matters=MATTERS,
    reference=0.5,
    null="at most this share of pairs stands in another order by the first halves",
    measure=late,
    source="RLHF Deciphered (arXiv 2404.08555), sparse and delayed reward",
)
