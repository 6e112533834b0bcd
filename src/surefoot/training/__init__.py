"""Training runs: configuration in, run folder out."""

from typing import TYPE_CHECKING

from surefoot.lazy import offers
from surefoot.training.config import DataOptions, RunConfig
from surefoot.training.drpo.config import DoublyRobust
from surefoot.training.options import LanguageTrainingOptions, TrainingOptions

if TYPE_CHECKING:
    from surefoot.training.data import TrainingData, prepare
    from surefoot.training.drpo.trainer import DoublyRobustTrainer
    from surefoot.training.folder import clear_run
    from surefoot.training.language.preference_config import PreferenceConfig
    from surefoot.training.language.trainer import PreferenceTrainer
    from surefoot.training.run import Run, train, train_seeds

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

__getattr__ = offers(
    __name__,
    {
        "DoublyRobustTrainer": "drpo.trainer",
        "PreferenceConfig": "language.preference_config",
        "PreferenceTrainer": "language.trainer",
        "TrainingData": "data",
        "clear_run": "folder",
        "prepare": "data",
        **dict.fromkeys(("Run", "train", "train_seeds"), "run"),
    },
)
