"""A judge's probabilities made to fit people's labels, by one number: the scale of its log-odds."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from surefoot.arrays import Floats, Ints
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.statistics.logistic import fit, out_of_fold

#: What a verdict that is sure counts as at most, before it is scaled; and after.
SUREST, CLIP = 0.98, 0.02


def log_odds(verdicts: Floats) -> Floats:
    """Log-odds (N,) of verdicts, of which none is certain."""
    return np.asarray(logit(np.clip(verdicts, 1 - SUREST, SUREST)), dtype=np.float64)


def scale_of(odds: Floats, labels: Floats, weights: Floats) -> float:
    """The factor that makes log-odds (n,) fit labels (n,) best: a temperature, turned round."""
    return float(fit(odds[:, None], labels, weights)[0])


def scaled_out_of_fold(material: JudgeMaterial, rows: Ints) -> Floats:
    """Log-odds (n,) of labelled rows, each scaled by what the labels of other prompts say."""
    people = material.people
    odds = log_odds(material.verdicts[rows])[:, None]
    fold = people.folds(5)[rows]
    return out_of_fold(odds, people.labels[rows], people.weights[rows], fold)


def calibrated(material: JudgeMaterial) -> Floats:
    """P(a preferred) of every row (N,), NaN without a verdict; labelled rows by others' labels."""
    people, verdicts = material.people, material.verdicts
    rows = material.judged[material.labelled[material.judged]]
    odds = log_odds(np.nan_to_num(verdicts, nan=0.5))
    scale = scale_of(odds[rows], people.labels[rows], people.weights[rows])
    odds = odds * scale
    odds[rows] = scaled_out_of_fold(material, rows)
    return np.where(np.isfinite(verdicts), np.clip(expit(odds), CLIP, 1 - CLIP), np.nan)
