"""What to label next: prompts of deployment, or pairs for a second vote."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from surefoot.arrays import Floats
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.design import next_observations, variances
from surefoot.statistics.estimate import Estimate

#: How many are named, and from how many they are chosen; of more, these are drawn.
COUNT, _MOST = 100, 5_000
#: Information of a label that is a coin, in a logistic model.
_COIN = 0.25


def label_next(material: Material) -> Iterator[Measurement | Lacking]:
    """The choice after which predictions vary least over deployment, or else over the pairs."""
    if len(np.unique(material.prompts[material.weights > 0])) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    rng = np.random.default_rng(material.seed)
    theirs = material.deployment
    if theirs is None:
        known = _pairs(material)
        some = rng.permutation(np.flatnonzero(known.any(axis=1)))[:_MOST]
        positions, asked, what = some, known[some], "pairs for a second vote"
    else:
        given = np.flatnonzero(material.weights > 0)
        training = material.training
        rows = np.bincount(training.of_rows[given], material.weights[given], len(training))
        known = np.sqrt(_COIN * rows)[:, None] * training.vectors
        some = rng.permutation(len(theirs))[:_MOST]
        asked = np.sqrt(_COIN) * theirs.vectors[some]
        positions, what = theirs.rows[some], "prompts of deployment"
    count = min(COUNT, len(asked) // 2)
    if count < 1:
        yield Lacking(f"{DIAGNOSTIC.name}: pairs or prompts of deployment that differ.")
        return
    found = next_observations(known, asked, asked, count)
    most = max(float(found.gains.max()), 1e-300)
    chosen = RowScores(positions[found.order], np.clip(found.gains / most, 0, 1))
    drawn = rng.permutation(len(asked))[:count]
    taken, by_chance = (_taken(known, asked[rows], asked, what) for rows in (found.order, drawn))
    yield Measurement(
        size=taken,
        test=None,
        seen=f"Of {len(asked):,} {what}, labels for the {count} of label-next.jsonl would take "
        f"{taken} of the variance of predictions there away; {count} drawn at random "
        f"{by_chance}.",
        rows=chosen if theirs is None else None,
        in_deployment=None if theirs is None else chosen,
        advice="Label them in that order: each is chosen after those before it, so that no two "
        "are alike.",
        assumption="what is preferred is about linear in the embeddings, and only a faint prior is "
        "known of directions that training lacks",
        details={"at random": by_chance.to_dict(), "gains": found.gains.tolist()},
    )


def _pairs(material: Material) -> Floats:
    """Differences of features (N, D), each times the root of the information of its label."""
    features = material.problem.features[: len(material.labels)].double().numpy()
    p = expit(material.margins)
    return np.sqrt(p * (1 - p) * material.weights)[:, None] * (features[:, 0] - features[:, 1])


def _taken(known: Floats, chosen: Floats, asked: Floats, what: str) -> Estimate:
    """Share of the variance at all that are asked for which labels for some take away."""
    before, after = variances(known, chosen, asked)
    whole = max(float(before.mean()), 1e-300)
    share = float(1 - after.mean() / whole)
    moves = (before - after - share * before) / whole  # of a ratio of means
    error = spread(moves, Dependence.of(None, len(moves)), np.ones(len(moves))).error
    reach = 2 * error
    return Estimate(share, share - reach, share + reach, len(moves), what, within=(0.0, 1.0))


DIAGNOSTIC = Diagnostic(
    name="label next",
    threat="sparse feedback",
    question="What should be labelled next?",
    unit="of the variance of predictions",
    matters=0.0,
    reference=0.2,
    null="no choice of labels says more than another",
    measure=label_next,
    embeds=True,
    source="Cohn, Ghahramani and Jordan (JAIR 1996), active learning by expected variance",
)
