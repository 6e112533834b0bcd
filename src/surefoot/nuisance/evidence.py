"""`surefoot sample`: evidence that labels may need, added to comparisons and written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.reading.account import lines_of
from surefoot.data.references import References, references_of
from surefoot.data.schema import Preferences
from surefoot.data.writing import write_preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.judge.model import Answers, Conditions
from surefoot.nuisance.check import ReferenceCheck, check_references
from surefoot.nuisance.config import SampleConfig
from surefoot.nuisance.fitted_language import FIRST, clear_folds
from surefoot.nuisance.reference import Collected, Pairs
from surefoot.nuisance.sampling import REFERENCES
from surefoot.runs import Mark, claim
from surefoot.training.data import TrainingData, prepare
from surefoot.training.folder import reads_of
from surefoot.training.manifest import manifest

PAIRS, RESULT, HELD_OUT = "pairs.jsonl.gz", "sampling.json", "held-out.jsonl"


@dataclass(frozen=True)
class Sampled:
    """What `surefoot sample` has to say."""

    pairs: Preferences  #: the comparisons, with references and auxiliary probabilities
    collected: Collected | None  #: the references
    check: ReferenceCheck | None  #: whether the data's responses look like them
    judged: Answers | None  #: by the auxiliary model

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready figures."""
        return {
            "reference": self.collected.figures if self.collected else None,
            "reference_check": self.check.to_dict() if self.check else None,
            "auxiliary": self.judged.figures if self.judged else None,
        }


def sample(
    config: SampleConfig, conditions: Conditions, *, overwrite: bool = False, resume: bool = False
) -> Sampled:
    """Run a configuration and write its folder.

    Args:
        config: what to do.
        conditions: callbacks; the seed is the configuration's.
        overwrite: write into a folder that is not empty.
        resume: go on with the references and the auxiliary runs that the folder holds, if any.

    Raises:
        ConfigurationError: nothing to do, or options that do not go together.
        DataError: data that cannot be used.
    """
    if config.reference is None and config.auxiliary is None:
        raise ConfigurationError("there is nothing to do: name a `reference` or an `auxiliary`.")
    if resume and overwrite:
        raise ConfigurationError(
            "--resume goes on with what the folder holds, and --overwrite begins anew: give one."
        )
    begun = resume and _is_begun(Path(config.output))
    reads = reads_of(config)
    with claim(config.output, "sample", overwrite=overwrite, resume=begun, reads=reads) as folder:
        data = prepare(config.data)
        for line in lines_of(data.train.readings, data.train.faults):
            conditions.say(line)
        if not begun:
            folder.begin(_clear_drawn)
        conditions = replace(conditions, seed=config.seed, folder=folder.path, resume=begun)
        sampled = _sampled(config, data, conditions, partial(folder.begin, _clear_results))
        if data.held_out is not None:
            write_preferences(data.held_out, folder.path / HELD_OUT)
        folder.write("config.yaml", config.to_yaml())
        described = {
            "train": list(config.data.train),
            "fingerprint": data.train.fingerprint,
            "rows": len(sampled.pairs),
            "removed_rows": data.removed,
            "readings": [reading.to_dict() for reading in data.train.readings],
        }
        folder.write(RESULT, manifest(described, sampled.to_dict(), config.seed))
        write_preferences(sampled.pairs, folder.path / PAIRS)
        folder.finish([PAIRS, RESULT, REFERENCES, "config.yaml"])
    return sampled


def _is_begun(folder: Path) -> bool:
    """Whether a sampling was begun here, by this version or an older one."""
    with suppress(ConfigurationError):
        mark = Mark.of(folder)
        if mark is not None:
            return mark.command == "sample"
    return any((folder / name).is_file() for name in (REFERENCES, FIRST))


def _clear_drawn(folder: Path) -> None:
    """Take away what a run would go on with."""
    (folder / REFERENCES).unlink(missing_ok=True)
    clear_folds(folder)


def _clear_results(folder: Path) -> None:
    """Take away what every run replaces."""
    for name in (PAIRS, RESULT, HELD_OUT):
        (folder / name).unlink(missing_ok=True)


def _sampled(
    config: SampleConfig, data: TrainingData, conditions: Conditions, begin: Callable[[], None]
) -> Sampled:
    """Draw references, have the pairs judged; `begin` is called once these can be used."""
    folder = conditions.folder
    assert folder is not None
    pairs, collected, check, judged = data.train, None, None, None
    references: References | None = None
    if config.reference is not None:
        pairs = config.reference.usable(pairs, conditions.say)
        collected = config.reference.collect(pairs, config.seed, folder, conditions.say)
        pairs = _with_references(pairs, collected)
        references = _pairs_of_references(pairs, config.reference.pairing)
        if config.check and config.reference.checked:
            conditions.say("reference check: do the data's responses differ from these?")
            check = check_references(pairs)
    begin()
    if config.auxiliary is not None:
        judged = config.auxiliary.judge(pairs, references, conditions)
        pairs = with_auxiliary(pairs, references, judged, config.clip)
        judged, pairs = _answered(judged, pairs)
    return Sampled(pairs, collected, check, judged)


def _with_references(pairs: Preferences, collected: Collected) -> Preferences:
    columns: dict[str, Sequence[Any]] = {"references": collected.responses}
    if collected.law is not None:
        columns["reference_law"] = [collected.law] * len(pairs)
    return pairs.with_columns(**columns)


def _pairs_of_references(pairs: Preferences, pairing: Pairs) -> References:
    """Every pair of references that is to be judged; their labels say nothing yet."""
    counts = [len(responses) for (responses,) in pairs.read("references")]
    blank = [[0.5] * (k * (k - 1) // 2 if pairing == "all" else k // 2) for k in counts]
    return references_of(pairs.with_columns(reference_auxiliary=blank))


def with_auxiliary(
    pairs: Preferences, references: References | None, judged: Answers, clip: float
) -> Preferences:
    """The comparisons with what an auxiliary model says of them and of their references.

    Args:
        pairs: N comparisons.
        references: theirs; None where there are none.
        judged: what the model says of both.
        clip: probabilities are cut to [clip, 1 - clip].
    """
    columns: dict[str, Sequence[Any]] = {"auxiliary": _cut(judged.pairs, clip)}
    if references is not None and judged.references is not None:
        begins = np.searchsorted(references.sets, np.arange(len(references.independent) + 1))
        columns["reference_auxiliary"] = [
            _cut(judged.references(row)[begins[s] : begins[s + 1]], clip)
            for row, s in enumerate(references.of.tolist())
        ]
    return pairs.with_columns(**columns)


def _answered(judged: Answers, pairs: Preferences) -> tuple[Answers, Preferences]:
    """The rows that have every answer; labels that need them could use no others."""
    rows = [
        row
        for row, (own, theirs) in enumerate(pairs.read("auxiliary", "reference_auxiliary"))
        if own is not None and None not in (theirs or [])
    ]
    if len(rows) == len(pairs):
        return judged, pairs
    if not rows:
        raise DataError(f"{pairs.name}: no row has every answer of the auxiliary model.")
    note = f"{len(pairs) - len(rows)} of {len(pairs)} rows lack an answer and were left out."
    return replace(judged, notes=(*judged.notes, note)), pairs.select(np.array(rows))


def _cut(probabilities: Floats, clip: float) -> list[float | None]:
    """Within [clip, 1 - clip]; null where there is no answer."""
    kept = np.clip(probabilities, clip, 1 - clip)
    return [None if np.isnan(p) else float(p) for p in kept]
