"""Does who wrote a response give the label away?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.blind import beside_form, decided
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.minimum_effect import MinimumEffect

#: At an accuracy of seven in ten, a model looks well trained that has judged no content.
MATTERS = 0.2
FEWEST = 200
#: Rows whose label is as likely as this by words alone are named.
GIVEN_AWAY = 0.9
#: Words that are shown of either side.
SHOWN = 5


def authorship(material: Material) -> Iterator[Measurement | Lacking]:
    """Accuracy of a model of form and of shares of common words, less that of form, out of fold.

    Writers and models have their habits in words that carry little content. Where preferred and
    other responses are by different ones, a model can win by these. What length and the like say
    already is not counted: *shortcuts* says it.
    """
    use = material.wording
    prompts = len(np.unique(material.prompts[use.rows]))
    if decided(material, use.rows) < FEWEST or prompts < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST} rows that are no ties, of {FEWEST_CLUSTERS} prompts or "
            "more."
        )
        return
    differ = use.values[material.weights[use.rows] > 0].any()
    model, found = beside_form(material, use.rows, use.values)
    if model is None or not differ:
        yield Lacking(f"{DIAGNOSTIC.name}: responses that differ in common words.")
        return
    accuracy = float(np.average(model.right, weights=model.weights))
    error = max(found.error, 0.5 / len(model.rows))
    test = MinimumEffect(found.mean, error, found.freedom, MATTERS)
    signs = np.sign(material.labels[use.rows] - 0.5) * material.weights[use.rows]
    pull = signs @ use.values / max(float(np.abs(signs).sum()), 1e-300)
    order = np.argsort(pull, kind="stable")
    preferred = [use.words[k] for k in order[::-1][:SHOWN] if pull[k] > 0]
    others = [use.words[k] for k in order[:SHOWN] if pull[k] < 0]
    sure = np.abs(1 / (1 + np.exp(-np.clip(model.margins, -30, 30))) - 0.5) + 0.5
    given = np.flatnonzero((model.right == 1) & (sure >= GIVEN_AWAY))
    given = given[np.argsort(-sure[given], kind="stable")]
    yield Measurement(
        size=test.estimate(len(model.rows), "prompts"),
        test=test,
        seen=f"By form and by how often {len(use.words)} common words and marks occur, with no "
        f"regard to what is said, {accuracy:.3f} of the pairs are predicted right{model.left_out}, "
        f"{test.estimate(len(model.rows), 'prompts')} more than by form alone (length, markdown "
        "and the like). Preferred responses have "
        f"more of {_listed(preferred)}, the others more of {_listed(others)}.",
        rows=RowScores(model.rows[given], sure[given]),
        advice="If preferred and other responses are by different writers or models, add pairs "
        "by one writer, or let each write on both sides; evaluate on pairs of responses by one "
        "model.",
        details={
            "accuracy": accuracy,
            "preferred": preferred,
            "others": others,
            "given away": len(given),
        },
    )


def _listed(words: list[str]) -> str:
    return ", ".join(map(repr, words)) if words else "none"


DIAGNOSTIC = Diagnostic(
    name="authorship",
    threat="shortcut",
    question="Does who wrote a response give the label away?",
    unit="accuracy by common words beyond that of form",
    matters=MATTERS,
    reference=0.3,
    null="common words add at most this much to how well form predicts labels",
    measure=authorship,
    source="Burrows (2002), Delta: the most frequent words distinguish who wrote a text",
)
