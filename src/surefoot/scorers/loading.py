"""Trained scorers by their folder, whatever kind they are."""

from __future__ import annotations

from pathlib import Path

from surefoot.errors import ConfigurationError
from surefoot.scorers import storage
from surefoot.scorers.embedding import EmbeddingRewardModel
from surefoot.scorers.language.model import LanguageModel

TrainedScorer = EmbeddingRewardModel | LanguageModel


def load_scorer(place: str | Path, reference: str | None = None) -> TrainedScorer:
    """A scorer from a run folder, or a transformers model from a folder or the hub.

    Args:
        place: where it lies.
        reference: what a policy is scored against; of a run, where that lies now.

    Raises:
        ConfigurationError: there is none, or it cannot be used.
    """
    folder = Path(place)
    if not (folder / storage.DESCRIPTION).is_file():
        if folder.is_dir() and not (folder / "config.json").is_file():
            raise ConfigurationError(
                f"{folder} is no run folder (it has no {storage.DESCRIPTION}), nor a transformers "
                "model (no config.json)."
            )
        return LanguageModel.of_transformers(str(place), reference)
    kind = storage.read_description(folder)["scorer"]["kind"]
    if reference is not None and kind != "policy":
        raise ConfigurationError(
            f"{folder} holds no policy (scorer {kind!r}): it has no reference."
        )
    if kind == "embedding":
        return EmbeddingRewardModel.load(folder)
    return LanguageModel.load(folder, reference)
