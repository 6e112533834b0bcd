"""What can be predicted without reading: by form, by common words, by the prompt alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Bools, Floats, Ints
from surefoot.auditing.material import Material
from surefoot.statistics.dependence import Dependence, Spread, spread
from surefoot.statistics.logistic import out_of_fold, ridged
from surefoot.statistics.ties import credit, side_of_half, side_of_margins


@dataclass(frozen=True)
class BlindModel:
    """A model that sees no content."""

    rows: Ints  #: (M,) of the data that it judges
    margins: Floats  #: (M,) log-odds that a is preferred, out of fold by prompt
    right: Floats  #: (M,) 1 where that is the side of the label, 1/2 where it is on none
    weights: Floats  #: (M,) of the rows
    prompts: Ints  #: (M,) of the rows
    ties: int  #: rows with a weight that are left out, as their labels prefer no response

    @property
    def left_out(self) -> str:
        """How many ties were left out, in words; empty where none was."""
        return f" ({self.ties:,} ties left out)" if self.ties else ""

    def accuracy(self, against: Floats | float = 0.5) -> Spread:
        """How far its accuracy lies above another's on the same rows (M,), or above one number."""
        return spread(
            self.right - against, Dependence.of(self.prompts, len(self.prompts)), self.weights
        )


def beside_form(
    material: Material, rows: Ints, features: Floats
) -> tuple[BlindModel | None, Spread]:
    """A model of form and other features (M, K) of rows, and how much more is right than by form.

    Features may say what form says: long responses have more of every word.
    """
    form = [in_deviations(one)[rows, None] for one in material.contrasts.values()]
    model = blind_model(material, rows, np.hstack([features, *form]))
    alone = blind_model(material, rows, np.hstack([np.zeros((len(rows), 1)), *form]))
    if model is None:
        return None, Spread(0.0, float("inf"), 0.0)
    return model, model.accuracy(0.5 if alone is None else alone.right)


def in_deviations(values: Floats) -> Floats:
    """Differences (N,) in standard deviations: about 0, as which response is named first is free.

    So data with the chosen response always first give what they give with sides drawn.
    """
    return values / max(float(np.sqrt(np.square(values).mean())), 1e-300)


def decided(material: Material, rows: Ints) -> int:
    """How many of the rows have a weight and a label that prefers a response.

    Of ties alone every model is right on one half, which says nothing of it.
    """
    prefers = side_of_half(material.labels[rows]) != 0
    return int(np.sum(prefers & (material.weights[rows] > 0)))


def blind_model(material: Material, rows: Ints, features: Floats) -> BlindModel | None:
    """Logistic regression on features (M, K) of some rows, each tried on prompts it never saw.

    Rows without a weight, and ties, are left out; None where there are not two prompts or nothing
    differs.
    """
    weighted = material.weights[rows] > 0
    kept: Bools = weighted & (side_of_half(material.labels[rows]) != 0)
    ties = int(np.sum(weighted & ~kept))
    rows, x = rows[kept], features[kept]
    prompts, weights = material.prompts[rows], material.weights[rows]
    if len(np.unique(prompts)) < 2 or not x.any():
        return None
    fold = material.folds(5)[rows]
    if len(np.unique(fold)) < 2:
        return None
    labels = material.labels[rows]
    margins = ridged(x, labels, weights, fold)
    right = credit(side_of_margins(margins), labels)
    return BlindModel(rows, margins, right, weights, prompts, ties)


def margins_of_form(material: Material) -> Floats:
    """Log-odds (N,) by features of form alone, from the rows of other folds."""
    features = np.stack([*material.contrasts.values(), material.placed], axis=1)
    return out_of_fold(features, material.labels, material.weights, material.folds(5))


def judged_by(material: Material, margins: Floats) -> BlindModel:
    """What margins (N,) out of fold say of the rows with a weight that are no ties."""
    weighted = material.weights > 0
    rows = np.flatnonzero(weighted & (side_of_half(material.labels) != 0))
    right = credit(side_of_margins(margins[rows]), material.labels[rows])
    ties = int(weighted.sum()) - len(rows)
    return BlindModel(
        rows, margins[rows], right, material.weights[rows], material.prompts[rows], ties
    )
