"""Do annotators want one thing, or are there two camps that want different things?"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.annotators import FEWEST_VOTES
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.material import Material
from surefoot.statistics.agreement import BesideOthers, beside_others
from surefoot.statistics.camps import Camps, camps
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect

#: Less than a point of accuracy does not pay for a model of each camp.
MATTERS = 0.01
REFERENCE = 0.05
#: Principal axes of the embeddings that directions are sought in, beside form and margin.
AXES = 8
#: Nobody counts as more skilled beside others than this: where these are half coins.
MOST_SKILL = 2.0
#: At the reference size one vote in five is predicted otherwise, and annotators' gains differ by
#: .05; a smaller error than that of such votes is luck.
SPREADS = (0.2, 0.05)


def two_camps(material: Material) -> Iterator[Measurement | Lacking]:
    """How many more votes are predicted by knowing whose they are: of which of two camps.

    See :mod:`surefoot.statistics.camps`. Careless people differ from others on a pair, but no
    direction predicts them; who was given other kinds of prompts is predicted by another direction,
    but does not differ from others on a pair. So a camp has to predict its votes, and how these
    differ from what the annotator's skill makes of the other votes on the pair: the less sure of
    both is tested (an intersection-union test, Berger 1982, which needs no correction).
    The error allows for votes that share an annotator or a prompt.
    """
    votes = material.votes
    beside = beside_others(votes.pair, votes.value)
    heard = (votes.annotator >= 0) & (material.weights[votes.pair] > 0) & (beside.others > 0)
    often = np.bincount(votes.annotator[heard], minlength=len(votes.names) + 1) >= FEWEST_VOTES
    kept = heard & often[votes.annotator]
    pair = votes.pair[kept]
    names, who = np.unique(votes.annotator[kept], return_inverse=True)
    _, prompt = np.unique(material.prompts[pair], return_inverse=True)
    if len(names) < FEWEST_CLUSTERS or prompt.max(initial=-1) + 1 < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST_CLUSTERS} annotators or more (--column annotator=...) "
            f"with {FEWEST_VOTES} votes each on pairs that others voted on, too, of "
            f"{FEWEST_CLUSTERS} prompts. Of pairs with one vote, camps cannot be told from kinds "
            "of prompts."
        )
        return
    described, features = _features(material, pair)
    if not described:
        yield Lacking(f"{DIAGNOSTIC.name}: pairs whose responses differ.")
        return
    weights = material.weights[pair]
    value, expected = votes.value[kept], _expected(beside.at(np.flatnonzero(kept)), who, len(names))
    found = camps(features, value, who, material.prompts[pair], weights)
    shared = Dependence.of(np.stack([who, len(names) + prompt], axis=1), len(who))
    test = max(
        (
            _test(found.gains(value, given), shared, weights, len(names))
            for given in (0.5, expected)
        ),
        key=lambda one: one.p_value,
    )
    size = test.estimate(len(np.unique(pair)), "annotators and prompts")
    smaller = found.member > 0.5
    opposed = _rows(pair, features, found)
    against = len(opposed.positions) / len(np.unique(pair))
    yield Measurement(
        size=size,
        test=test,
        seen=f"Knowing the camp of an annotator predicts {size} more of the votes than one model "
        f"of all, also beside the other votes on a pair. Parted in two, {smaller.sum()} of "
        f"{len(names)} annotators want something else than the others on {against:.0%} of "
        f"pairs{_differ(described, features, found)}.",
        rows=opposed,
        advice="Give a column group with each row's camp (who is of which is in audit.json) and "
        "train with unit: group, or one model for each.",
        details={
            "smaller": [votes.names[j] for j in names[smaller]],
            "larger": [votes.names[j] for j in names[~smaller]],
            "against": against,
        },
    )


def _expected(beside: BesideOthers, who: Ints, people: int) -> Floats:
    """Each vote (V,) as far as the others on its pair and its annotator's skill beside theirs say.

    Whose skill cannot be compared, for want of pairs with two others, is taken to be as skilled.
    """
    both = np.isfinite(beside.among)
    own, among = (np.bincount(who[both], one[both], people) for one in (beside.own, beside.among))
    known = among > 1e-9
    skill = np.where(known, own / np.where(known, among, 1.0), 1.0)
    return 0.5 + np.clip(skill, 0.0, MOST_SKILL)[who] * (beside.mean - 0.5)


def _test(gains: Floats, shared: Dependence, weights: Floats, people: int) -> MinimumEffect:
    """Of the mean of gains (V,) of votes of so many people."""
    moments = spread(gains, shared, weights)
    vote, person = SPREADS
    least = math.sqrt(vote / len(gains) + person**2 / people)
    freedom = min(moments.freedom, people - 1)
    return MinimumEffect(moments.mean, max(moments.error, least), freedom, MATTERS)


def _features(material: Material, pair: Ints) -> tuple[list[str], Floats]:
    """Names of features, empty for axes of embeddings, and features (V, K) of mean square 1."""
    rows = np.unique(pair)
    sides = material.problem.features[: len(material.labels)].numpy()[rows].astype(np.float64)
    apart = sides[:, 0] - sides[:, 1]
    values, axes = np.linalg.eigh(apart.T @ apart)
    columns = {"": apart @ axes[:, values > 1e-9 * values.max(initial=0.0)][:, ::-1][:, :AXES]}
    columns |= {name: one[rows][:, None] for name, one in material.contrasts.items()}
    columns["what one model of all predicts"] = material.margins[rows][:, None]
    names = [name for name, part in columns.items() for _ in range(part.shape[1])]
    every = np.concatenate(list(columns.values()), axis=1)
    scale = np.sqrt((every**2).mean(0))
    used = scale > 1e-12
    scaled = every[:, used] / scale[used]
    return [n for n, u in zip(names, used, strict=True) if u], scaled[np.searchsorted(rows, pair)]


def _differ(described: list[str], features: Floats, found: Camps) -> str:
    """In which named feature the camps differ most, in words."""
    margins = features @ found.directions.T
    slopes = {
        name: (margins * features[:, [k]]).mean(0) for k, name in enumerate(described) if name
    }
    if not slopes:
        return ""
    name = max(slopes, key=lambda one: abs(float(np.subtract(*slopes[one]))))
    larger, smaller = slopes[name]
    return (
        f"; most clearly in {name}: {smaller:+.2f} log-odds for a standard deviation, the others "
        f"{larger:+.2f}"
    )


def _rows(pair: Ints, features: Floats, found: Camps) -> RowScores:
    """Rows on which the camps want opposite things, the surest first."""
    rows, first = np.unique(pair, return_index=True)
    margins = features[first] @ found.directions.T
    opposed = np.flatnonzero(margins.prod(1) < 0)
    scores = np.tanh(np.abs(margins[opposed]).min(1))
    order = np.argsort(-scores, kind="stable")
    return RowScores(rows[opposed][order], scores[order])


DIAGNOSTIC = Diagnostic(
    name="two camps",
    threat="annotators",
    question="Do annotators want one thing, or are there two camps?",
    unit="of the votes predicted by camp alone",
    matters=MATTERS,
    reference=REFERENCE,
    null="knowing an annotator's camp predicts at most this share of votes that one direction does "
    "not",
    measure=two_camps,
    embeds=True,
)
