"""Runs of language models: from a configuration to a folder that transformers can load."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any

from transformers import set_seed

from surefoot.data.rendering.notes import MOST_REFUSED, REFUSED
from surefoot.errors import DataError
from surefoot.objectives import Objective
from surefoot.scorers import storage
from surefoot.scorers.embeddings.encoder import load_encoder
from surefoot.scorers.fit.coefficient import Coefficient, is_fitted, with_coefficient
from surefoot.scorers.fit.fitting import coefficient_of
from surefoot.scorers.fit.flip_rate import doubt_of, with_flip_rate
from surefoot.scorers.fit.report import UnitShare, in_words
from surefoot.scorers.fit.task import Task
from surefoot.scorers.language.loading import load_model, load_tokenizer
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import LanguageModelScorer
from surefoot.scorers.scorer import EmbeddingScorer
from surefoot.statistics import Estimate
from surefoot.training.agreement import of_first
from surefoot.training.config import DataOptions, RunConfig
from surefoot.training.data import TrainingData
from surefoot.training.drpo.config import DoublyRobust
from surefoot.training.drpo.trainer import DoublyRobustTrainer
from surefoot.training.language.arguments import preference_arguments
from surefoot.training.language.at_start import attention_for
from surefoot.training.language.finished import (
    calibrate,
    check_saved,
    doubts,
    doubts_of_samples,
    ignorant_loss,
    scorer_of,
    standardise,
)
from surefoot.training.language.monitors import SHOWN
from surefoot.training.language.trainer import PreferenceTrainer
from surefoot.training.life_cycle import OpenRun, Say
from surefoot.training.options import LanguageTrainingOptions
from surefoot.training.trim import EstimatedTrim, with_trim


@dataclass(frozen=True)
class LanguageReport:
    """What a run has to say."""

    warnings: tuple[str, ...]
    last: dict[str, float]  #: figures of the last log, by name
    held_out_accuracy: Estimate | None  #: labels as given; None where no pairs were held out
    steps: int  #: of the optimiser
    coefficient: Coefficient | None = None  #: of a control variate, where it was fitted
    shares: tuple[UnitShare, ...] = ()  #: who got the weight in the last epoch; () for single pairs
    share_steps: int = 0  #: of that epoch


def train_language_model(
    run: OpenRun[RunConfig], data: TrainingData
) -> tuple[LanguageModel, LanguageReport] | None:
    """Train, and save the model with its tokenizer; None on ranks that do not save.

    What was in the folder before stays until all is ready to train.

    Raises:
        ConfigurationError: options that cannot be honoured.
        SurefootError: a loss that is not finite, or a saved model that scores differently.
    """
    trainer, data, estimated = _ready(run, data)
    if not run.train(trainer, data):
        return None
    model, accuracy = _saved(run, trainer, data, estimated.objective)
    report = _report(run, trainer, estimated.coefficient, accuracy)
    run.finish(data, _figures(report, trainer) | estimated.to_dict(), _readable(report))
    return model, report


def _ready(
    run: OpenRun[RunConfig], data: TrainingData
) -> tuple[PreferenceTrainer, TrainingData, _Estimated]:
    """All that can be refused: the trainer, the data as every process has them, and estimates."""
    config, scorer, training = run.config, run.config.scorer, run.config.training
    assert isinstance(scorer, LanguageModelScorer)
    assert isinstance(training, LanguageTrainingOptions)
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always", UserWarning)
        # Chooses the GPU, and introduces the processes to each other.
        arguments = preference_arguments(config, run.path, data.held_out is not None)
        run.agree()
        data = _same_clusters(data)
        estimated = of_first(_estimated(config, data, run.say))
        objective = estimated.objective
        set_seed(training.seed)  # a new head is drawn at random
        loaded = {**scorer.load_options, **attention_for(objective)}
        drpo = isinstance(objective, DoublyRobust)
        trainer_class: Any = DoublyRobustTrainer if drpo else PreferenceTrainer
        trainer: PreferenceTrainer = trainer_class(
            model=load_model(scorer.place, scorer.model_kind, **loaded),
            args=arguments,
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=load_tokenizer(scorer.place),
            peft_config=scorer.adapter.to_peft() if scorer.adapter else None,
            objective=objective,
        )
    _require_readable(trainer, config.data)
    trainer.require_exact()
    for_users = (one for one in noticed if issubclass(one.category, UserWarning))
    run.warn(dict.fromkeys(str(one.message) for one in for_users))
    conversational = any(found for (found,) in data.train.read("conversational"))
    if trainer.processing_class.chat_template and not conversational:
        run.say("note: plain text: the chat template of the tokenizer is not used.")
    if trainer.sharing is not None and trainer.sharing.worth_saying:
        run.say(f"note: {trainer.sharing}.")
    if len(trainer.pairs) < training.pairs_per_step:
        run.say(
            f"note: one step holds all {len(trainer.pairs)} pairs: lower "
            f"training.pairs_per_step ({training.pairs_per_step}) for more than one an epoch."
        )
    if estimated.flip_rate is not None:
        run.warn(doubt_of(estimated.flip_rate))
    return trainer, data, estimated


def _saved(
    run: OpenRun[RunConfig],
    trainer: PreferenceTrainer,
    data: TrainingData,
    objective: Objective | DoublyRobust,
) -> tuple[LanguageModel, Estimate | None]:
    """The model, calibrated, saved and compared with what is saved; its held-out accuracy."""
    scorer = run.config.scorer
    assert isinstance(scorer, LanguageModelScorer)
    model = scorer_of(trainer, scorer.settled)
    standardise(model, trainer)
    accuracy = None
    if data.held_out is not None:
        accuracy, doubt = calibrate(model, trainer, objective.known_flip_rate)
        run.warn([doubt] if doubt else [])
    trainer.save_model(str(run.path))
    if scorer.model_kind == "reward-model":
        run.warn(check_saved(run.path, model, trainer.pairs), "note")
    description = model.description(objective, run.config.training.seed)
    storage.write_description(run.path, description)
    return model, accuracy


def _report(
    run: OpenRun[RunConfig],
    trainer: PreferenceTrainer,
    coefficient: Coefficient | None,
    accuracy: Estimate | None,
) -> LanguageReport:
    """What the run has to say, with what speaks against it."""
    logs = [log for log in trainer.state.log_history if "loss" in log]
    last: dict[str, float] = logs[-1] if logs else {}
    if isinstance(trainer, DoublyRobustTrainer):
        run.warn(doubts_of_samples(last, trainer.doubly_robust.max_new_tokens))
    else:
        ignorant = ignorant_loss(trainer.objective, trainer.pairs.evidence)
        run.warn(doubts(last, ignorant, accuracy))
    return LanguageReport(
        tuple(run.warnings),
        last,
        accuracy,
        trainer.state.global_step,
        coefficient,
        trainer.ledger.shares(trainer.pairs.unit_names),
        trainer.ledger.steps,
    )


@dataclass(frozen=True)
class _Estimated:
    """The objective with numbers in place of what is estimated from the data, and these."""

    objective: Objective | DoublyRobust
    trim: EstimatedTrim | None = None
    flip_rate: Estimate | None = None
    coefficient: Coefficient | None = None  #: of a control variate

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready figures; the coefficient's are the report's."""
        both = {"trim": self.trim, "flip_rate": self.flip_rate}
        return {name: one.to_dict() for name, one in both.items() if one is not None}


