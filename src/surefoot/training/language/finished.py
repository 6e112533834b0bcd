"""From a finished trainer to a scorer: standardised, calibrated, checked, and doubted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from surefoot.arrays import Floats, Ints
from surefoot.errors import SurefootError
from surefoot.objectives import Evidence, Objective
from surefoot.scorers.language.adapters import whole_where_not_quantised
from surefoot.scorers.language.architecture import text_config
from surefoot.scorers.language.loading import Prepared, never_packed
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import LanguageModelScorer
from surefoot.scorers.language.reference import base_key
from surefoot.scorers.language.scores import mode, whole_head
from surefoot.scorers.temperature import fit_temperature
from surefoot.statistics import Estimate, mean
from surefoot.statistics.ties import credit, side_of_half, side_of_rewards

if TYPE_CHECKING:
    from surefoot.training.language.pairs import TrainingPairs
    from surefoot.training.language.trainer import PreferenceTrainer

#: A last loss this many times that of an ignorant model is no noise of a few steps.
_DIVERGED = 1.25
#: Effective size of the ratios as a share of the responses, below which few of them count.
_FEW_EFFECTIVE = 0.25
#: Share of samples that end by themselves, below which most are judged half-written.
_FEW_FINISHED = 0.5
#: Pairs whose scores are compared with those of the saved model.
_COMPARED = 8
#: Pairs that mean and deviation of the rewards are taken from, at most.
_SAMPLE = 1000


def scorer_of(trainer: PreferenceTrainer, scorer: LanguageModelScorer) -> LanguageModel:
    """What a finished trainer has trained; its rewards are not standardised yet."""
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
    count = len(trainer.pairs)
    sample = np.linspace(0, count - 1, min(count, _SAMPLE)).astype(int)
    raw = _raw_scores(model, trainer, trainer.pairs, np.unique(sample))
    model.mean_, model.std_ = float(raw.mean()), max(float(raw.std()), 1e-12)
    model.temperature_ = 1 / model.std_  # margins as trained are log-odds, where psi is logistic


def calibrate(
    model: LanguageModel, trainer: PreferenceTrainer, flip_rate: float
) -> tuple[Estimate, str]:
    """Fit the temperature on held-out pairs, of whose labels so many are taken to be flipped.

    Returns:
        their accuracy, clustered by prompt, and a note.
    """
    (pairs,) = trainer.eval_pairs.values()
    held_out = pairs.preferences
    raw = _raw_scores(model, trainer, pairs, np.arange(len(pairs)))
    margins: Floats = (raw[:, 0] - raw[:, 1]) / model.std_
    found = fit_temperature(margins, held_out.labels, held_out.weights, flip_rate)
    model.temperature_ = found.value
    decided = side_of_half(held_out.labels) != 0
    right = credit(side_of_rewards(raw), held_out.labels)
    accuracy = mean(right[decided], held_out.prompt_keys()[decided], covers="held-out pairs")
    return accuracy, found.note


def check_saved(folder: Path, model: LanguageModel, pairs: TrainingPairs) -> tuple[str, ...]:
    """Compare a reward model's scores with those of plain transformers on the saved folder.

    The trained model reads each text alone, the saved one all of them padded together: a head that
    was not saved, or padding that is mistaken for text, shows.

    Returns:
        Sentences for those who load the folder with other programs.

    Raises:
        SurefootError: they differ by more than rounding.
    """
    from transformers import AutoTokenizer

    trained = model.prepared.model
    device = next(trained.parameters()).device
    first = pairs.tokens.read(np.arange(min(len(pairs), _COMPARED)))
    texts = [prompt + response for prompt, *both in first for response in both]
    plain = _plain(folder, model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    notes: tuple[str, ...] = ()
    text = text_config(plain)
    if text.pad_token_id != tokenizer.pad_token_id:
        # PEFT reads the configuration of the base, where our pad token is not.
        text.pad_token_id = tokenizer.pad_token_id
        notes = (
            "the base's configuration has another pad token or none: who loads the adapter with "
            f"PEFT alone sets model.config.pad_token_id = {tokenizer.pad_token_id} afterwards.",
        )
    padded = tokenizer.pad({"input_ids": texts}, return_tensors="pt").to(device)
    with torch.no_grad(), mode(trained), whole_head(trained):
        ours = torch.stack([trained(torch.tensor([t], device=device)).logits[0] for t in texts])
        theirs = plain.to(device)(**padded).logits
    worst = float((ours - theirs).abs().max() / ours.abs().max().clamp_min(1.0))
    exact = model.scorer.load_options["dtype"] == torch.float32
    if not worst <= (1e-3 if exact else 0.05):
        raise SurefootError(
            f"the model saved in {folder} gives other scores than the one trained (by "
            f"{worst:.2g}): do not use it."
        )
    return notes


def _plain(folder: Path, model: LanguageModel) -> Any:
    """The folder as other programs load it."""
    from peft import AutoPeftModelForSequenceClassification
    from transformers import AutoModelForSequenceClassification

    options = {"num_labels": 1, **model.scorer.load_options}
    if model.scorer.adapter is None:
        return AutoModelForSequenceClassification.from_pretrained(folder, **options).eval()
    adapted = AutoPeftModelForSequenceClassification.from_pretrained(folder, **options).eval()
    return never_packed(whole_where_not_quantised(adapted))


def ignorant_loss(objective: Objective, evidence: Evidence) -> float:
    """Mean loss of a model whose every margin is 0; log 2 under the logistic loss."""
    own = torch.zeros(len(evidence.label), dtype=torch.float64)
    theirs = None if evidence.references is None else own.new_zeros(len(evidence.references.sets))
    return float(objective.pair_losses(own, evidence.like(own), theirs).mean())


def doubts_of_samples(last: Mapping[str, float], max_new_tokens: int) -> list[str]:
    """Sentences on a run that learnt from what its policy wrote, none for a sound run.

    `last` are the figures of the last log, which :mod:`surefoot.training.drpo.trainer` explains.
    """
    sentences = []
    share, finished = last.get("effective_share", 1.0), last.get("finished", 1.0)
    if share < _FEW_EFFECTIVE:
        sentences.append(
            f"the ratios pi / pi_ref of a step have an effective size of {share:.0%} of its "
            "responses: the labels correct the auxiliary model through a few of them only. A "
            "larger scorer.beta keeps the policy nearer to its reference."
        )
    if finished < _FEW_FINISHED:
        sentences.append(
            f"{1 - finished:.0%} of the samples reached {max_new_tokens} tokens and were judged as "
            "they were: raise objective.max_new_tokens."
        )
    return sentences


def doubts(last: Mapping[str, float], ignorant: float, accuracy: Estimate | None) -> list[str]:
    """Sentences, none for a sound run, from the last log, `ignorant_loss` and held-out accuracy."""
    sentences = []
    loss = last.get("mean_loss")
    if loss is not None and loss > _DIVERGED * ignorant:
        sentences.append(
            f"training diverged: the last mean loss is {loss:.3g}, and a model that tells no pair "
            f"apart has {ignorant:.3g}. Do not use this model; lower training.learning_rate."
        )
    if accuracy is not None and accuracy.side(0.5) < 0:
        sentences.append(
            f"on held-out pairs the model is worse than a coin: it orders {accuracy} of them as "
            "labelled. Do not use it as it is."
        )
    return sentences
