"""The settings of the experiment."""

from __future__ import annotations

import torch
from pydantic import Field

from experiments.control_variate.shared import MODELS, Shared
from surefoot.options import Options
from surefoot.worlds import TabularTruth


class Bias(Options):
    """Part 1."""

    worlds: int = Field(10, ge=1)
    losses: tuple[str, ...]
    coefficients: tuple[float, ...]


class Settings(Options):
    """The experiment."""

    first_world: int = 0
    worlds: int = Field(20, ge=10)
    safety: int = Field(40, ge=1)
    """Draws of data in each world of `truths` with the useless model and `learned_pairs`."""
    repetitions: int = Field(6, ge=1)
    """The same with the other models."""
    fewer: int = Field(3, ge=1)
    """The same at other numbers of pairs, and in `elsewhere`."""
    comparisons: int = Field(400, ge=10)
    pairs: tuple[int, ...]
    learned_pairs: int = 8
    """M of the main comparison, where there is a learned auxiliary model too."""
    noise: float = Field(1.0, gt=0)
    folds: int = Field(5, ge=2)
    l2: float = Field(0.01, gt=0)
    """Ridge penalty of every fit, and of what it is compared with."""
    ridge: float = Field(0.02, gt=0)
    """The same of the learned auxiliary model."""
    truths: dict[str, TabularTruth]
    elsewhere: dict[str, TabularTruth] = Field({})
    bias: Bias
    shared: Shared

    @property
    def seeds(self) -> range:
        """Of the worlds."""
        return range(self.first_world, self.first_world + self.worlds)

    @property
    def row_folds(self) -> torch.Tensor:
        """(N,) fold of each row: rows have no order, and prompts are too few to hold out."""
        return torch.arange(self.comparisons) % self.folds

    def draws(self, truth: str) -> list[tuple[int, int, tuple[str, ...]]]:
        """Numbers of pairs, each with its number of repetitions and its auxiliary models."""
        main, learnt = self.learned_pairs, ("learned", "learned, not cross-fitted")
        if truth in self.elsewhere:
            return [(main, self.fewer, (*MODELS, *learnt))]
        others = [(m, self.fewer, MODELS) for m in self.pairs if m != main]
        several = (main, self.repetitions, ("true", "noisy", *learnt))
        return sorted([*others, several, (main, self.safety, ("useless",))])
