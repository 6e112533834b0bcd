"""Runs of language models: from a configuration to a folder that transformers can load."""

from __future__ import annotations

import dataclasses
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from surefoot.data import Preferences
from surefoot.errors import ConfigurationError, SurefootError
from surefoot.scorers import storage
from surefoot.scorers.coefficient import Coefficient, is_fitted, with_coefficient
from surefoot.scorers.cross_validation import fit_temperature
from surefoot.scorers.encoder import load_encoder
from surefoot.scorers.fitting import coefficient_of
from surefoot.scorers.language.loading import Prepared, load_model, load_tokenizer
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import LanguageModelScorer, PolicyScorer
from surefoot.scorers.language.scores import mode
from surefoot.scorers.language.tokens import tokenise
from surefoot.scorers.scorer import EmbeddingScorer
from surefoot.scorers.task import Task
from surefoot.statistics import Estimate, mean
from surefoot.training.checkpoint import newest
from surefoot.training.config import LanguageTrainingOptions, RunConfig
from surefoot.training.folder import TrainingData, clear_run, write_run

if TYPE_CHECKING:
    from surefoot.training.trainer import PreferenceTrainer

#: Pairs that mean and deviation of the rewards are taken from, at most.
_SAMPLE = 1000
#: Pairs whose scores are compared with those of plain transformers on the saved folder.
_COMPARED = 8


@dataclass(frozen=True)
class LanguageReport:
    """What a run has to say.

    Attributes:
        warnings: sentences for the user.
        last: figures of the last log, by name.
        held_out_accuracy: on the held-out pairs, labels as given; None where there are none.
        steps: optimiser steps taken.
        coefficient: of a control variate, where it was fitted.
    """

    warnings: tuple[str, ...]
    last: dict[str, float]
    held_out_accuracy: Estimate | None
    steps: int
    coefficient: Coefficient | None = None


