"""Trained scorers by their folder, whatever kind they are."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from surefoot.errors import ConfigurationError
from surefoot.runs import require_finished
from surefoot.scorers import storage
from surefoot.scorers.embeddings.reward_model import EmbeddingRewardModel
from surefoot.scorers.ensemble import load_ensemble
from surefoot.scorers.ensemble_file import is_ensemble, member_places, read_ensemble
from surefoot.scorers.language.adapters import is_adapter
from surefoot.scorers.language.foreign import of_transformers
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.trained import TrainedScorer


def load_scorer(
    place: str | Path, reference: str | None = None, precision: str | None = None
) -> TrainedScorer:
    """A scorer from a run folder, the file of an ensemble, or a transformers model.

    Args:
        place: where it lies: a run folder, the YAML file of an ensemble
            (:mod:`surefoot.scorers.ensemble_file`), or a transformers model in a folder or on the
            hub.
        reference: what a policy is scored against; of a run, where that lies now.
        precision: of a language model's passes (`scorer.precision`); None: as the run had it.

    Raises:
        ConfigurationError: there is none, or it cannot be used.
    """
    folder = Path(place)
    if is_ensemble(folder):
        if reference is not None:
            raise ConfigurationError(f"{folder} is an ensemble: it has no reference.")
        return load_ensemble(read_ensemble(folder), partial(load_scorer, precision=precision))
    if not (folder / storage.DESCRIPTION).is_file():
        require_finished(folder)
        whole = (folder / "config.json").is_file()
        if folder.is_dir() and not whole and not is_adapter(folder):
            raise ConfigurationError(
                f"{folder} is no run folder (it has no {storage.DESCRIPTION}), no transformers "
                "model (no config.json), and no adapter (no adapter_config.json)."
            )
        return of_transformers(str(place), reference, precision)
    kind = storage.read_description(folder)["scorer"]["kind"]
    if reference is not None and kind != "policy":
        raise ConfigurationError(
            f"{folder} holds no policy (scorer {kind!r}): it has no reference."
        )
    if kind == "embedding":
        if precision is not None:
            raise ConfigurationError(
                f"--precision has no effect on {folder}: it is a head on embeddings. Leave it out."
            )
        return EmbeddingRewardModel.load(folder)
    return LanguageModel.load(folder, reference, precision)


def run_folders_of(place: str | Path) -> list[Path]:
    """The folders that a scorer is made of: its own, or those of an ensemble's members."""
    if not is_ensemble(place):
        return [Path(place)]
    return [Path(one) for one in member_places(read_ensemble(place))]
