"""What is to be fitted on frozen embeddings: scorer, objective and comparisons that go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from surefoot.arrays import Floats
from surefoot.data.schema import Preferences
from surefoot.data.units import unit_ids
from surefoot.errors import CompositionError, DataError
from surefoot.objectives import Facts, Objective, Units, enforce
from surefoot.scorers.embeddings.encoder import Encoder
from surefoot.scorers.embeddings.features import Embedded, FeatureMap, embed
from surefoot.scorers.evidence import evidence_of, facts_of
from surefoot.scorers.head import Problem
from surefoot.scorers.scorer import EmbeddingScorer


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
        units, names = None, list[str]()
        if objective.risk.unit != "pair":
            ids, names = unit_ids(preferences, objective.risk.unit)
            units = Units(torch.from_numpy(ids), len(names))
        notes = enforce(objective, _facts(scorer, preferences, units))
        return cls(scorer, objective, preferences, units, tuple(names), tuple(notes))

    def problem(
        self, encoder: Encoder, seeds: Sequence[int], mass: Floats | None = None
    ) -> tuple[Problem, FeatureMap, Embedded]:
        """The S fits of these seeds, the features they are on, and what the encoder saw.

        Beside the column `weight`, `mass` is the weight (N, S) of each row in each fit.

        Raises:
            DataError: there is nothing to learn from, or a reference is missing.
        """
        scorer, preferences = self.scorer, self.preferences
        evidence, references = evidence_of(preferences, self.objective)
        parts = [
            embed(one, encoder, scorer.views, scorer.head.context)
            for one in (preferences, references)
            if one is not None
        ]
        embedded = parts[0]
        features = FeatureMap.fit(embedded, scorer.source_aware, preferences.weights)
        contexts = [found for part in parts if (found := features.context(part)) is not None]
        whole = np.ones((1, len(seeds))) if mass is None else mass
        # Pairs that look the same carry no information; they would only dilute the mean.
        live = torch.from_numpy(preferences.weights[:, None] * whole) * ~embedded.identical[:, None]
        if not bool((live > 0).any(0).all()):
            raise DataError(
                f"{preferences.name}: no pair is left to learn from (all responses of a pair are "
                "the same to the encoder, or all weights are 0)."
            )
        problem = Problem(
            features=torch.cat([features(part) for part in parts]),
            objective=self.objective,
            evidence=evidence,
            mass=live,
            l2=torch.ones(len(seeds), dtype=torch.float64),
            seeds=tuple(seeds),
            units=self.units,
            context=torch.cat(contexts) if contexts else None,
        )
        return problem, features, embedded


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
