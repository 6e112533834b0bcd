"""Runs of frozen-embedding reward models: any number of seeds, on texts that are read once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from surefoot.data.rendering.embedding_texts import unread_notes
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer, fit_models
from surefoot.scorers.fit.fitting import prompt_bootstrap
from surefoot.scorers.fit.flip_rate import doubt_of, with_flip_rate
from surefoot.scorers.fit.radius import MEAN_COST, with_radius
from surefoot.scorers.fit.report import FitReport, in_words
from surefoot.scorers.storage import require_finite
from surefoot.statistics import flip_rate_bound
from surefoot.training.config import RunConfig
from surefoot.training.data import TrainingData
from surefoot.training.life_cycle import OpenRun
from surefoot.training.options import TrainingOptions
from surefoot.training.trim import with_trim


def train_embedding_models(
    runs: Sequence[OpenRun[RunConfig]], data: TrainingData
) -> list[EmbeddingRewardModel]:
    """Fit runs that differ in their seed alone, and write their folders once all are done.

    What was in these folders before stays until then.
    """
    first = runs[0]
    scorer, training = first.config.scorer, first.config.training
    assert isinstance(scorer, EmbeddingScorer)
    assert isinstance(training, TrainingOptions)
    assert isinstance(first.config.objective, Objective)
    seeds = [run.config.training.seed for run in runs]
    objective, trim = with_trim(first.config.objective, data.train)
    cost = MEAN_COST if training.mean_cost is None else training.mean_cost
    said = {} if trim is None else {"trimmed": str(trim)}
    for line in said.values():
        first.say(line)
    objective, flips = with_flip_rate(objective, scorer, data.train, seeds[0])
    if flips is not None:
        said["flip rate of the labels, fitted"] = str(flips)
        first.say(f"labels.flip_rate: fitted to {flips}")
        first.warn(doubt_of(flips))
    objective, radius = with_radius(objective, scorer, data.train, cost)
    if radius is not None:
        tried = "sizes tried (worst held-out group, mean)"
        first.say(str(radius))
        first.say(f"{tried}: {radius.curve}")
        said |= {"size of the ball": str(radius), tried: radius.curve}
    models = [EmbeddingRewardModel(scorer, objective, seed) for seed in seeds]
    drawn = prompt_bootstrap(data.train.prompt_keys(), seeds) if training.bootstrap else None
    fit_models(models, data.train, drawn)
    truncated, limit = models[0].report_.truncated, models[0].encoder.limit
    unread = tuple(unread_notes(data.train, scorer.views, truncated, limit))
    first.warn(_notes(models[0].report_, objective))  # those of the others repeat them
    first.warn(unread, "note")
    for run, model in zip(runs[1:], models[1:], strict=True):
        run.warnings += (*_notes(model.report_, objective), *unread)
    for model in models:
        require_finite(model.tensors())
    chosen = {
        "radius": radius.to_dict() if radius else None,
        "trim": trim.to_dict() if trim else None,
        "flip_rate": flips.to_dict() if flips else None,
    }
    for run, model in zip(runs, models, strict=True):
        run.begin(data)
        model.save(run.path)
        figures = _figures(model.report_, model) | chosen
        run.finish(data, figures, _readable(model.report_, objective, said))
    return models


def _readable(report: FitReport, objective: Objective, said: Mapping[str, str]) -> dict[str, str]:
    """The most important figures, in words; `said`: of what was estimated before the fit."""
    figures = {
        "out-of-fold accuracy": str(report.out_of_fold_accuracy),
        "ridge penalty": f"{report.l2:.3g}",
        "optimum": report.optimum,
    }
    if report.coefficient is not None:
        figures["coefficient of the control variate"] = str(report.coefficient)
    figures |= said
    ball = objective.wasserstein
    if ball is not None and report.input_gradient is not None:
        worst = float(report.risk.value[0]) + ball.radius * report.input_gradient
        figures["worst mean loss in the ball, to first order"] = f"{worst:.4f}"
    if report.shares:
        figures["who got the weight"] = in_words(report.shares)
    bound = flip_rate_bound(report.out_of_fold_accuracy)
    if bound is not None:
        figures["labels flipped at random"] = f"at most {bound:.0%}"
    return figures


def _notes(report: FitReport, objective: Objective) -> tuple[str, ...]:
    """The fit's warnings, and one where more flips are said than there can be."""
    bound, said = flip_rate_bound(report.out_of_fold_accuracy), objective.known_flip_rate
    if bound is None or said <= bound:
        return report.warnings
    return (
        *report.warnings,
        f"labels.flip_rate is {said:g}, and these data leave room for {bound:.2g} at most: "
        f"heads that did not see them order {report.out_of_fold_accuracy} of the pairs as "
        "labelled. With too high a rate, the objective mistakes preferences for noise.",
    )


def _figures(report: FitReport, model: EmbeddingRewardModel) -> dict[str, Any]:
    risk = report.risk
    return {
        "out_of_fold_accuracy": report.out_of_fold_accuracy.to_dict(),
        "flip_rate_bound": flip_rate_bound(report.out_of_fold_accuracy),
        "objective": float(risk.value[0]),
        "input_gradient": report.input_gradient,
        "gap": report.gap if math.isfinite(report.gap) else None,
        "optimum": report.optimum,
        "l2": report.l2,
        "l2_curve": {f"{l2:.6g}": value for l2, value in report.l2_curve.items()},
        "temperature": model.temperature_,
        "truncated_share": report.truncated,
        "identical_pairs": report.identical,
        "effective_units": float(risk.effective_units[0]),
        "worst_case_weights": [one.to_dict() for one in report.shares],
        "coefficient": asdict(report.coefficient) if report.coefficient else None,
        "source_conflict": report.conflict.to_dict() if report.conflict else None,
    }
