"""The comparisons of a run: read, checked, split, and with clusters where the risk is over such."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from surefoot.data import Preferences, read_preferences
from surefoot.data.age import aged
from surefoot.data.checks import DamageReport, check, with_leaks, without
from surefoot.data.reading.account import lines_of
from surefoot.data.splits import split
from surefoot.data.units import pairs_per_unit, unit_ids
from surefoot.errors import DataError
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingScorer
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.scorers.embeddings.options import EncoderOptions
from surefoot.training.config import DataOptions, RunConfig

#: Share of damaged rows from which they are most of what there is; held-out pairs that say little.
_MANY, _FEW = 0.25, 10


@dataclass(frozen=True)
class TrainingData:
    """Comparisons that are ready to train on, and what was found in all that was read."""

    train: Preferences
    held_out: Preferences | None  #: None where none was asked for
    damage: DamageReport
    removed: int  #: damaged rows that were taken out
    clusters: PromptClusters | None = None  #: of the prompts, which stand in the column `cluster`

    def to_dict(self) -> dict[str, Any]:
        """Counts, and how they were read, JSON-ready."""
        faults = self.train.faults
        return {
            "fingerprint": self.train.fingerprint,
            "rows": len(self.train),
            "held_out_rows": 0 if self.held_out is None else len(self.held_out),
            "removed_rows": self.removed,
            "unreadable_rows": sum(not fault.unlabelled for fault in faults),
            "unlabelled_rows": sum(fault.unlabelled for fault in faults),
            "readings": [reading.to_dict() for reading in self.train.readings],
        }


def prepare(options: DataOptions) -> TrainingData:
    """Read and check the data of a run, remove what is damaged, split.

    Raises:
        DataError: unreadable data, or damage where `data.damaged` is `fail`.
    """
    everything = read_preferences(options.train, **options.reading())
    damage = check(everything)
    errors = [finding for finding in damage.findings if finding.severity == "error"]
    if errors and options.damaged == "fail":
        raise DataError(
            f"{everything.name} is damaged and data.damaged is 'fail':\n"
            + "\n".join(f"  {f.kind}: {f.count} row(s). {f.remedy}" for f in errors)
        )
    sound = without(everything, errors) if options.damaged == "remove" else everything
    removed = len(everything) - len(sound)
    if not len(sound):
        raise DataError(f"{everything.name}: every row is damaged; nothing is left to train on.")
    if not options.held_out:
        return TrainingData(_by_age(sound, options), None, damage, removed)
    train, held_out = split(sound, options.held_out, options.split_by, options.split_seed)
    held_out = replace(held_out, name=f"{held_out.name}, held out")
    damage = with_leaks(damage, held_out, train)
    return TrainingData(_by_age(train, options), held_out, damage, removed)


def _by_age(train: Preferences, options: DataOptions) -> Preferences:
    return train if options.half_life is None else aged(train, options.half_life)


def clustered(
    data: TrainingData,
    config: RunConfig,
    folder: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> TrainingData:
    """The data with the clusters of prompts that the risk is over, where it is over such.

    They are found among the training prompts (seeded by `data.split_seed`, so that every training
    seed has the same) and kept for all others; a run that is resumed has those of its `folder`, and
    a column `cluster` in the data is taken as it is.

    Raises:
        DataError: fewer distinct prompts than clusters.
    """
    objective, scorer = config.objective, config.scorer
    if not isinstance(objective, Objective):
        return data
    options = scorer.encoder if isinstance(scorer, EmbeddingScorer) else EncoderOptions()
    seed = config.data.split_seed
    clusters = PromptClusters.for_risk(objective.risk, data.train, options, seed, folder, say)
    if clusters is None:
        return data
    held_out = None if data.held_out is None else clusters.beside(data.held_out)
    return replace(data, train=clusters.beside(data.train), held_out=held_out, clusters=clusters)


def tell_data(data: TrainingData, options: DataOptions, say: Callable[[str], None]) -> None:
    """Say what was read, what is damaged, and what is held out."""
    for line in lines_of(data.train.readings, data.train.faults):
        say(line)
    say(f"data: {len(data.train)} pairs from {data.train.name}")
    for finding in data.damage.findings:
        if finding.severity != "note":
            share = finding.share
            most = f" That is {share:.0%} of the data: look at it first." if share > _MANY else ""
            say(f"warning: {finding.kind}: {finding.count} row(s). {finding.meaning}{most}")
    if data.removed:
        say(f"removed {data.removed} damaged row(s); `surefoot audit` shows them")
    if data.held_out is not None:
        say(f"held out {len(data.held_out)} pairs")
        if len(data.held_out) < _FEW:
            say(
                "warning: so few held-out pairs tell nothing: raise data.held_out. Pairs of one "
                f"prompt (data.split_by: {options.split_by}) are on one side together."
            )


def tell_units(data: TrainingData, config: RunConfig, say: Callable[[str], None]) -> None:
    """Say how many pairs a unit of the risk has: with one each, it is a risk over pairs."""
    objective = config.objective
    if isinstance(objective, Objective) and objective.risk.unit != "pair":
        ids, _ = unit_ids(data.train, objective.risk.unit)
        say(f"risk over {objective.risk.unit}s: {pairs_per_unit(ids)}")
