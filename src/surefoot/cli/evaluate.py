"""`surefoot evaluate`: is this reward model any good, and better than that one?"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from surefoot.cli.arguments import (
    Baseline,
    LoadingFlags,
    Model,
    ReadingFlags,
    ReportFlags,
    Source,
    SuitesFolder,
    TestData,
    TieTolerance,
)
from surefoot.cli.console import conclude, figure, out, say, table
from surefoot.cli.inputs import load_both, read, run_folders
from surefoot.cli.results import publish, reporting
from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.data import Preferences
    from surefoot.evaluation.run import Evaluation, SetFindings
    from surefoot.scorers import TrainedScorer

#: Options that `evaluate` had, and the command that has them.
_MOVED = {
    **dict.fromkeys(("--value", "--auxiliary", "--clip", "--self-normalise"), "value"),
    **dict.fromkeys(("--best-of-n", "--gold"), "best-of-n"),
    **dict.fromkeys(("--against", "--judge", "--yes"), "winrate"),
    "--samples": "value, best-of-n or winrate",
}


class PairsOnly(TyperCommand):
    """A command that names the one to type where an option has moved there."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, once no option is of another command."""
        given = [one.partition("=")[0] for one in args]
        for option, command in _MOVED.items():
            if option in given:
                rest = [one for one in args if one not in ("--value", "--best-of-n")]
                line = shlex.join(["surefoot", command, *rest])
                how = f"see surefoot {command.split(',')[0]} --help" if "," in command else line
                raise ConfigurationError(
                    f"{option} is not of `surefoot evaluate`, but of `surefoot {command}`: {how}"
                )
        return super().parse_args(ctx, args)


def evaluate(
    model: Model,
    data: TestData,
    report: ReportFlags,
    *,
    baseline: Baseline = None,
    suites: SuitesFolder = None,
    tie_tolerance: TieTolerance = 0.0,
    source: Source = None,
    reading: ReadingFlags,
    loading: LoadingFlags,
) -> None:
    """Is this reward model any good, and better than that one?

    Every figure comes with an interval and what it covers, beside rulers that do not read the text.
    A policy is evaluated as the reward model that it implies: beta log(pi / pi_ref). What it is
    worth by what it writes: `surefoot value` and `surefoot winrate`. What choosing by a reward
    model finds: `surefoot best-of-n`.

    For example:

        surefoot evaluate runs/robust hhh_alignment llmbar --output report
        surefoot evaluate runs/robust test.jsonl --baseline runs/plain --output report
        surefoot evaluate dpo-model test.jsonl --reference sft-model --output report
    """
    with reporting(report, *data, suites, model, baseline, loading.reference) as folder:
        from surefoot.evaluation import run
        from surefoot.report import evaluation_page
        from surefoot.training.folder import saved_prompts

        models, baselines = load_both(model, baseline, loading)
        runs = run_folders(model) + (run_folders(baseline) if baseline else [])
        pairs, breakdowns = {}, {}
        for name in data:
            pairs[name], own = read_pairs(name, suites, reading, source, [*models, *baselines])
            breakdowns[name] = {**own, **run.by_cluster(str(runs[0]), pairs[name], say)}
        result = run.evaluate(
            models,
            pairs,
            baselines,
            names=(model, baseline or ""),
            breakdowns=breakdowns,
            seen=set().union(*map(saved_prompts, runs)),
            tie_tolerance=tie_tolerance,
            say=say,
        )
        publish(folder, result.to_dict(), partial(evaluation_page, result), partial(_show, result))


def read_pairs(
    name: str,
    suites_folder: Path | None,
    reading: ReadingFlags,
    source: str | None,
    models: Sequence[TrainedScorer],
) -> tuple[Preferences, Mapping[str, Sequence[str | None]]]:
    """A suite by its name, or data from a file or the hub: the rows that all models can read.

    Returns:
        With further groupings of the rows, by title.
    """
    from surefoot.evaluation.suites import find_suite, load_suite, suites
    from surefoot.scorers.trained import readable

    looks_like_data = any(mark in name for mark in ("/", ".", ":")) or Path(name).exists()
    if name in suites() or not looks_like_data:
        preferences = readable(models, load_suite(name, suites_folder), say)
        return preferences, find_suite(name).breakdowns(preferences)
    return readable(models, read([name], reading, source), say), {}


