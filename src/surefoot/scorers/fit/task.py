"""What is to be fitted on frozen embeddings: scorer, objective and comparisons that go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot.data.schema import Preferences
from surefoot.data.units import unit_ids
from surefoot.errors import CompositionError, DataError
from surefoot.objectives import Facts, Objective, Units, enforce
from surefoot.scorers.embeddings.encoder import Encoder
from surefoot.scorers.embeddings.features import Embedded, FeatureMap, embed
from surefoot.scorers.evidence import evidence_of, facts_of
from surefoot.scorers.head import Problem
from surefoot.scorers.scorer import EmbeddingScorer

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """A scorer, an objective and comparisons that go together."""

    scorer: EmbeddingScorer
    objective: Objective
    preferences: Preferences
    units: Units | None  #: the unit of each row, where the risk has any
    names: tuple[str, ...]  #: the names of the units
    notes: tuple[str, ...]  #: what the validator has to say

    @classmethod
    def of(cls, scorer: EmbeddingScorer, objective: Objective, preferences: Preferences) -> Task:
        """A task, once scorer, objective and comparisons go together.

        Raises:
            CompositionError: they do not.
            DataError: the risk's unit is not in the data.
        """
        units, names = _units(objective, preferences)
        notes = enforce(objective, _facts(scorer, preferences, units))
        return cls(scorer, objective, preferences, units, names, tuple(notes))

    def problem(
        self, encoder: Encoder, seeds: Sequence[int], mass: Array | None = None
    ) -> tuple[Problem, FeatureMap, Embedded]:
        """The S fits of these seeds, the features they are on, and what the encoder saw.

        Args:
            encoder: reads the texts.
            seeds: S of them.
            mass: (N, S) weight of each row in each fit (times the column `weight`); default: 1.

        Raises:
            DataError: there is nothing to learn from, or a reference is missing.
        """
        prompts = self.scorer.head.context
        embedded = embed(self.preferences, encoder, self.scorer.views, prompts)
        features = FeatureMap.fit(embedded, self.scorer.source_aware, self.preferences.weights)
        evidence, references = evidence_of(self.preferences, self.objective)
        parts = [embedded]
        if references is not None:
            parts.append(embed(references, encoder, self.scorer.views, prompts))
        contexts = [found for part in parts if (found := features.context(part)) is not None]
        whole = np.ones((1, len(seeds))) if mass is None else mass
        problem = Problem(
            features=torch.cat([features(part) for part in parts]),
            objective=self.objective,
            evidence=evidence,
            mass=_live(self.preferences, embedded, whole),
            l2=torch.ones(len(seeds), dtype=torch.float64),
            seeds=tuple(seeds),
            units=self.units,
            context=torch.cat(contexts) if contexts else None,
        )
        return problem, features, embedded


def _live(preferences: Preferences, embedded: Embedded, mass: Array) -> Tensor:
    """Mass (N, S) of the rows that carry information, from mass that broadcasts to it."""
    # Pairs that look the same carry none; they would only dilute the mean.
    live = torch.from_numpy(preferences.weights[:, None] * mass) * ~embedded.identical[:, None]
    if not bool((live > 0).any(0).all()):
        raise DataError(
            f"{preferences.name}: no pair is left to learn from (all responses of a pair are "
            "the same to the encoder, or all weights are 0)."
        )
    return live


def _units(objective: Objective, preferences: Preferences) -> tuple[Units | None, tuple[str, ...]]:
    unit = objective.risk.unit
    if unit == "pair":
        return None, ()
    ids, names = unit_ids(preferences, unit)
    return Units(torch.from_numpy(ids), len(names)), tuple(names)


def _facts(scorer: EmbeddingScorer, preferences: Preferences, units: Units | None) -> Facts:
    head = scorer.head
    if head.linear and set(scorer.views) <= {"prompt"}:
        raise CompositionError(
            "refused: a linear head on the view 'prompt' alone cannot tell two responses "
            "apart. Add 'response', 'product' or 'together'."
        )
    if scorer.source_aware and not preferences.has("source"):
        raise CompositionError(
            "refused: scorer.source_aware gives each source its own part of the head, and "
            f"{preferences.name} has no column 'source'. Name the sources (--source, or the "
            "column), or leave it out."
        )
    return facts_of(
        preferences,
        units,
        scores="margins" if scorer.pairwise else "rewards",
        l2=None if head.l2 == "auto" or not head.linear else float(head.l2),
        linear=head.linear,
        frozen=True,
        by_source=scorer.source_aware,
    )
