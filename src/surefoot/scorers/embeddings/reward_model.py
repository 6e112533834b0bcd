"""Reward models on frozen embeddings: encode once, fit a head in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from surefoot.arrays import ArrayLike, Floats
from surefoot.data.rendering.embedding_texts import unread_notes
from surefoot.data.schema import Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.escaping import warn
from surefoot.objectives import Objective
from surefoot.scorers import storage
from surefoot.scorers.embeddings.encoder import Encoder, load_encoder
from surefoot.scorers.embeddings.features import FeatureMap, embed
from surefoot.scorers.fit.fitting import FittedHead, fit_head
from surefoot.scorers.fit.task import Task
from surefoot.scorers.scorer import EmbeddingScorer, Scorer
from surefoot.scorers.trained import TrainedScorer
from surefoot.statistics.ties import credit, side_of_half, side_of_rewards


@dataclass
class EmbeddingRewardModel(TrainedScorer):
    """A reward model with scikit-learn's face: `fit`, `predict`, `score`.

    With a head that judges pairs (:attr:`pairwise`) it is a preference model: there are margins and
    probabilities of pairs, and no reward of a response alone.

    After :meth:`fit`, `report_` is what it has to say.

    Example:
        >>> from surefoot.scorers import EmbeddingRewardModel
        >>> model = EmbeddingRewardModel().fit(train)  # doctest: +SKIP
        >>> model.score(test)  # doctest: +SKIP
        0.63
    """

    scorer: EmbeddingScorer = field(default_factory=EmbeddingScorer)  #: encoder, features and head
    objective: Objective = field(default_factory=Objective)  #: what is minimised
    seed: int = 0  #: of what is random in a fit (the folds, an MLP's start)
    _unread: list[str] = field(default_factory=list, init=False, repr=False)

    def fit(self, preferences: Preferences, mass: ArrayLike | None = None) -> Self:
        """Fit on comparisons, each with a weight (N,) if given (times the column `weight`).

        Warns with what the validator has to say; a refusal is raised before anything is embedded.

        Raises:
            CompositionError: objective, scorer and data do not go together.
            DataError: there is nothing to learn from.
        """
        fit_models([self], preferences, None if mass is None else np.asarray(mass)[:, None])
        for note in self.report_.warnings:
            warn(note, stacklevel=2)
        return self

    @property
    def pairwise(self) -> bool:
        """Whether its head judges pairs."""
        return self.scorer.pairwise

    @property
    def members(self) -> int:
        """K, the number of its heads."""
        return self.scorer.members

    def scores(self, preferences: Preferences) -> Floats:
        """Scores (N, 2), the mean over the members.

        Warns where a source-aware model meets a source that it does not know.
        """
        return self.joined(self.member_scores(preferences))

    def member_scores(self, preferences: Preferences) -> Floats:
        """Scores (N, 2, K) by each of the K members, on one scale; their mean is the score."""
        head, views = self.scorer.head, self.scorer.views
        embedded = embed(preferences, self.encoder, views, head.context)
        self._unread = unread_notes(preferences, views, embedded.truncated, self.encoder.limit)
        unknown = {s for s in embedded.sources if s not in self.features_.sources}
        if self.features_.sources and unknown:
            named = ", ".join(sorted(repr(s) if s else "(none)" for s in unknown)[:3])
            warn(
                f"{preferences.name}: source {named} was not seen in training (known: "
                f"{', '.join(self.features_.sources)}), so those rows are scored by the part of "
                "the head that all sources share. Give them the column `source` if they have one "
                "of these.",
                stacklevel=2,
            )
        features, context = self.features_(embedded), self.features_.context(embedded)
        raw = head.scores(self.parameters_, features, context).double()
        scores: Floats = ((raw - self.mean_) / self.std_).detach().numpy()
        return scores

    def predict(self, preferences: Preferences) -> Floats:
        """P(a preferred) of each pair, shape (N,)."""
        return self.probabilities(preferences)

    def score(self, preferences: Preferences) -> float:
        """Share of pairs ordered as labelled; a tie of the model counts half, tied labels do not.

        For intervals, see :mod:`surefoot.evaluation`.
        """
        scores, labels = self.scores(preferences), preferences.labels
        decided = side_of_half(labels) != 0
        return float(credit(side_of_rewards(scores), labels)[decided].mean())

    def notes(self) -> list[str]:
        """Sentences on what was not read when scores were last asked for."""
        return self._unread

    @property
    def known_flip_rate(self) -> float:
        """Share of labels taken to be flipped, by the objective it was trained with."""
        return self.objective.known_flip_rate

    @cached_property
    def encoder(self) -> Encoder:
        """The loaded encoder."""
        return load_encoder(self.scorer.encoder)

    def save(self, folder: str | Path) -> None:
        """Write `model.safetensors` and `surefoot.json`; see :mod:`surefoot.scorers.storage`."""
        own = {"sources": self.features_.sources, "encoder_key": self.encoder.key}
        description = storage.description_of(
            self.scorer, self.objective, self.seed, self.temperature_, **own
        )
        storage.save(Path(folder), self.tensors(), description)

    def tensors(self) -> dict[str, Tensor]:
        """The numbers of a fitted model, by name."""
        found = {f"head.{name}": value for name, value in self.parameters_.items()}
        for name, one in (("features", self.features_), ("prompts", self.features_.prompts)):
            if one is not None:
                found |= {f"{name}.mean": one.mean, f"{name}.scale": one.scale}
        return found | {"rewards.mean": self.mean_, "rewards.std": self.std_}

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a saved model; its encoder is loaded when first needed.

        Raises:
            ConfigurationError: the folder holds no such model, or its encoder has changed.
        """
        tensors, description = storage.load(Path(folder))
        with storage.explained(Path(folder) / storage.DESCRIPTION):
            scorer = Scorer.parse(description["scorer"])
            objective = Objective(**description["objective"])
        if not isinstance(scorer, EmbeddingScorer):
            raise ConfigurationError(f"{folder} holds a {scorer.label()}, not an embedding one.")
        model = cls(scorer, objective, description["seed"])
        model.temperature_ = description["temperature"]
        own = [name for name in tensors if name.startswith("head.")]
        model.parameters_ = {name.removeprefix("head."): tensors[name] for name in own}
        with storage.explained(Path(folder) / storage.TENSORS):

            def of(part: str) -> tuple[Tensor, Tensor]:
                return tensors[f"{part}.mean"], tensors[f"{part}.scale"]

            prompts = FeatureMap(*of("prompts")) if scorer.head.context else None
            model.features_ = FeatureMap(*of("features"), tuple(description["sources"]), prompts)
            model.mean_, model.std_ = tensors["rewards.mean"], tensors["rewards.std"]
        if model.encoder.key != description["encoder_key"]:
            raise ConfigurationError(
                f"the encoder {scorer.encoder.name!r} is not the one that {folder} was fitted on "
                "(other weights, tokenizer or precision, or a surefoot that embeds differently; it "
                f"was saved by {description['surefoot']}, this is {version('surefoot')}): its "
                "rewards would be wrong. Name the right one in surefoot.json, or fit again."
            )
        return model

    def _take(self, fitted: FittedHead) -> None:
        self.features_, self.parameters_ = fitted.features, fitted.parameters
        self.mean_, self.std_ = fitted.mean, fitted.std
        self.temperature_, self.report_ = fitted.temperature, fitted.report