def _show(evaluation: Evaluation) -> None:
    from surefoot.report.evaluation import headline

    rows = [
        [
            name,
            str(one.result.n),
            figure(one.result.accuracy),
            figure(one.result.rulers[one.result.best_ruler], one.result.best_ruler),
            figure(one.result.log_loss),
            figure(one.result.worst.value, one.result.worst.group) if one.result.worst else "",
        ]
        for name, one in evaluation.sets.items()
    ]
    first = f"; first of {evaluation.seeds} seeds" if evaluation.seeds > 1 else ""
    columns = ["data", "pairs", "accuracy", "best ruler", "log-loss", "worst group"]
    table(f"Accuracy (intervals cover test items){first}", columns, rows)
    over = {name: one.over_seeds for name, one in evaluation.sets.items() if one.over_seeds}
    if over:
        table(
            f"Over {evaluation.seeds} seeds (intervals cover seeds and test items)",
            ["data", "accuracy", "log-loss"],
            [[name, str(e["accuracy"]), str(e["log_loss"])] for name, e in over.items()],
        )
    if evaluation.comparisons:
        _show_comparisons(evaluation)
    for name, one in evaluation.sets.items():
        _show_cautions(name, one)
    _, sentence, _ = headline(evaluation)
    model, data = evaluation.model, evaluation.sets
    if evaluation.baseline:
        files = [name for name in data if Path(name).exists()]
        conclude(
            sentence, "score", model, *(files[:1] or ["DATA.jsonl"]), "--output", "rewards.jsonl"
        )
    else:
        conclude(
            sentence, "evaluate", model, *data, "--baseline", "ANOTHER", "--output", "compared"
        )


def _show_comparisons(evaluation: Evaluation) -> None:
    from surefoot.statistics.estimate import written

    adjusted = evaluation.adjusted
    rows = []
    for name, comparison in evaluation.comparisons.items():
        reach = comparison.accuracy.minimum_detectable
        about = "about " if comparison.accuracy.approximate else ""
        rows.append(
            [
                name,
                figure(comparison.first),
                figure(comparison.baseline),
                figure(comparison.accuracy.difference),
                "" if comparison.accuracy.p_value is None else f"{comparison.accuracy.p_value:.3g}",
                f"{adjusted[name]:.3g}" if name in adjusted else "",
                "" if reach is None else about + written(reach),
            ]
        )
    covers = next(iter(evaluation.comparisons.values())).accuracy.difference.covers
    table(
        f"Against the baseline, pair by pair (covers {covers})",
        ["data", "model", "baseline", "difference", "p", "p (Holm)", "detectable"],
        rows,
    )
    if evaluation.seeds == 1:
        out.print(
            "One seed each: this compares two models, not two methods (surefoot train --seeds)."
        )


def _show_cautions(name: str, findings: SetFindings) -> None:
    result, overlap = findings.result, findings.overlap
    beyond, loss = result.beyond_ruler.difference, result.log_loss
    if beyond.side(0.0) < 0:
        say(
            f"warning: {name}: the ruler {result.best_ruler!r}, which does not read the text, "
            f"beats the model (difference {beyond})."
        )
    if loss.estimate is not None and loss.estimate > math.log(2):
        say(
            f"warning: {name}: its log-loss {loss} is above the .693 of a coin: fit a temperature "
            "on pairs like these before using its probabilities."
        )
    if overlap and overlap.rows:
        say(
            f"warning: {name}: {overlap.rows} of {overlap.n} pairs ({overlap.share:.1%}) have a "
            "prompt that occurs in training, as a whole or as the first turn of a dialogue."
        )
    if result.lengths is not None:
        out.print(f"{name}: {result.lengths.sentence}", soft_wrap=True)
    if result.accuracy.low is None:
        say(f"note: {name}: no interval: {result.accuracy.note}")
    for note in (*findings.notes, *result.notes):
        say(f"note: {name}: {note}")