def _estimated(config: RunConfig, data: TrainingData, say: Say) -> _Estimated:
    """Estimate what the objective asks for; flip rate and coefficient by heads on embeddings.

    A language model's own are out of reach before it is trained.
    """
    objective, seed = config.objective, config.training.seed
    if isinstance(objective, DoublyRobust):
        return _Estimated(objective)
    objective, trim = with_trim(objective, data.train)
    if trim is not None:
        say(str(trim))
    objective, flips = with_flip_rate(objective, EmbeddingScorer(), data.train, seed)
    if flips is not None:
        say(f"labels.flip_rate, by linear heads on embeddings out of fold: fitted to {flips}")
    if not is_fitted(objective):
        return _Estimated(objective, trim, flips)
    coefficient = _coefficient(objective, data, seed)
    say(f"coefficient of the control variate, by a linear head on embeddings: {coefficient}")
    objective = with_coefficient(objective, coefficient.value)
    return _Estimated(objective, trim, flips, coefficient)


def _same_clusters(data: TrainingData) -> TrainingData:
    """The data with the first process's clusters of prompts, where there are any."""
    if data.clusters is None:
        return data
    sides = [one for one in (data.train, data.held_out) if one is not None]
    clusters, columns = of_first((data.clusters, [one.strings("cluster") for one in sides]))
    train, *held_out = (
        one.with_columns(cluster=column) for one, column in zip(sides, columns, strict=True)
    )
    return replace(data, train=train, held_out=next(iter(held_out), None), clusters=clusters)


def _require_readable(trainer: PreferenceTrainer, options: DataOptions) -> None:
    """Refuse data of which the chat template cannot write some rows, or most."""
    most = 0.0 if options.on_error == "fail" else max(MOST_REFUSED, options.max_unusable)
    for pairs in (trainer.pairs, *trainer.eval_pairs.values()):
        cuts = pairs.tokens.cuts
        if cuts.refused > most * cuts.rows:
            raise DataError(
                f"{pairs.preferences.name}: the chat template cannot write {cuts.refused} of "
                f"{cuts.rows} pairs, and at most {most:.0%} may be left out (data.on_error is "
                f"{options.on_error!r}): {'; '.join(cuts.refusals)}. {REFUSED.remedy}"
            )


def _coefficient(objective: Objective, data: TrainingData, seed: int) -> Coefficient:
    """Fitted for a linear head on frozen embeddings: a language model's own is out of reach.

    Risk and regularisers have no part in it, nor has the length of a response.
    """
    loss, labels = objective.loss, objective.labels
    if loss.per_token:
        loss = loss.model_copy(update={"length_normalised": False})
    task = Task.of(EmbeddingScorer(), Objective(loss=loss, labels=labels), data.train)
    return coefficient_of(task, load_encoder(task.scorer.encoder), seed)


def _figures(report: LanguageReport, trainer: PreferenceTrainer) -> dict[str, Any]:
    accuracy = report.held_out_accuracy
    return {
        "steps": report.steps,
        "last": report.last,
        "worst_case_weights": [one.to_dict() for one in report.shares],
        "held_out_accuracy": accuracy.to_dict() if accuracy else None,
        "coefficient": asdict(report.coefficient) if report.coefficient else None,
        "cuts": asdict(trainer.pairs.tokens.cuts),
        "log": trainer.state.log_history,
    }


def _readable(report: LanguageReport) -> dict[str, str]:
    accuracy = report.held_out_accuracy
    last = {name: f"{report.last[name]:.4g}" for name in SHOWN if name in report.last}
    return {
        "held-out accuracy": str(accuracy) if accuracy else "no pairs were held out",
        "optimiser steps": str(report.steps),
        **{f"{name}, last logged": value for name, value in last.items()},
        **({"who got the weight": in_words(report.shares)} if report.shares else {}),
    }