def fit_models(
    models: Sequence[EmbeddingRewardModel], preferences: Preferences, mass: ArrayLike | None = None
) -> None:
    """Fit S models that differ in their seed alone; their warnings are in `report_`.

    Each ends as :meth:`EmbeddingRewardModel.fit` would leave it; texts are read once. Beside the
    column `weight`, `mass` is the weight (N, S) of each row in each fit.

    Raises:
        ConfigurationError: the models differ in more than their seed.
        CompositionError, DataError: as :meth:`EmbeddingRewardModel.fit`.
    """
    first = models[0]
    if any((m.scorer, m.objective) != (first.scorer, first.objective) for m in models):
        raise ConfigurationError("models that are fitted together may differ in their seed alone.")
    task = Task.of(first.scorer, first.objective, preferences)
    weights = None
    if mass is not None:
        weights, shape = np.asarray(mass, dtype=float), (len(preferences), len(models))
        if weights.shape != shape or not (np.isfinite(weights) & (weights >= 0)).all():
            raise DataError(
                f"mass is a finite number of at least 0 for each row and fit, shape {shape}; got "
                f"shape {weights.shape}, from {weights.min():g} to {weights.max():g}."
            )
    encoder, seeds = first.encoder, [model.seed for model in models]
    problem, features, embedded = task.problem(encoder, seeds, weights)
    for k, model in enumerate(models):
        model.encoder = encoder
        one = problem.part(torch.tensor([k]))
        model._take(fit_head(task, one, features, embedded, encoder.limit))
