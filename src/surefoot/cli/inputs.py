"""What several commands read: data, and models where runs are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from surefoot.cli.arguments import AS_SAVED, LoadingFlags, ReadingFlags
from surefoot.cli.console import say
from surefoot.errors import ConfigurationError
from surefoot.runs import seed_folders

if TYPE_CHECKING:
    from surefoot.data import Preferences
    from surefoot.scorers import TrainedScorer


def read(
    sources: Sequence[str],
    reading: ReadingFlags,
    source_name: str | None = None,
    unlabelled: bool = False,
) -> Preferences:
    """Preferences from files or hub data sets, with a progress bar; says what was made of them."""
    from surefoot.data import read_preferences

    with tqdm(desc="reading", unit="row", disable=None, leave=False) as bar:
        preferences = read_preferences(
            list(sources),
            **reading.options,
            no_prompt=reading.no_prompt,
            source_name=source_name,
            unlabelled=unlabelled,
            progress=bar.update,
        )
    show_reading(preferences)
    return preferences


def read_with_suites(
    sources: Sequence[str], suites_folder: Path | None, reading: ReadingFlags
) -> Preferences:
    """Preferences as :func:`read` gives them, and those of suites that are named among them."""
    from surefoot.data.schema import concatenate
    from surefoot.evaluation.suites import load_suite, suites

    known = suites()
    files = [one for one in sources if one not in known]
    parts = [read(files, reading)] if files else []
    for suite in (known[one] for one in sources if one in known):
        pairs = load_suite(suite.name, suites_folder)
        say(f"{suite.name}: {suite.description} ({suite.origin}). {suite.note}")
        if pairs.faults:  # as the suite would have it: no fault of the data
            first = pairs.faults[0].reason
            say(f"{len(pairs.faults)} records are in no pair, the first as {first}")
        parts.append(replace(pairs, faults=()))
    return parts[0] if len(parts) == 1 else concatenate(parts)


def show_reading(preferences: Preferences) -> None:
    """Say what became of every column, how labels are coded, and which rows were left out."""
    from surefoot.data.reading.account import lines_of

    for line in lines_of(preferences.readings, preferences.faults):
        say(line)


def load_models(place: str, loading: LoadingFlags = AS_SAVED) -> list[TrainedScorer]:
    """The model of a run folder, each `seed-*` in it, an ensemble, a function, or transformers'.

    Says in which precision a model of another origin is read.

    Raises:
        ConfigurationError: there is none, or it has no such precision.
    """
    from surefoot.scorers import load_scorer

    found = [load_scorer(one, loading.reference, loading.precision) for one in run_folders(place)]
    for model in found:
        for note in model.reading_notes():
            say(f"note: {note}")
    return found


def load_one(place: str, taker: str, loading: LoadingFlags = AS_SAVED) -> TrainedScorer:
    """The one model at a place.

    Raises:
        ConfigurationError: there are several seeds; `taker` says who takes one.
    """
    folders = run_folders(place)
    if len(folders) > 1:
        raise ConfigurationError(
            f"{taker} takes one model; {place} holds {len(folders)} seeds: name one, such as "
            f"{folders[0]}, or an ensemble."
        )
    return load_models(place, loading)[0]


def load_both(
    model: str, baseline: str | None, loading: LoadingFlags
) -> tuple[list[TrainedScorer], list[TrainedScorer]]:
    """A model and the baseline that it is compared with, seed by seed; none where none is named."""
    if baseline is None:
        return load_models(model, loading), []
    _require_same_seeds(run_folders(model), run_folders(baseline))
    ours, theirs = (
        load_models(
            place,
            LoadingFlags(
                reference_of(place, loading.reference, beside),
                _precision_of(place, loading.precision, beside),
            ),
        )
        for place, beside in ((model, baseline), (baseline, model))
    )
    return ours, theirs


def reference_of(place: str, reference: str | None, beside: str) -> str | None:
    """The reference for the model at a place that is compared with another.

    It is for the model that surefoot did not train; of two runs, for those that are policies.
    """
    own, other = _kinds(place), _kinds(beside)
    if not (own and other):
        return None if own else reference
    return reference if own == {"policy"} or other != {"policy"} else None


def _precision_of(place: str, precision: str | None, beside: str) -> str | None:
    """The precision for the model at a place: none for embeddings, unless both models are such."""
    embedding = [_kinds(one) == {"embedding"} for one in (place, beside)]
    return None if embedding == [True, False] else precision


def _kinds(place: str) -> set[str]:
    """Kinds of the scorers that surefoot trained there; none where another did."""
    from surefoot.scorers import storage
    from surefoot.scorers.ensemble_file import is_ensemble

    if is_ensemble(place):
        return {"ensemble"}
    runs = (one for one in run_folders(place) if (one / storage.DESCRIPTION).is_file())
    return {storage.read_description(one)["scorer"]["kind"] for one in runs}


def say_notes(models: Sequence[TrainedScorer], of: str = "") -> None:
    """Say what models could not read of what they scored last."""
    from surefoot.evaluation.run import notes_of

    for note in notes_of(models):
        say(f"note: {of}{note}")


def run_folders(place: str) -> list[Path]:
    """The folder itself, or the `seed-*` folders inside it, in order of their seed."""
    folder = Path(place)
    alone = (folder / "surefoot.json").exists()
    return ([] if alone else seed_folders(folder)) or [folder]


def _require_same_seeds(runs: Sequence[Path], baselines: Sequence[Path]) -> None:
    """Several seeds are compared seed by seed, so both sides need the same ones."""
    from surefoot.training.folder import saved_seed

    ours, theirs = ([saved_seed(one) for one in folders] for folders in (runs, baselines))
    if len(ours) != len(theirs) or (len(ours) > 1 and ours != theirs):
        place = runs[0].parent if len(runs) > 1 else runs[0]
        raise ConfigurationError(
            f"{place} holds {_seeds_in_words(ours)} and the baseline {_seeds_in_words(theirs)}: a "
            "paired comparison needs the same seeds."
        )


def _seeds_in_words(seeds: Sequence[int | None]) -> str:
    """The seeds that runs name; an ensemble or a model of another origin names none."""
    if seeds == [None]:
        return "one model without a seed"
    return f"the seeds {', '.join('unknown' if seed is None else str(seed) for seed in seeds)}"
