"""Reward models on frozen embeddings: encode once, fit a head in seconds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot.data.schema import FEATURES, Preferences
from surefoot.data.splits import folds
from surefoot.data.units import unit_ids
from surefoot.errors import CompositionError, ConfigurationError, DataError
from surefoot.objectives import Evidence, Facts, Objective, Units, enforce
from surefoot.scorers import storage
from surefoot.scorers.bootstrap import prompt_bootstrap
from surefoot.scorers.conflict import source_conflict
from surefoot.scorers.cross_validation import cross_validate, fit_temperature
from surefoot.scorers.encoder import Encoder, load_encoder
from surefoot.scorers.features import FeatureMap, embed
from surefoot.scorers.fit_report import FitReport, out_of_fold_accuracy, worst_case
from surefoot.scorers.head import Parameters, Problem
from surefoot.scorers.scorer import EmbeddingScorer, Scorer

Array = npt.NDArray[np.float64]


@dataclass
class EmbeddingRewardModel:
    """A reward model with scikit-learn's face: `fit`, `predict`, `score`.

    Attributes:
        scorer: encoder, features and head.
        objective: what is minimised.
        seed: of what is random in a fit (the folds, an MLP's start).
        report_: after :meth:`fit`, what it has to say.

    Example:
        >>> from surefoot.scorers import EmbeddingRewardModel
        >>> model = EmbeddingRewardModel().fit(train)  # doctest: +SKIP
        >>> model.score(test)  # doctest: +SKIP
        0.63
    """

    scorer: EmbeddingScorer = field(default_factory=EmbeddingScorer)
    objective: Objective = field(default_factory=Objective)
    seed: int = 0

    def fit(self, preferences: Preferences, mass: npt.ArrayLike | None = None) -> Self:
        """Fit on comparisons, each with a weight (N,) if given (times the column `weight`).

        Warns with what the validator has to say; a refusal is raised before anything is embedded.

        Raises:
            CompositionError: objective, scorer and data do not go together.
            DataError: there is nothing to learn from.
        """
        units, names = self._units(preferences)
        notes = enforce(self.objective, self._facts(preferences, units))
        for note in notes:
            warnings.warn(note, stacklevel=2)
        embedded = embed(preferences, self.encoder, self.scorer.views)
        weights = preferences.weights * (1.0 if mass is None else np.asarray(mass, dtype=float))
        # Pairs that look the same carry no information; they would only dilute the mean.
        live = torch.from_numpy(weights) * (~embedded.identical)
        if not bool((live > 0).any()):
            raise DataError(
                f"{preferences.name}: no pair is left to learn from (all responses of a pair are "
                "the same to the encoder, or all weights are 0)."
            )
        self.features_ = FeatureMap.fit(embedded, self.scorer.source_aware)
        problem = Problem(
            features=self.features_(embedded),
            objective=self.objective,
            evidence=_evidence(preferences),
            mass=live[:, None],
            l2=torch.ones(1, dtype=torch.float64),
            seeds=(self.seed,),
            units=units,
        )
        prompts = preferences.prompt_keys()
        assignment = torch.from_numpy(self._folds(preferences))
        validation = cross_validate(self.scorer.head, problem, assignment)
        conflict = None
        if not self.scorer.source_aware and preferences.has("source"):
            plain = replace(problem, objective=Objective(), units=None)
            halves = torch.from_numpy(folds(preferences, 2, by="prompt", seed=self.seed))
            conflict = source_conflict(plain, embedded.sources, halves, prompts)
        final = self._members(problem, validation.l2, prompts)
        fitted = self.scorer.head.fit(final)
        self.parameters_: Parameters = fitted.parameters
        rewards = self._standardise(final.features, live > 0)
        flips = self.objective.labels.known_flip_rate
        temperature = fit_temperature(
            validation.margins, problem.evidence.label, live, flip_rate=flips
        )
        self.temperature_ = temperature / float(self.std_.mean())
        found = [conflict.warning()] if conflict else []
        if same := int(embedded.identical.sum()):
            found.append(
                f"{same} pair(s) have responses that are the same to the encoder, as they are or "
                f"after truncation at {self.encoder.limit} tokens: they were left out."
            )
        if fitted.note.startswith("Not solved"):
            found.append(fitted.note)
        if bool((rewards == 0).all()):
            found.append(
                "Nothing was learnt: every response gets the same reward. The objective's best "
                "head is zero; try a weaker risk or another objective."
            )
        for note in filter(None, found):
            warnings.warn(note, stacklevel=2)
        margins = validation.margins.double().numpy() / float(self.std_.mean())
        self.report_ = FitReport(
            warnings=(*notes, *filter(None, found)),
            optimum=fitted.note,
            gap=float(fitted.gaps.max()),
            l2=validation.l2,
            l2_curve=validation.curve,
            out_of_fold_margins=margins,
            out_of_fold_accuracy=out_of_fold_accuracy(margins, preferences.labels, prompts),
            conflict=conflict,
            truncated=embedded.truncated,
            identical=int(embedded.identical.sum()),
            risk=worst_case(final, fitted, self.scorer.head),
            units=names,
        )
        return self

    def rewards(self, preferences: Preferences) -> Array:
        """Rewards (N, 2) of both responses, with mean 0 and deviation 1 on the training data.

        Warns where a source-aware model meets a source that it does not know.
        """
        rewards: Array = self.member_rewards(preferences).mean(-1)
        return rewards

    def member_rewards(self, preferences: Preferences) -> Array:
        """Rewards (N, 2, K) by each of the K members, on one scale; their mean is the reward."""
        embedded = embed(preferences, self.encoder, self.scorer.views)
        unknown = {s for s in embedded.sources if s not in self.features_.sources}
        if self.features_.sources and unknown:
            named = ", ".join(sorted(repr(s) if s else "(none)" for s in unknown)[:3])
            warnings.warn(
                f"{preferences.name}: source {named} was not seen in training (known: "
                f"{', '.join(self.features_.sources)}), so those rows are scored by the part of "
                "the head that all sources share. Give them the column `source` if they have one "
                "of these.",
                stacklevel=2,
            )
        raw = self.scorer.head.rewards(self.parameters_, self.features_(embedded)).double()
        rewards: Array = ((raw - self.mean_) / self.std_).detach().numpy()
        return rewards

    def probabilities(self, preferences: Preferences) -> Array:
        """P(a preferred) of each pair, shape (N,)."""
        rewards = self.rewards(preferences)
        return self.to_probabilities(rewards[:, 0] - rewards[:, 1])

    predict = probabilities

    def to_probabilities(self, margins: Array) -> Array:
        """P(a preferred) from differences of rewards, any shape."""
        logits = torch.from_numpy(np.asarray(margins, dtype=np.float64)) / self.temperature_
        probabilities: Array = torch.sigmoid(logits).numpy()
        return probabilities

    def score(self, preferences: Preferences) -> float:
        """Share of pairs ordered as labelled; a tie of the model counts half, tied labels do not.

        For intervals, see :mod:`surefoot.evaluation`.
        """
        rewards, labels = self.rewards(preferences), preferences.labels
        decided = labels != 0.5
        agreement = np.sign(rewards[:, 0] - rewards[:, 1]) * np.sign(labels - 0.5)
        return float((agreement[decided] + 1).mean() / 2)

    @cached_property
    def encoder(self) -> Encoder:
        """The loaded encoder."""
        return load_encoder(self.scorer.encoder)

    def save(self, folder: str | Path) -> None:
        """Write `model.safetensors` and `surefoot.json`; see :mod:`surefoot.scorers.storage`."""
        storage.save(
            Path(folder),
            tensors={
                **{f"head.{name}": value for name, value in self.parameters_.items()},
                "features.mean": self.features_.mean,
                "features.scale": self.features_.scale,
                "rewards.mean": self.mean_,
                "rewards.std": self.std_,
            },
            description={
                "scorer": self.scorer.model_dump(mode="json"),
                "objective": self.objective.model_dump(mode="json"),
                "seed": self.seed,
                "sources": self.features_.sources,
                "temperature": self.temperature_,
                "encoder_key": self.encoder.key,
                "surefoot": version("surefoot"),
            },
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a saved model; its encoder is loaded when first needed.

        Raises:
            ConfigurationError: the folder holds no such model, or its encoder has changed.
        """
        tensors, description = storage.load(Path(folder))
        scorer = Scorer.parse(description["scorer"])
        if not isinstance(scorer, EmbeddingScorer):
            raise ConfigurationError(f"{folder} holds a {scorer.label()}, not an embedding one.")
        model = cls(scorer, Objective(**description["objective"]), description["seed"])
        model.parameters_ = {
            name.removeprefix("head."): value
            for name, value in tensors.items()
            if name.startswith("head.")
        }
        model.features_ = FeatureMap(
            tensors["features.mean"], tensors["features.scale"], tuple(description["sources"])
        )
        model.mean_, model.std_ = tensors["rewards.mean"], tensors["rewards.std"]
        model.temperature_ = description["temperature"]
        if model.encoder.key != description["encoder_key"]:
            raise ConfigurationError(
                f"the encoder {scorer.encoder.name!r} is not the one that {folder} was fitted on "
                "(other weights, tokenizer or precision, or a surefoot that embeds differently; it "
                f"was saved by {description['surefoot']}, this is {version('surefoot')}): its "
                "rewards would be wrong. Name the right one in surefoot.json, or fit again."
            )
        return model

    def _members(self, problem: Problem, l2: float, prompts: npt.NDArray[np.int64]) -> Problem:
        """The final fits: one on all rows, or one for each member on its own draw of prompts."""
        count = self.scorer.members
        mass, seeds = problem.mass, tuple(self.seed + 1000 * k for k in range(count))
        if count > 1:
            mass = mass * torch.from_numpy(prompt_bootstrap(prompts, seeds))
        penalties = torch.full((count,), l2, dtype=torch.float64)
        return replace(problem, mass=mass, l2=penalties, seeds=seeds)

    def _standardise(self, features: Tensor, used: Tensor) -> Tensor:
        """Set `mean_` and `std_` (K,) from training features; their rewards (N, 2)."""
        raw = self.scorer.head.rewards(self.parameters_, features).double()
        self.mean_ = raw[used].flatten(0, 1).mean(0)
        std = raw[used].flatten(0, 1).std(0).clamp_min(1e-12)
        mean_reward = ((raw - self.mean_) / std).mean(-1)
        # Members that disagree average out: scale them so that their mean has deviation 1.
        self.std_ = std * mean_reward[used].std().clamp_min(1e-12)
        return ((raw - self.mean_) / self.std_).mean(-1)

    def _folds(self, preferences: Preferences) -> npt.NDArray[np.int64]:
        return folds(preferences, self.scorer.folds, by="prompt", seed=self.seed)

    def _units(self, preferences: Preferences) -> tuple[Units | None, tuple[str, ...]]:
        unit = self.objective.risk.unit
        if unit == "pair":
            return None, ()
        ids, names = unit_ids(preferences, unit)
        return Units(torch.from_numpy(ids), len(names)), tuple(names)

    def _facts(self, preferences: Preferences, units: Units | None) -> Facts:
        head = self.scorer.head
        if head.linear and set(self.scorer.views) <= {"prompt"}:
            raise CompositionError(
                "refused: a linear head on the view 'prompt' alone cannot tell two responses "
                "apart. Add 'response', 'product' or 'together'."
            )
        labels = preferences.labels
        smallest = 1 if units is None else int(torch.bincount(units.ids).min())
        return Facts(
            soft_labels=bool(((labels > 0) & (labels < 1)).any()),
            columns=frozenset(name for name in FEATURES if preferences.has(name)),
            smallest_unit=smallest,
            scores="rewards",
            l2=None if head.l2 == "auto" or not head.linear else float(head.l2),
            linear=head.linear,
        )


def _evidence(preferences: Preferences) -> Evidence:
    auxiliary = preferences.numbers("auxiliary") if preferences.has("auxiliary") else None
    if auxiliary is not None and np.isnan(auxiliary).any():
        raise DataError(
            f"{preferences.name}: the column 'auxiliary' is null in {np.isnan(auxiliary).sum()} of "
            f"{len(preferences)} rows; it has to be given in all or none."
        )
    return Evidence(
        torch.from_numpy(preferences.labels),
        None if auxiliary is None else torch.from_numpy(auxiliary),
    )
