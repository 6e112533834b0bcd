"""What several commands read: data, column names, run folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from surefoot.cli.console import say
from surefoot.errors import ConfigurationError
from surefoot.runs import seed_folders

if TYPE_CHECKING:
    from surefoot.data import Preferences
    from surefoot.scorers import TrainedScorer

#: What a model on the Hub is called.
_HUB = re.compile(r"[\w-][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class ReadingFlags:
    """How the command line says that data are to be read (see `ReadingOptions`)."""

    columns: Sequence[str] | None = None
    codings: Sequence[str] | None = None
    max_unusable: float | None = None
    no_prompt: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of :func:`~surefoot.data.read_preferences`."""
        return {
            "columns": mapping(self.columns or (), "--column", "prompt=question", empty=True),
            "codings": mapping(self.codings or (), "--coding", "label=first-is-0"),
            "max_unusable": self.max_unusable,
        }


def read(
    sources: Sequence[str],
    reading: ReadingFlags = ReadingFlags(),
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


def show_reading(preferences: Preferences) -> None:
    """Say what became of every column, how labels are coded, and which rows were left out."""
    from surefoot.data.reading.account import lines_of

    for line in lines_of(preferences.readings, preferences.faults):
        say(line)


def mapping(
    texts: Sequence[str], option: str, example: str, empty: bool = False
) -> dict[str, str] | None:
    """`["prompt=question"]` as a mapping; None where it is empty.

    Args:
        texts: what was given with an option.
        option: its name, for the message.
        example: of it.
        empty: the right side may be empty.

    Raises:
        ConfigurationError: not of the form `ours=yours`.
    """
    pairs = [one.partition("=") for one in texts]
    for name, equals, theirs in pairs:
        if not (name and equals and (theirs or empty)):
            raise ConfigurationError(
                f"{option} is a name = a value, as in {example}; got {name + equals + theirs!r}."
            )
    return {name: theirs for name, _, theirs in pairs} or None


def load_models(
    place: str, reference: str | None = None, precision: str | None = None
) -> list[TrainedScorer]:
    """The model of a run folder, each `seed-*` inside it, an ensemble, or a transformers model.

    Says in which precision a model of another origin is read.

    Raises:
        ConfigurationError: there is none, or it has no such precision.
    """
    from surefoot.scorers import load_scorer

    found = [load_scorer(one, reference, precision) for one in run_folders(place)]
    for model in found:
        for note in model.reading_notes():
            say(f"note: {note}")
    return found


def precision_of(place: str, precision: str | None, beside: str | None) -> str | None:
    """The precision for the model at a place that is compared with another: not for embeddings."""
    if precision is None or beside is None or _kinds(beside) == {"embedding"}:
        return precision
    return None if _kinds(place) == {"embedding"} else precision


def _kinds(place: str) -> set[str]:
    """Kinds of the scorers that surefoot trained there; none where another did."""
    from surefoot.scorers import storage
    from surefoot.scorers.ensemble_file import is_ensemble

    if is_ensemble(place):
        return {"ensemble"}
    runs = (one for one in run_folders(place) if (one / storage.DESCRIPTION).is_file())
    return {storage.read_description(one)["scorer"]["kind"] for one in runs}


def load_one(
    place: str, taker: str, reference: str | None = None, precision: str | None = None
) -> TrainedScorer:
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
    return load_models(place, reference, precision)[0]


def say_notes(models: Sequence[TrainedScorer]) -> None:
    """Say what models could not read of what they scored last."""
    from surefoot.evaluation.run import notes_of

    for note in notes_of(models):
        say(f"note: {note}")


def load_both(
    model: str, baseline: str | None, reference: str | None, precision: str | None
) -> tuple[list[TrainedScorer], list[TrainedScorer]]:
    """A model and the baseline that it is compared with, seed by seed; none where none is named."""
    if baseline is not None:
        same_seeds(run_folders(model), run_folders(baseline))

    def at(place: str, beside: str | None) -> list[TrainedScorer]:
        return load_models(
            place, reference_of(place, reference, beside), precision_of(place, precision, beside)
        )

    return at(model, baseline), [] if baseline is None else at(baseline, model)


def reference_of(place: str, reference: str | None, beside: str | None) -> str | None:
    """The reference for the model at a place that is compared with another.

    It is for the model that surefoot did not train; of two runs, for those that are policies.
    """
    if reference is None or beside is None:
        return reference
    own, other = _kinds(place), _kinds(beside)
    if not (own and other):
        return None if own else reference
    return reference if own == {"policy"} or other != {"policy"} else None


def run_folders(place: str) -> list[Path]:
    """The folder itself, or the `seed-*` folders inside it, in order of their seed."""
    folder = Path(place)
    alone = (folder / "surefoot.json").exists()
    seeds = [] if alone else seed_folders(folder)
    if seeds:
        return seeds
    if not folder.exists() and not _HUB.fullmatch(place):
        raise ConfigurationError(f"no run folder at {folder}.")
    return [folder]


def same_seeds(runs: Sequence[Path], baselines: Sequence[Path]) -> None:
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
