"""From a finished trainer to a scorer: standardised rewards and calibrated probabilities."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch

from surefoot.data.steps import Ints
from surefoot.errors import SurefootError
from surefoot.scorers.language.loading import Prepared
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import LanguageModelScorer
from surefoot.scorers.language.reference import base_key
from surefoot.scorers.temperature import fit_temperature
from surefoot.statistics import Estimate, mean
from surefoot.statistics.dependence import Floats
from surefoot.statistics.ties import credit, side_of_half, side_of_rewards
from surefoot.training.config import RunConfig

if TYPE_CHECKING:
    from surefoot.training.language.pairs import TrainingPairs
    from surefoot.training.language.trainer import PreferenceTrainer

#: Pairs that mean and deviation of the rewards are taken from, at most.
_SAMPLE = 1000


def scorer_of(trainer: PreferenceTrainer, scorer: LanguageModelScorer) -> LanguageModel:
    """What a finished trainer has trained; its rewards are not standardised yet."""
    assert trainer.pairs is not None
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    kind, tokenizer = scorer.model_kind, trainer.processing_class
    prepared = Prepared(model, tokenizer, kind, trainer.pairs.encoder)
    key = trainer.reference.key if trainer.reference else base_key(model)
    return LanguageModel(scorer, prepared, reference_key=key)


def _raw_scores(
    model: LanguageModel, trainer: PreferenceTrainer, pairs: TrainingPairs, rows: Ints
) -> Floats:
    """Raw scores (n, 2) of some rows, against the reference that the trainer has in memory."""
    tokens, known = pairs.tokens.select(rows), None
    if pairs.reference is not None:
        known = pairs.reference[torch.from_numpy(rows)]
    elif trainer.reference is not None:  # live; on this process alone
        known = dataclasses.replace(trainer.reference, engine=model.engine).log_probs(tokens)
    found = model.scores_of(tokens, known)
    if not np.isfinite(found).all():
        raise SurefootError(
            "the trained model gives scores that are not finite: the run has diverged, and the "
            "model is not saved. Lower the learning rate."
        )
    return found


def standardise(model: LanguageModel, trainer: PreferenceTrainer) -> None:
    """Give rewards mean 0 and deviation 1 on the training data, and their temperature."""
    pairs = trainer.pairs
    assert pairs is not None
    sample = np.linspace(0, len(pairs) - 1, min(len(pairs), _SAMPLE)).astype(int)
    raw = _raw_scores(model, trainer, pairs, np.unique(sample))
    model.mean_, model.std_ = float(raw.mean()), max(float(raw.std()), 1e-12)
    model.temperature_ = 1 / model.std_  # margins as trained are log-odds, where psi is logistic


def calibrate(
    model: LanguageModel, trainer: PreferenceTrainer, config: RunConfig
) -> tuple[Estimate, str]:
    """Fit the temperature on held-out pairs; their accuracy, clustered by prompt, and a note."""
    (pairs,) = trainer.eval_pairs.values()
    held_out = pairs.preferences
    raw = _raw_scores(model, trainer, pairs, np.arange(len(pairs)))
    margins: Floats = (raw[:, 0] - raw[:, 1]) / model.std_
    rate = config.objective.known_flip_rate
    found = fit_temperature(margins, held_out.labels, held_out.weights, rate)
    model.temperature_ = found.value
    decided = side_of_half(held_out.labels) != 0
    right = credit(side_of_rewards(raw), held_out.labels)
    accuracy = mean(right[decided], held_out.prompt_keys()[decided], covers="held-out pairs")
    return accuracy, found.note
