"""What can be predicted without reading: by form, by common words, by the prompt alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Bools, Floats, Ints
from surefoot.audit.material import Material
from surefoot.statistics.dependence import Dependence, Spread, spread
from surefoot.statistics.logistic import ridged
from surefoot.statistics.ties import credit, side_of_margins


@dataclass(frozen=True)
class BlindModel:
    """A model that sees no content."""

    rows: Ints  #: (M,) of the data that it judges
    margins: Floats  #: (M,) log-odds that a is preferred, out of fold by prompt
    right: Floats  #: (M,) 1 where that is the side of the label, 1/2 where either ties
    weights: Floats  #: (M,) of the rows
    prompts: Ints  #: (M,) of the rows

    def accuracy(self, against: Floats | float = 0.5) -> Spread:
        """How far its accuracy lies above another's on the same rows (M,), or above one number."""
        return spread(
            self.right - against, Dependence.of(self.prompts, len(self.prompts)), self.weights
        )


def blind_model(material: Material, rows: Ints, features: Floats) -> BlindModel | None:
    """Logistic regression on features (M, K) of some rows, each tried on prompts it never saw.

    Rows without a weight are left out; None where there are not two prompts or nothing differs.
    """
    kept: Bools = material.weights[rows] > 0
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
    return BlindModel(rows, margins, right, weights, prompts)


def by_form(material: Material, contrasts: Mapping[str, Floats]) -> BlindModel | None:
    """By features of form, differences (N,) by name, and a response's place."""
    x = np.stack([*contrasts.values(), material.placed], axis=1)
    scale = np.sqrt(np.square(x).mean(0))
    return blind_model(material, np.arange(len(x)), x / np.maximum(scale, 1e-12))