def train_language_model(
    config: RunConfig,
    data: TrainingData,
    folder: Path,
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[LanguageModel, LanguageReport] | None:
    """Train, and save the model with its tokenizer; None on ranks that do not save.

    Raises:
        ConfigurationError: options that cannot be honoured.
        SurefootError: a loss that is not finite, or a saved model that scores differently.
    """
    from transformers import set_seed

    from surefoot.training.trainer import PreferenceTrainer

    scorer, training = config.scorer, config.training
    assert isinstance(scorer, LanguageModelScorer)
    assert isinstance(training, LanguageTrainingOptions)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = newest(folder) if resume else None
    if checkpoint is None:
        clear_run(folder)
    objective, coefficient = config.objective, None
    if is_fitted(objective):
        coefficient = _coefficient(config, data)
        objective = with_coefficient(objective, coefficient.value)
        say(f"coefficient of the control variate, by a linear head on embeddings: {coefficient}")
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always", UserWarning)
        set_seed(training.seed)  # a new head is drawn at random
        trainer = PreferenceTrainer(
            model=load_model(scorer.place, scorer.model_kind, **scorer.load_options),
            args=_arguments(config, folder, data.held_out is not None),
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=load_tokenizer(scorer.place),
            peft_config=scorer.adapter.to_peft() if scorer.adapter else None,
            objective=objective,
        )
    notes = tuple(dict.fromkeys(str(one.message) for one in noticed))
    if trainer.is_world_process_zero():
        for note in notes:
            say(f"warning: {note}")
    assert trainer.pairs is not None
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.save_model(str(folder))
    if not trainer.is_world_process_zero():
        return None
    model = _finished(trainer, scorer)
    _standardise(model, trainer.pairs.preferences)
    accuracy = None if data.held_out is None else _calibrate(model, data.held_out, config)
    storage.write_description(folder, model.description(config.objective, training.seed))
    if scorer.model_kind == "reward-model":
        check_saved(folder, model, trainer.pairs.preferences)
    logs = [log for log in trainer.state.log_history if "loss" in log]
    last: dict[str, float] = logs[-1] if logs else {}
    report = LanguageReport(notes, last, accuracy, trainer.state.global_step, coefficient)
    write_run(folder, config, data, _figures(report, trainer), _readable(report), report.warnings)
    for done in folder.glob("checkpoint-*"):
        shutil.rmtree(done)
    return model, report


def _coefficient(config: RunConfig, data: TrainingData) -> Coefficient:
    """Fitted for a linear head on frozen embeddings: a language model's own is out of reach."""
    task = Task.of(EmbeddingScorer(), config.objective, data.train)
    return coefficient_of(task, load_encoder(task.scorer.encoder), config.training.seed)


def _figures(report: LanguageReport, trainer: PreferenceTrainer) -> dict[str, Any]:
    assert trainer.pairs is not None
    accuracy = report.held_out_accuracy
    return {
        "steps": report.steps,
        "last": report.last,
        "held_out_accuracy": accuracy.to_dict() if accuracy else None,
        "coefficient": dataclasses.asdict(report.coefficient) if report.coefficient else None,
        "cuts": dataclasses.asdict(trainer.pairs.tokens.cuts),
        "log": trainer.state.log_history,
    }


def _shown() -> tuple[str, ...]:
    from surefoot.training.monitors import SHOWN  # imports transformers' Trainer

    return SHOWN


def _readable(report: LanguageReport) -> dict[str, str]:
    accuracy = report.held_out_accuracy
    last = {name: f"{report.last[name]:.4g}" for name in _shown() if name in report.last}
    return {
        "held-out accuracy": str(accuracy) if accuracy else "no pairs were held out",
        "optimiser steps": str(report.steps),
        **{f"{name}, last logged": value for name, value in last.items()},
    }


def _arguments(config: RunConfig, folder: Path, held_out: bool) -> Any:
    from surefoot.training.preference_config import PreferenceConfig

    scorer, training = config.scorer, config.training
    assert isinstance(scorer, LanguageModelScorer)
    assert isinstance(training, LanguageTrainingOptions)
    policy = scorer if isinstance(scorer, PolicyScorer) else PolicyScorer(model=scorer.model)
    ranks = int(os.environ.get("WORLD_SIZE", "1"))  # torchrun's
    accumulation, rest = divmod(training.pairs_per_step, training.micro_batch_pairs * ranks)
    if rest:
        raise ConfigurationError(
            f"training.pairs_per_step ({training.pairs_per_step}) should be a multiple of "
            f"training.micro_batch_pairs x processes ({training.micro_batch_pairs} x {ranks})."
        )
    saves = training.save_every is not None
    checks = training.evaluate_every is not None and held_out
    # Named only where it is wanted: transformers 5.23 warns of the name that 5.17 needs.
    checkpointing: dict[str, Any] = {"gradient_checkpointing": True}
    if not scorer.gradient_checkpointing:
        checkpointing = {}
    return PreferenceConfig(
        output_dir=str(folder),
        beta=policy.beta,
        reference=policy.reference,
        max_length=scorer.max_length,
        max_tokens=training.max_tokens,
        per_device_train_batch_size=training.micro_batch_pairs,
        gradient_accumulation_steps=accumulation,
        num_train_epochs=training.epochs,
        max_steps=-1 if training.max_steps is None else training.max_steps,
        learning_rate=training.rate(scorer),
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        bf16=scorer.autocast_dtype is torch.bfloat16,
        **checkpointing,
        use_cpu=not torch.cuda.is_available(),
        ddp_backend="gloo" if ranks > 1 and not torch.cuda.is_available() else None,
        logging_steps=training.log_every,
        save_strategy="steps" if saves else "no",
        save_steps=training.save_every or 500,
        save_total_limit=2,
        eval_strategy="steps" if checks else "no",
        eval_steps=training.evaluate_every if checks else None,
        report_to=list(training.report_to),
        disable_tqdm=False,
    )


def _finished(trainer: PreferenceTrainer, scorer: LanguageModelScorer) -> LanguageModel:
    assert trainer.pairs is not None
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    kind, tokenizer = scorer.model_kind, trainer.processing_class
    prepared = Prepared(model, tokenizer, kind, trainer.pairs.encoder)
    found = LanguageModel(scorer, prepared)
    if isinstance(scorer, PolicyScorer):
        found.refer_to(None if scorer.adapter else scorer.place)
    return found


def _standardise(model: LanguageModel, train: Preferences) -> None:
    sample = np.linspace(0, len(train) - 1, min(len(train), _SAMPLE)).astype(int)
    raw = model.raw_scores(train.select(np.unique(sample)))
    model.mean_, model.std_ = float(raw.mean()), max(float(raw.std()), 1e-12)
    model.temperature_ = 1 / model.std_  # margins as trained are log-odds, where psi is logistic


def _calibrate(model: LanguageModel, held_out: Preferences, config: RunConfig) -> Estimate:
    """Fit the temperature on held-out pairs; their accuracy, clustered by prompt."""
    rewards = model.rewards(held_out)
    margins: npt.NDArray[np.float64] = rewards[:, 0] - rewards[:, 1]
    model.temperature_ = fit_temperature(
        torch.from_numpy(margins),
        torch.from_numpy(held_out.labels),
        torch.from_numpy(held_out.weights),
        flip_rate=config.objective.labels.known_flip_rate,
    )
    decided = held_out.labels != 0.5
    right = (np.sign(margins) * np.sign(held_out.labels - 0.5) + 1) / 2
    return mean(right[decided], held_out.prompt_keys()[decided], covers="held-out pairs")


def check_saved(folder: Path, model: LanguageModel, preferences: Preferences) -> None:
    """Compare a reward model's scores with those of plain transformers on the saved folder.

    The trained model reads each text alone, the saved one all of them padded together: a head that
    was not saved, or padding that is mistaken for text, shows.

    Raises:
        SurefootError: they differ by more than rounding.
    """
    from peft import AutoPeftModelForSequenceClassification
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    found, adapted = model.prepared, model.scorer.adapter is not None
    tokens = tokenise(
        preferences.select(np.arange(min(len(preferences), _COMPARED))),
        found.tokenizer,
        model.scorer.max_length,
        keep_end=found.encoder,
    )
    pairs = tokens.read(np.arange(len(tokens)))
    texts = [prompt + response for prompt, *both in pairs for response in both]
    loader = (
        AutoPeftModelForSequenceClassification if adapted else AutoModelForSequenceClassification
    )
    plain = loader.from_pretrained(folder, num_labels=1, **model.scorer.load_options).eval()
    device = next(found.model.parameters()).device
    padded = AutoTokenizer.from_pretrained(folder).pad({"input_ids": texts}, return_tensors="pt")
    with torch.no_grad(), mode(found.model):
        ours = torch.stack([found.model(torch.tensor([t], device=device)).logits[0] for t in texts])
        theirs = plain.to(device)(**padded.to(device)).logits
    worst = float((ours - theirs).abs().max() / ours.abs().max().clamp_min(1.0))
    if not worst <= (1e-3 if ours.dtype == torch.float32 else 0.05):
        raise SurefootError(
            f"the model saved in {folder} gives other scores than the one trained (by "
            f"{worst:.2g}): do not use it."
        )
