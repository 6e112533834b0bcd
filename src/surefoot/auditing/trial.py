"""Is a remedy worth it? A head under it against the plain one, pair by pair, out of fold."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import ndtr, ndtri

from surefoot.arrays import Floats, Ints
from surefoot.auditing.material import Material
from surefoot.auditing.remedy import Options, Trial
from surefoot.data.age import DAY, counted_by_age
from surefoot.errors import ConfigurationError, DataError, SurefootError
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingScorer, Scorer
from surefoot.scorers.fit.flip_rate import fitted_to, is_asked
from surefoot.scorers.head import Head, Problem, cross_validate
from surefoot.scorers.temperature import fit_temperature, to_probabilities
from surefoot.statistics.comparison import paired_difference
from surefoot.statistics.dependence import Dependence, Spread, spread
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.ties import credit, side_of_margins

#: Rows (N,) that a configuration is for, where it weighs others less; None: all.
Meant: TypeAlias = "npt.NDArray[np.bool_] | None"

FOLDS = 5
#: A part that has fewer rows is not the one that is asked after.
FEWEST = 50


@dataclass(frozen=True)
class OutOfFold:
    """What heads say of N pairs that they did not see.

    Attributes:
        right: (N,) 1 where the pair is ordered as labelled, 0 where not, 1/2 for ties.
        loss: (N,) of the observed label under the probability that is given for it.
        units: (N,) of the risk; None where it is over pairs.
        meant: (N,) the pairs that a configuration is for, where it weighs some less; None: all.
    """

    right: Floats
    loss: Floats
    units: Ints | None = None
    meant: Meant = None


@dataclass
class Trials:
    """Trials of heads on embeddings, each configuration fitted once.

    Attributes:
        material: the comparisons.
    """

    material: Material
    _fitted: dict[str, OutOfFold] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, base: Options, options: Options, tries: int = 1) -> Trial:
        """Options against others that are taken so far, `{}` for plain, as one of so many tries."""
        try:
            return compared(self._of(options), self._of(base), self.material, tries)
        except SurefootError as error:  # refused by the validator, or by these data
            return Trial(None, None, str(error))

    def _of(self, options: Options) -> OutOfFold:
        key = json.dumps(options, sort_keys=True, default=str)
        if key not in self._fitted:
            self._fitted[key] = out_of_fold(self.material, options)
        return self._fitted[key]


def prepared(material: Material, options: Options) -> tuple[Head, Problem, Meant]:
    """The fit that options ask for: its head, its problem, and the pairs (N,) it is for, if some.

    Raises:
        SurefootError: options that do not compose with each other or with the data.
    """
    scorer = Scorer.parse({"kind": "embedding", **options.get("scorer", {})})
    objective = Objective(**options.get("objective", {}))
    assert isinstance(scorer, EmbeddingScorer)
    if is_asked(objective):
        objective, _ = fitted_to(
            objective, material.margins, material.labels, material.weights, material.prompts
        )
    problem = material.problem_of(scorer, objective)
    data = dict(options.get("data", {}))
    if not data:
        return scorer.head, problem, None
    half_life = data.pop("half_life", None)
    if data or half_life is None:
        raise ConfigurationError(f"data.{', '.join(data)} cannot be tried")
    if np.isnan(material.time).any():
        raise DataError("data.half_life weights rows by their age, and some rows have no time")
    counted = counted_by_age(material.time, half_life * DAY)
    mass = problem.mass * torch.from_numpy(counted)[:, None]
    return scorer.head, replace(problem, mass=mass), counted >= 0.5


def out_of_fold(material: Material, options: Options) -> OutOfFold:
    """Fit each fold's heads on the other folds; raises what :func:`prepared` does."""
    head, problem, meant = prepared(material, options)
    fold = torch.from_numpy(material.folds(FOLDS))
    margins = cross_validate(head, problem, fold).margins.double().numpy()
    rate, labels = problem.objective.known_flip_rate, material.labels
    scale = fit_temperature(margins, labels, problem.mass[:, 0], rate).value
    clean = to_probabilities(margins, scale)
    observed = np.clip((1 - rate) * clean + rate * (1 - clean), 1e-12, 1 - 1e-12)
    loss = -labels * np.log(observed) - (1 - labels) * np.log1p(-observed)
    units = None if problem.units is None else problem.units.ids.numpy()
    return OutOfFold(credit(side_of_margins(margins), labels), loss, units, meant)


def compared(new: OutOfFold, old: OutOfFold, material: Material, tries: int = 1) -> Trial:
    """What speaks for the new one: better probabilities of the pairs that it is for.

    It is for the worst unit of its risk, where it has units; where it weighs rows by age, for those
    that count most; and for all pairs else. It is taken where the log-loss there is smaller by more
    than a standard error, and accuracy is not lower by as much. A unit whose labels are noise gains
    in log-loss from any head that is less sure: under a risk, accuracy has to rise by two standard
    errors there, and by more than all pairs pay for it. Where several are tried, it takes so many
    errors more that a useless one is taken as rarely as where one is (Bonferroni): of two 1.4, of
    four 1.8.
    """
    one, two = (float(-ndtri(ndtr(-errors) / tries)) for errors in (1, 2))
    rows = _meant(new, old, material.weights)
    better = _spread(old.loss[rows] - new.loss[rows], material, rows)
    right = _spread(new.right[rows] - old.right[rows], material, rows)
    gain, overall = (_gain(new, old, material, r) for r in (rows, material.weights > 0))
    assert overall.estimate is not None
    against = ""
    if not better.mean > one * better.error:
        against = "probabilities of unseen pairs become no better"
    elif right.mean < -right.error if new.units is None else right.mean <= two * right.error:
        against = "unseen pairs are ordered no better"
    elif new.units is not None and not right.mean > -overall.estimate:
        against = "all pairs together pay more than those it is for gain"
    return Trial(gain, overall, against)


def _meant(new: OutOfFold, old: OutOfFold, weights: Floats) -> npt.NDArray[np.bool_]:
    """The rows (N,) that it is for: of its units the one that fares worst under both."""
    live = weights > 0 if new.meant is None else (weights > 0) & new.meant
    if new.units is None:
        return live
    both = new.loss + old.loss
    units, w = new.units[live], weights[live]
    counts, mass = np.bincount(units), np.bincount(units, w)
    means = np.bincount(units, w * both[live]) / np.where(counts, mass, 1.0)
    means[counts < min(FEWEST, counts.max())] = -np.inf
    return live & (new.units == int(means.argmax()))


def _gain(
    new: OutOfFold, old: OutOfFold, material: Material, rows: npt.NDArray[np.bool_]
) -> Estimate:
    ids, weights = material.prompts[rows], material.weights[rows]
    found = paired_difference(new.right[rows], old.right[rows], ids, weights, covers="prompts")
    return found.difference


def _spread(values: Floats, material: Material, rows: npt.NDArray[np.bool_]) -> Spread:
    ids = material.prompts[rows]
    return spread(values, Dependence.of(ids, len(ids)), material.weights[rows])
