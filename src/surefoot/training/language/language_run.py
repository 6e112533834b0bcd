"""Runs of language models: from a configuration to a folder that transformers can load."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from surefoot.data import Preferences
from surefoot.data.rendering.notes import MOST_REFUSED, REFUSED
from surefoot.errors import DataError
from surefoot.objectives import Objective
from surefoot.scorers import storage
from surefoot.scorers.embeddings.encoder import load_encoder
from surefoot.scorers.fit.coefficient import Coefficient, is_fitted, with_coefficient
from surefoot.scorers.fit.fitting import coefficient_of
from surefoot.scorers.fit.task import Task
from surefoot.scorers.fit.unit_shares import UnitShare, in_words
from surefoot.scorers.language.loading import load_model, load_tokenizer
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import LanguageModelScorer
from surefoot.scorers.scorer import EmbeddingScorer
from surefoot.statistics import Estimate
from surefoot.training.agreement import of_first
from surefoot.training.config import DataOptions, LanguageTrainingOptions, RunConfig
from surefoot.training.drpo.config import DoublyRobust
from surefoot.training.folder import TrainingData
from surefoot.training.language.calibration import calibrate, scorer_of, standardise
from surefoot.training.language.check_saved import check_saved
from surefoot.training.language.doubts import doubts, doubts_of_samples, ignorant_loss
from surefoot.training.language.second_order import attention_for
from surefoot.training.life_cycle import OpenRun
from surefoot.training.trim import with_trim

if TYPE_CHECKING:
    from surefoot.training.language.trainer import PreferenceTrainer


@dataclass(frozen=True)
class LanguageReport:
    """What a run has to say.

    Attributes:
        warnings: sentences for the user.
        last: figures of the last log, by name.
        held_out_accuracy: on the held-out pairs, labels as given; None where there are none.
        steps: optimiser steps taken.
        coefficient: of a control variate, where it was fitted.
        shares: who got the weight in the last epoch; empty where the risk is over pairs or prompts.
        share_steps: number of its steps.
    """

    warnings: tuple[str, ...]
    last: dict[str, float]
    held_out_accuracy: Estimate | None
    steps: int
    coefficient: Coefficient | None = None
    shares: tuple[UnitShare, ...] = ()
    share_steps: int = 0


@dataclass(frozen=True)
class _Settled:
    """An objective with numbers in place of what is estimated from the data.

    Attributes:
        objective: it.
        figures: of what was estimated, for the manifest.
        coefficient: of a control variate, where it was fitted.
    """

    objective: Objective | DoublyRobust
    figures: dict[str, Any] = field(default_factory=dict)
    coefficient: Coefficient | None = None


def train_language_model(
    run: OpenRun[RunConfig], data: TrainingData
) -> tuple[LanguageModel, LanguageReport] | None:
    """Train, and save the model with its tokenizer; None on ranks that do not save.

    What was in the folder before stays until all is ready to train.

    Raises:
        ConfigurationError: options that cannot be honoured.
        SurefootError: a loss that is not finite, or a saved model that scores differently.
    """
    trainer, data, settled = _ready(run, data)
    if not run.train(trainer, data.train, data.clusters):
        return None
    model, accuracy = _saved(run, trainer, data)
    report = _report(run, trainer, settled, accuracy)
    run.finish(data, _figures(report, trainer) | settled.figures, _readable(report))
    return model, report


def _ready(
    run: OpenRun[RunConfig], data: TrainingData
) -> tuple[PreferenceTrainer, TrainingData, _Settled]:
    """All that can be refused: the trainer, the data as every process has them, the objective."""
    from transformers import set_seed

    from surefoot.training.language.arguments import (
        preference_arguments,  # imports transformers' Trainer
    )

    config, scorer, training = run.config, run.config.scorer, run.config.training
    assert isinstance(scorer, LanguageModelScorer)
    assert isinstance(training, LanguageTrainingOptions)
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always", UserWarning)
        # Chooses the GPU, and introduces the processes to each other.
        arguments = preference_arguments(config, run.path, data.held_out is not None)
        run.agree()
        data = _same_clusters(data)
        settled = of_first(_settled(config, data, run.say))
        set_seed(training.seed)  # a new head is drawn at random
        loaded = {**scorer.load_options, **attention_for(settled.objective)}
        trainer = _trainer_class(settled.objective)(
            model=load_model(scorer.place, scorer.model_kind, **loaded),
            args=arguments,
            train_dataset=data.train,
            eval_dataset=data.held_out,
            processing_class=load_tokenizer(scorer.place),
            peft_config=scorer.adapter.to_peft() if scorer.adapter else None,
            objective=settled.objective,
        )
    assert trainer.pairs is not None
    _require_readable(trainer, config.data)
    trainer.require_exact()
    for_users = (one for one in noticed if issubclass(one.category, UserWarning))
    run.warn(dict.fromkeys(str(one.message) for one in for_users))
    if trainer.processing_class.chat_template and not _conversational(data.train):
        run.say("note: plain text: the chat template of the tokenizer is not used.")
    if len(trainer.pairs) < training.pairs_per_step:
        run.say(
            f"note: one step holds all {len(trainer.pairs)} pairs: lower "
            f"training.pairs_per_step ({training.pairs_per_step}) for more than one an epoch."
        )
    return trainer, data, settled


def _saved(
    run: OpenRun[RunConfig], trainer: PreferenceTrainer, data: TrainingData
) -> tuple[LanguageModel, Estimate | None]:
    """The model, calibrated, saved and compared with what is saved; its held-out accuracy."""
    config, scorer = run.config, run.config.scorer
    assert isinstance(scorer, LanguageModelScorer)
    assert trainer.pairs is not None
    model = scorer_of(trainer, scorer.settled)
    standardise(model, trainer)
    accuracy = None
    if data.held_out is not None:
        accuracy, doubt = calibrate(model, trainer, config)
        run.warn([doubt] if doubt else [])
    trainer.save_model(str(run.path))
    if scorer.model_kind == "reward-model":
        run.warn(check_saved(run.path, model, trainer.pairs.preferences), "note")
    description = model.description(config.objective, config.training.seed)
    storage.write_description(run.path, description)
    return model, accuracy


def _report(
    run: OpenRun[RunConfig],
    trainer: PreferenceTrainer,
    settled: _Settled,
    accuracy: Estimate | None,
) -> LanguageReport:
    """What the run has to say, with what speaks against it."""
    assert trainer.pairs is not None
    logs = [log for log in trainer.state.log_history if "loss" in log]
    last: dict[str, float] = logs[-1] if logs else {}
    objective = settled.objective
    if isinstance(objective, Objective):
        run.warn(doubts(last, ignorant_loss(objective, trainer.pairs.evidence), accuracy))
    else:
        run.warn(doubts_of_samples(last, objective.max_new_tokens))
    return LanguageReport(
        tuple(run.warnings),
        last,
        accuracy,
        trainer.state.global_step,
        settled.coefficient,
        trainer.ledger.shares(trainer.pairs.unit_names),
        trainer.ledger.steps,
    )


def _settled(config: RunConfig, data: TrainingData, say: Callable[[str], None]) -> _Settled:
    objective = config.objective
    if not isinstance(objective, Objective):
        return _Settled(objective)
    figures: dict[str, Any] = {}
    objective, trim = with_trim(objective, data.train)
    if trim is not None:
        say(str(trim))
        figures["trim"] = trim.to_dict()
    if not is_fitted(objective):
        return _Settled(objective, figures)
    coefficient = _coefficient(objective, data, config.training.seed)
    say(f"coefficient of the control variate, by a linear head on embeddings: {coefficient}")
    return _Settled(with_coefficient(objective, coefficient.value), figures, coefficient)


def _same_clusters(data: TrainingData) -> TrainingData:
    """The data with the first process's clusters of prompts, where there are any."""
    if data.clusters is None:
        return data
    held_out = data.held_out
    clusters, train, held_out_clusters = of_first(
        (
            data.clusters,
            data.train.strings("cluster"),
            [] if held_out is None else held_out.strings("cluster"),
        )
    )
    return replace(
        data,
        train=data.train.with_columns(cluster=train),
        held_out=None if held_out is None else held_out.with_columns(cluster=held_out_clusters),
        clusters=clusters,
    )


