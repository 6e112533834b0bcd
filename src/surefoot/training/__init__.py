"""Training runs: configuration in, run folder out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.training.config import DataOptions, RunConfig
from surefoot.training.data import TrainingData, prepare
from surefoot.training.drpo.config import DoublyRobust
from surefoot.training.folder import clear_run
from surefoot.training.options import LanguageTrainingOptions, TrainingOptions
from surefoot.training.run import Run, train, train_seeds

if TYPE_CHECKING:
    from surefoot.training.drpo.trainer import DoublyRobustTrainer
    from surefoot.training.language.preference_config import PreferenceConfig
    from surefoot.training.language.trainer import PreferenceTrainer

__all__ = [
    "DataOptions",
    "DoublyRobust",
    "DoublyRobustTrainer",
    "LanguageTrainingOptions",
    "PreferenceConfig",
    "PreferenceTrainer",
    "Run",
    "RunConfig",
    "TrainingData",
    "TrainingOptions",
    "clear_run",
    "prepare",
    "train",
    "train_seeds",
]

#: Loaded when first asked for: transformers' Trainer takes seconds to import.
_LAZY = {
    "DoublyRobustTrainer": "drpo.trainer",
    "PreferenceConfig": "language.preference_config",
    "PreferenceTrainer": "language.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
