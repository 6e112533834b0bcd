"""Models on sets of test pairs, alone and beside a baseline: everything that is said of pairs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.arrays import Floats
from surefoot.data.reading.account import Reading
from surefoot.data.schema import Preferences
from surefoot.errors import SurefootError
from surefoot.evaluation.pairs.compare import (
    ComparisonResult,
    compare,
    evaluate_over_seeds,
    holm_over_suites,
)
from surefoot.evaluation.pairs.metrics import EvaluationResult, evaluate_rewards
from surefoot.evaluation.pairs.overlap import Overlap, prompt_overlap
from surefoot.scorers import TrainedScorer
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.statistics import Estimate
from surefoot.statistics.estimate import SCHEMA_VERSION, fields_ready, json_ready

Breakdowns = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class SetFindings:
    """What was found on one set of test pairs."""

    result: EvaluationResult  #: figures of the model; of several seeds, of the first
    comparison: ComparisonResult | None = None  #: with the baseline, where there is one
    #: figures of the method, where there are several seeds
    over_seeds: Mapping[str, Estimate] | None = None
    #: test prompts that were seen in training; None where that is not known
    overlap: Overlap | None = None
    readings: tuple[Reading, ...] = ()  #: what became of the columns of the data
    notes: tuple[str, ...] = ()  #: what the models could not read of the texts

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        figures = self.result.to_dict()
        return {
            **figures,
            **fields_ready(self, "result", "overlap", "notes"),
            "notes": [*self.notes, *figures["notes"]],
            "prompt_overlap": json_ready(self.overlap),
        }


@dataclass(frozen=True)
class Evaluation:
    """A model, or a method of several seeds, on sets of test pairs."""

    model: str  #: what it is called
    baseline: str | None  #: what the baseline is called; None without one
    seeds: int  #: how many models stand for it
    sets: Mapping[str, SetFindings]  #: what was found, by the name of the set

    @property
    def comparisons(self) -> dict[str, ComparisonResult]:
        """Comparisons with the baseline, by the name of the set."""
        return {name: one.comparison for name, one in self.sets.items() if one.comparison}

    @property
    def adjusted(self) -> dict[str, float]:
        """P-values of the differences of accuracy, Holm-adjusted over the sets that have one."""
        return holm_over_suites(self.comparisons)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "schema_version": SCHEMA_VERSION,
            "model": self.model,
            "baseline": self.baseline,
            "results": json_ready(self.sets),
        }


def evaluate(
    models: Sequence[TrainedScorer],
    data: Mapping[str, Preferences],
    baseline: Sequence[TrainedScorer] = (),
    *,
    names: tuple[str, str] = ("the model", "the baseline"),
    breakdowns: Mapping[str, Breakdowns] | None = None,
    seen: Collection[int] = (),
    tie_tolerance: float = 0.0,
    say: Callable[[str], object] = lambda line: None,
) -> Evaluation:
    """Measure a model on each set of pairs, and compare it with a baseline pair by pair.

    Args:
        models: one; or the seeds of a method.
        data: sets of test pairs by name.
        baseline: the same for what it is compared with, with the same seeds in the same order.
        names: what to call both.
        breakdowns: further groupings of the rows, by the name of the set and by title.
        seen: keys of the prompts that either was trained on
            (:func:`~surefoot.evaluation.training_prompt_keys`).
        tie_tolerance: a model ties where its rewards differ by no more than this.
        say: called with the set that is next.

    Raises:
        DataError: a set without pairs, rewards that are not finite, or other seeds on both sides.
    """
    sets = {}
    for name, preferences in data.items():
        say(f"evaluating on {preferences.name}: {len(preferences)} pairs")
        scores, chances = _scored(models, preferences)
        comparison = over_seeds = None
        if baseline:
            theirs, their_chances = _scored(baseline, preferences)
            comparison = compare(
                scores,
                theirs,
                preferences,
                probabilities=chances,
                baseline_probabilities=their_chances,
                tie_tolerance=tie_tolerance,
            )
        if len(models) > 1:
            over_seeds = evaluate_over_seeds(
                scores, preferences, probabilities=chances, tie_tolerance=tie_tolerance
            )
        result = evaluate_rewards(
            scores[0],
            preferences,
            probabilities=chances[0],
            tie_tolerance=tie_tolerance,
            breakdowns=(breakdowns or {}).get(name),
        )
        overlap = prompt_overlap(seen, preferences) if seen else None
        notes = notes_of([*models, *baseline])
        if preferences.has("weight"):
            notes += ("the column `weight` is not used: every pair counts once",)
        read = preferences.readings
        sets[name] = SetFindings(result, comparison, over_seeds, overlap, read, notes)
    return Evaluation(names[0], names[1] if baseline else None, len(models), sets)


def notes_of(models: Sequence[TrainedScorer]) -> tuple[str, ...]:
    """What language models could not read of the data that they scored last."""
    return tuple(dict.fromkeys(note for one in models for note in one.notes()))


def by_cluster(run: str, preferences: Preferences, say: Callable[[str], object]) -> Breakdowns:
    """Rows by the clusters that the risk of a run was over; nothing where it was over none.

    Where the clusters cannot be found, the reason is said.
    """
    if not PromptClusters.has(run):
        return {}
    try:
        return {"cluster of prompts": [*PromptClusters.load(run).names_of(preferences)]}
    except SurefootError as error:  # of the encoder, which only this needs
        say(f"note: accuracy by the clusters of {run} is left out: {error}")
        return {}


def _scored(
    models: Sequence[TrainedScorer], preferences: Preferences
) -> tuple[list[Floats], list[Floats]]:
    """Scores (N, 2) and P(a preferred) (N,) by each model."""
    scores = [model.scores(preferences) for model in models]
    chances = [m.to_probabilities(s[:, 0] - s[:, 1]) for m, s in zip(models, scores, strict=True)]
    return scores, chances
