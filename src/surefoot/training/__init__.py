"""Training runs: configuration in, run folder out."""

from surefoot.training.config import DataOptions, RunConfig, TrainingOptions
from surefoot.training.run import Run, TrainingData, clear_run, prepare, train, train_seeds

__all__ = [
    "DataOptions",
    "Run",
    "RunConfig",
    "TrainingData",
    "TrainingOptions",
    "clear_run",
    "prepare",
    "train",
    "train_seeds",
]
