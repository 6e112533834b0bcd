"""`surefoot evaluate`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.cli.best_of_n import run_best_of_n
from surefoot.cli.console import (
    Content,
    figure,
    invocation,
    out,
    quiet_libraries,
    refuse_lost,
    say,
    table,
    write,
)
from surefoot.cli.inputs import (
    ReadingFlags,
    load_models,
    origins_of_run,
    precision_of,
    read,
    reference_of,
    run_folders,
    same_seeds,
    tell_cuts,
)
from surefoot.cli.request import Request
from surefoot.cli.value import Valuer, run_win_rate, show_values, value_json
from surefoot.errors import ConfigurationError, SurefootError

if TYPE_CHECKING:
    from surefoot.data import Preferences
    from surefoot.data.reading import Reading
    from surefoot.evaluation import ComparisonResult, EvaluationResult, Overlap
    from surefoot.evaluation.policy_value import PolicyValue
    from surefoot.runs import RunFolder
    from surefoot.scorers import TrainedScorer
    from surefoot.statistics import Estimate


@dataclass(frozen=True)
class _Found:
    result: EvaluationResult
    overlap: Overlap | None
    comparison: ComparisonResult | None
    over_seeds: dict[str, Estimate] | None
    value: PolicyValue | None = None
    readings: tuple[Reading, ...] = ()


def run(
    model: str | None,
    data: list[str],
    output: Path,
    baseline: str | None,
    suites: Path | None,
    tie_tolerance: float,
    source: str | None,
    reading: ReadingFlags,
    reference: str | None,
    overwrite: bool,
    request: Request,
) -> None:
    """Evaluate on each data set or suite, compare with the baseline, print and write."""
    from surefoot.runs import claim

    given = [*data, *request.samples, *request.against, suites]
    given += [model, baseline, reference, request.auxiliary, request.judge, request.gold]
    reads = [place for one in given if one is not None for place in (one, *origins_of_run(one))]
    with claim(output, "evaluate", overwrite=overwrite, reads=reads) as folder:
        _run(
            model,
            data,
            folder,
            baseline,
            suites,
            tie_tolerance,
            source,
            reading,
            reference,
            request,
        )


def _run(
    model: str | None,
    data: list[str],
    folder: RunFolder,
    baseline: str | None,
    suites: Path | None,
    tie_tolerance: float,
    source: str | None,
    reading: ReadingFlags,
    reference: str | None,
    request: Request,
) -> None:
    if request.judge and not (model or baseline):
        pointless = {"suites": suites, "reference": reference, "precision": request.precision}
        _refuse("a win rate", **pointless, **reading.given())
        run_win_rate(request, folder, tie_tolerance, source)
        return
    if request.best_of_n and model and not data:
        _refuse("--best-of-n", suites=suites, tie_tolerance=tie_tolerance, **reading.given())
        run_best_of_n(request, model, baseline, reference, source, folder)
        return
    if request.judge or request.best_of_n or model is None or not data:
        raise ConfigurationError(
            "evaluate takes a model and data (surefoot evaluate RUN DATA --output DIR); for a win "
            "rate of one policy against another, --samples, --against and --judge alone; for "
            "best-of-n, a model, --best-of-n and --samples."
        )
    quiet_libraries()
    from surefoot.training.folder import saved_prompts

    given = (reference, request.precision)
    models = _models(model, baseline, *given)
    baselines = _models(baseline, model, *given) if baseline else []
    runs = run_folders(model)
    if baseline:
        same_seeds(runs, run_folders(baseline))
        runs = [*runs, *run_folders(baseline)]
    valuer = Valuer(request, models) if request.value else None
    seen = set().union(*(saved_prompts(one) for one in runs))
    found = {}
    for name in data:
        preferences, breakdowns = _load(name, suites, reading, source, [*models, *baselines])
        breakdowns |= _by_cluster(runs[0], preferences)
        one = _evaluate(models, baselines, preferences, breakdowns, tie_tolerance, seen)
        found[name] = replace(one, value=valuer(preferences)) if valuer else one
    lost = _write(folder, model, baseline, found)
    _show(found, len(models))
    refuse_lost(lost)


def _models(
    place: str, beside: str | None, reference: str | None, precision: str | None
) -> list[TrainedScorer]:
    """Those at a place, compared with those beside it."""
    return load_models(
        place, reference_of(place, reference, beside), precision_of(place, precision, beside)
    )


def _refuse(question: str, **options: object) -> None:
    """Options that say something of data, where there are only samples."""
    for name, given in options.items():
        if given:
            raise ConfigurationError(
                f"--{name.replace('_', '-')} has no effect on {question}: it reads --samples alone."
            )


def _load(
    name: str,
    suites_folder: Path | None,
    reading: ReadingFlags,
    source: str | None,
    models: Sequence[TrainedScorer],
) -> tuple[Preferences, dict[str, list[str | None]]]:
    """A suite by its name, or data from a file or the hub: the rows that all models can read."""
    from surefoot.evaluation.suites import find_suite, load_suite, suites
    from surefoot.scorers.readable import readable

    looks_like_data = any(mark in name for mark in ("/", ".", ":")) or Path(name).exists()
    if name in suites() or not looks_like_data:
        preferences = readable(models, load_suite(name, suites_folder), say)
        return preferences, find_suite(name).breakdowns(preferences)
    return readable(models, read([name], reading, source), say), {}


def _by_cluster(run: str | Path, preferences: Preferences) -> dict[str, list[str | None]]:
    """Rows by the clusters that the risk of a run was over; nothing where it was over none."""
    from surefoot.scorers.clusters import PromptClusters

    if not PromptClusters.has(run):
        return {}
    try:
        return {"cluster of prompts": [*PromptClusters.load(run).names_of(preferences)]}
    except SurefootError as error:  # of the encoder, which only this needs
        say(f"note: accuracy by the clusters of {run} is left out: {error}")
        return {}


def _evaluate(
    models: Sequence[TrainedScorer],
    baselines: Sequence[TrainedScorer],
    preferences: Preferences,
    breakdowns: dict[str, list[str | None]],
    tie_tolerance: float,
    seen: set[int],
) -> _Found:
    from surefoot.evaluation import (
        compare,
        evaluate_over_seeds,
        evaluate_rewards,
        prompt_overlap,
    )

    say(f"evaluating on {preferences.name}: {len(preferences)} pairs")
    rewards, probabilities = _scores(models, preferences)
    result = evaluate_rewards(
        rewards[0],
        preferences,
        probabilities=probabilities[0],
        tie_tolerance=tie_tolerance,
        breakdowns=breakdowns,
    )
    comparison = None
    if baselines:
        theirs, their_probabilities = _scores(baselines, preferences)
        comparison = compare(
            rewards,
            theirs,
            preferences,
            probabilities=probabilities,
            baseline_probabilities=their_probabilities,
            tie_tolerance=tie_tolerance,
        )
    tell_cuts([*models, *baselines], preferences)
    overlap = prompt_overlap(seen, preferences) if seen else None
    over_seeds = None
    if len(models) > 1:
        over_seeds = evaluate_over_seeds(
            rewards, preferences, probabilities=probabilities, tie_tolerance=tie_tolerance
        )
    return _Found(result, overlap, comparison, over_seeds, readings=preferences.readings)


def _scores(
    models: Sequence[TrainedScorer], preferences: Preferences
) -> tuple[list[Any], list[Any]]:
    scores = [model.scores(preferences) for model in models]
    probabilities = [
        model.to_probabilities(s[:, 0] - s[:, 1]) for model, s in zip(models, scores, strict=True)
    ]
    return scores, probabilities


def _show(found: dict[str, _Found], seeds: int) -> None:
    rows = [
        [
            name,
            str(one.result.n),
            figure(one.result.accuracy),
            figure(one.result.rulers[one.result.best_ruler], one.result.best_ruler),
            figure(one.result.log_loss),
            figure(one.result.worst.value, one.result.worst.group) if one.result.worst else "",
        ]
        for name, one in found.items()
    ]
    title = "Accuracy (intervals cover test items)" + (
        f"; first of {seeds} seeds" if seeds > 1 else ""
    )
    table(title, ["data", "pairs", "accuracy", "best ruler", "log-loss", "worst group"], rows)
    over = {name: one.over_seeds for name, one in found.items() if one.over_seeds}
    if over:
        rows = [
            [name, *(str(e) for e in list(figures.values())[:2])] for name, figures in over.items()
        ]
        table(
            f"Over {seeds} seeds (intervals cover seeds and test items)",
            ["data", "accuracy", "log-loss"],
            rows,
        )
    compared = {name: one.comparison for name, one in found.items() if one.comparison}
    if compared:
        _show_comparison(compared, seeds)
    values = {name: one.value for name, one in found.items() if one.value}
    if values:
        show_values(values)
    for name, one in found.items():
        beyond = one.result.beyond_ruler.difference
        if beyond.high is not None and beyond.high < 0:
            say(
                f"warning: {name}: the ruler {one.result.best_ruler!r}, which does not read the "
                f"text, beats the model (difference {beyond})."
            )
        loss = one.result.log_loss
        if loss.estimate is not None and loss.estimate > math.log(2):
            say(
                f"warning: {name}: its log-loss {loss} is above the .693 of a coin: fit a "
                "temperature on pairs like these before using its probabilities."
            )
        if one.overlap and one.overlap.rows:
            say(
                f"warning: {name}: {one.overlap.rows} of {one.overlap.n} pairs "
                f"({one.overlap.share:.1%}) have a prompt that occurs in training, as a whole or "
                "as the first turn of a dialogue."
            )
        if one.result.accuracy.low is None:
            say(f"note: {name}: no interval: {one.result.accuracy.note}")
        for note in one.result.notes:
            say(f"note: {name}: {note}")


def _show_comparison(compared: dict[str, ComparisonResult], seeds: int) -> None:
    from surefoot.evaluation import holm_over_suites
    from surefoot.statistics.estimate import written

    adjusted = holm_over_suites(compared)
    rows = []
    for name, one in compared.items():
        reach = one.accuracy.minimum_detectable
        rows.append(
            [
                name,
                figure(one.first),
                figure(one.baseline),
                figure(one.accuracy.difference),
                "" if one.accuracy.p_value is None else f"{one.accuracy.p_value:.3g}",
                f"{adjusted[name]:.3g}" if name in adjusted else "",
                "" if reach is None else written(reach),
            ]
        )
    covers = next(iter(compared.values())).accuracy.difference.covers
    table(
        f"Against the baseline, pair by pair (covers {covers})",
        ["data", "model", "baseline", "difference", "p", "p (Holm)", "detectable"],
        rows,
    )
    if seeds == 1:
        out.print(
            "One seed each: this compares two models, not two methods (surefoot train --seeds)."
        )


def _write(
    folder: RunFolder, model: str, baseline: str | None, found: dict[str, _Found]
) -> list[str]:
    from surefoot.report import evaluation_page

    content = {
        "schema_version": 1,
        "model": model,
        "baseline": baseline,
        "results": {
            name: one.result.to_dict()
            | {
                "prompt_overlap": one.overlap.to_dict() if one.overlap else None,
                "comparison": one.comparison.to_dict() if one.comparison else None,
                "over_seeds": {k: e.to_dict() for k, e in one.over_seeds.items()}
                if one.over_seeds
                else None,
                "value": value_json(one.value) if one.value else None,
                "readings": [reading.to_dict() for reading in one.readings],
            }
            for name, one in found.items()
        },
    }
    page = partial(
        evaluation_page,
        {name: one.result for name, one in found.items()},
        {name: one.comparison for name, one in found.items() if one.comparison},
        {name: one.overlap for name, one in found.items() if one.overlap},
        {name: one.value for name, one in found.items() if one.value},
        model=model,
        baseline=baseline or "the baseline",
        command=invocation(),
    )
    results: dict[str, Content] = {"evaluation.json": content, "report.html": page}
    return write(folder, results)