def _require_readable(trainer: PreferenceTrainer, options: DataOptions) -> None:
    """Refuse data of which the chat template cannot write some rows, or most."""
    most = 0.0 if options.on_error == "fail" else max(MOST_REFUSED, options.max_unusable)
    for pairs in (trainer.pairs, *trainer.eval_pairs.values()):
        cuts = None if pairs is None else pairs.tokens.cuts
        if pairs is not None and cuts is not None and cuts.refused > most * cuts.rows:
            raise DataError(
                f"{pairs.preferences.name}: the chat template cannot write {cuts.refused} of "
                f"{cuts.rows} pairs, and at most {most:.0%} may be left out (data.on_error is "
                f"{options.on_error!r}): {'; '.join(cuts.refusals)}. {REFUSED.remedy}"
            )


def _conversational(preferences: Preferences) -> bool:
    """Whether any row is written as messages."""
    return any(found for (found,) in preferences.read("conversational"))


def _trainer_class(objective: Objective | DoublyRobust) -> Callable[..., PreferenceTrainer]:
    """The trainer of an objective, imported late: it imports transformers' Trainer."""
    if isinstance(objective, DoublyRobust):
        from surefoot.training.drpo.trainer import DoublyRobustTrainer

        return DoublyRobustTrainer
    from surefoot.training.language.trainer import PreferenceTrainer

    return PreferenceTrainer


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
    assert trainer.pairs is not None
    accuracy = report.held_out_accuracy
    return {
        "steps": report.steps,
        "last": report.last,
        "worst_case_weights": [one.to_dict() for one in report.shares],
        "held_out_accuracy": accuracy.to_dict() if accuracy else None,
        "coefficient": dataclasses.asdict(report.coefficient) if report.coefficient else None,
        "cuts": dataclasses.asdict(trainer.pairs.tokens.cuts),
        "log": trainer.state.log_history,
    }


def _shown() -> tuple[str, ...]:
    from surefoot.training.language.monitors import SHOWN  # imports transformers' Trainer

    return SHOWN


def _readable(report: LanguageReport) -> dict[str, str]:
    accuracy = report.held_out_accuracy
    last = {name: f"{report.last[name]:.4g}" for name in _shown() if name in report.last}
    return {
        "held-out accuracy": str(accuracy) if accuracy else "no pairs were held out",
        "optimiser steps": str(report.steps),
        **{f"{name}, last logged": value for name, value in last.items()},
        **({"who got the weight": in_words(report.shares)} if report.shares else {}),
    }
