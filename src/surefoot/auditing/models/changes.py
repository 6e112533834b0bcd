"""What edits do to rewards: how much they move, which pairs turn round, whether they fall."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Each, Lacking, Measurement, RowScores
from surefoot.auditing.models.edits import EDITS, Expects
from surefoot.auditing.models.material import Change, RewardMaterial, deviation
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect

#: Texts below which an edit is not judged.
FEWEST = 30


def moved(
    diagnostic: Diagnostic, expects: Expects, material: RewardMaterial
) -> Iterator[Measurement | Lacking]:
    """Mean of |reward after - before| in deviations, for each edit of one list."""
    unit = deviation(material)
    for edit in EDITS:
        if edit.expects != expects:
            continue
        change = material.edited(edit)
        lacking = too_few(diagnostic, edit.name, change, material)
        if lacking or not unit > 0:
            yield lacking or Lacking(f"{diagnostic.name}: a model that tells responses apart.")
            continue
        steps = np.abs(change.after - change.before) / unit
        test = mean_beyond(steps, change, material, diagnostic.matters)
        size = test.estimate(len(steps), "prompts")
        turned = turned_round(change, material)
        yield Measurement(
            of=edit.name,
            size=size,
            test=test,
            seen=f"{edit.name.capitalize()} ({len(steps)} texts): the reward moves by "
            f"{size} of the deviation among responses to one prompt in the mean, and {turned:.1%} "
            "of pairs turn round.",
            rows=_worst(steps, change),
            each=Each(change.rows, change.side, steps),
            advice="Bring texts to one form before they are scored, or train on both forms.",
            details={"texts": len(steps), "turned_round": turned},
        )


def mean_beyond(
    values: np.ndarray, change: Change, material: RewardMaterial, matters: float
) -> MinimumEffect:
    """A mean over texts against the size that matters; texts of one prompt depend on each other."""
    found = spread(
        values,
        Dependence.of(material.prompts[change.rows], len(values)),
        material.weights[change.rows],
    )
    return MinimumEffect(found.mean, found.error, found.freedom, matters)


def too_few(
    diagnostic: Diagnostic, name: str, change: Change, material: RewardMaterial
) -> Lacking | None:
    """What an edit lacks that applies to too few texts or prompts."""
    prompts = len(np.unique(material.prompts[change.rows]))
    if len(change.rows) >= FEWEST and prompts >= FEWEST_CLUSTERS:
        return None
    return Lacking(
        f"{diagnostic.name} ({name}): {FEWEST} texts of {FEWEST_CLUSTERS} prompts that it changes."
    )


def turned_round(change: Change, material: RewardMaterial) -> float:
    """Share of texts whose edit puts their pair into the other order."""
    other = material.rewards[change.rows, 1 - change.side]
    own = material.rewards[change.rows, change.side]
    step = change.after - change.before
    return float((np.sign(own - other) != np.sign(own + step - other)).mean())


def _worst(steps: np.ndarray, change: Change) -> RowScores:
    """The pairs whose rewards moved most, by deviations, one line for each pair."""
    order = np.argsort(-steps, kind="stable")
    rows, first = np.unique(change.rows[order], return_index=True)
    scores = np.minimum(steps[order][first], 1.0)
    by_score = np.argsort(-scores, kind="stable")
    return RowScores(rows[by_score], scores[by_score])
