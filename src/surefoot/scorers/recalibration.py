"""A saved model's probabilities, fitted anew to pairs like those that it will judge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.schema import Preferences
from surefoot.errors import DataError
from surefoot.scorers import storage
from surefoot.scorers.temperature import FEWEST, fit_temperature, to_probabilities
from surefoot.scorers.trained import TrainedScorer


@dataclass(frozen=True)
class Recalibration:
    """What became of a temperature."""

    before: float  #: the temperature that the model had
    after: float  #: the one that it has now
    rows: int  #: pairs that it was fitted on
    #: of the observed labels of these pairs, in nats, with the old temperature
    log_loss_before: float
    log_loss_after: float  #: the same with the new one, which was fitted on them
    note: str  #: a sentence where the pairs hardly say; else empty


def recalibrate(folder: Path, model: TrainedScorer, pairs: Preferences) -> Recalibration:
    """Fit the temperature on labelled pairs, and write it into the run's `surefoot.json`.

    Rewards, margins and their order stay as they are. What the model had before, and on which pairs
    it was fitted, is noted beside it (`calibrated`).

    Args:
        folder: of the run.
        model: what it holds.
        pairs: with labels, none of which the model was trained on.

    Raises:
        ConfigurationError: the folder is no run of surefoot's.
        DataError: fewer decided pairs than a temperature takes, or scores that are not finite.
    """
    description = storage.read_description(folder)
    counted = pairs.weights > 0
    ties = int((counted & (pairs.labels == 0.5)).sum())
    if (decided := int(counted.sum()) - ties) < FEWEST:
        beside = f" beside {ties} ties, which do not say how sure is too sure" if ties else ""
        raise DataError(
            f"{pairs.name}: {decided} of the pairs with a weight are decided{beside}; a "
            f"temperature takes {FEWEST} or more."
        )
    scores = model.scores(pairs)
    margins = scores[:, 0] - scores[:, 1]
    if lost := int((~np.isfinite(margins)).sum()):
        raise DataError(
            f"{model.label()} gives no finite score to {lost} of {len(pairs)} pairs: no "
            "temperature mends that. The model may have diverged in training."
        )
    flip_rate = model.known_flip_rate or 0.0
    found = fit_temperature(margins, pairs.labels, pairs.weights, flip_rate)
    before, model.temperature_ = model.temperature_, found.value
    noted = {"on": pairs.name, "data": pairs.fingerprint, "rows": len(pairs), "before": before}
    storage.write_description(
        folder, description | {"temperature": found.value, "calibrated": noted}
    )
    old, new = (
        _log_loss(to_probabilities(margins, temperature), pairs, flip_rate)
        for temperature in (before, found.value)
    )
    return Recalibration(before, found.value, len(pairs), old, new, found.note)


def _log_loss(clean: Floats, pairs: Preferences, flip_rate: float) -> float:
    """Of the labels as observed, in which so many of those of these probabilities are flipped."""
    p = (1 - flip_rate) * clean + flip_rate * (1 - clean)
    losses = -(pairs.labels * np.log(p) + (1 - pairs.labels) * np.log1p(-p))
    return float(np.average(losses, weights=pairs.weights))
