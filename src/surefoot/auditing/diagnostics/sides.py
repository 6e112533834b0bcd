"""Can it be said which side wins without seeing either response?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.blind import blind_model, decided
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import side_of_half

#: People prefer the first of two by some points; from here on it pays to draw sides anew.
MATTERS = 0.05
FEWEST = 200


def sides(material: Material) -> Iterator[Measurement | Lacking]:
    """Accuracy of a model that sees common words of the prompt, and a constant, less one half.

    Where a coin decides which response is the first, nothing but the responses says which one wins.
    The constant is a preference for a place; the words are sides that go with prompts.
    """
    rows = material.asked.rows
    placed = material.placed[rows] > 0
    rows, words = rows[placed], material.asked.values[placed]
    prompts = len(np.unique(material.prompts[rows]))
    if decided(material, rows) < FEWEST or prompts < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST} labels that name the first or the second response "
            "(not chosen and rejected, which have no sides)."
        )
        return
    constant = np.full((len(words), 1), 10.0)  # which the ridge penalty hardly touches
    model = blind_model(material, rows, np.hstack([words, constant]))
    if model is None:
        yield Lacking(f"{DIAGNOSTIC.name}: rows with a weight.")
        return
    found = model.accuracy()
    error = max(found.error, 0.5 / len(model.rows))
    test = MinimumEffect(found.mean, error, found.freedom, MATTERS)
    size = test.estimate(len(model.rows), "prompts")
    won = (side_of_half(material.labels[model.rows]) + 1) / 2
    first = float(model.weights @ won / model.weights.sum())
    yield Measurement(
        size=size,
        test=test,
        seen=f"The first response wins {first:.3f} of the pairs{model.left_out}. Told the prompt "
        f"and neither response, a model says which side wins with an accuracy {size} above one "
        "half.",
        advice="Draw by a coin which response is the first, and ask people in both orders. A "
        "model of rewards cannot learn a place, so to it these labels are noise; a judge or a "
        "preference model can, and would.",
        details={"first wins": first, "accuracy": found.mean + 0.5},
    )


DIAGNOSTIC = Diagnostic(
    name="sides",
    threat="shortcut",
    question="Do labels follow the place of a response, or sides that go with the prompt?",
    unit="accuracy above one half without the responses",
    matters=MATTERS,
    reference=0.1,
    null="without the responses, sides are known by at most this much better than by a coin",
    measure=sides,
)
