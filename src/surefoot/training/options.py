"""The section `training` of a configuration: of heads on embeddings, and of language models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from surefoot.options import Options
from surefoot.scorers.language.options import LanguageModelScorer


class TrainingOptions(Options):
    """How to train."""

    title: ClassVar[str] = "the section 'training' of a head on embeddings"

    @classmethod
    def relatives(cls) -> Iterable[type[Options]]:
        """Options of training language models: an unknown option may be one of theirs."""
        return (LanguageTrainingOptions,)

    seed: int = Field(0, ge=0)
    """Seed of everything random: folds, an MLP's start, the bootstrap."""
    bootstrap: bool = False
    """Resample the training prompts with replacement, so that seeds show the data's share."""
    mean_cost: float | None = Field(None, ge=0)
    """With `radius: auto` or `level: auto`: by how much the mean held-out loss may rise for the
    worst group's sake; absent: 0.01."""


class OptimiserOptions(Options):
    """What all training of language models has in common."""

    seed: int = Field(0, ge=0)
    """Seed of everything random: a new head, an adapter's start, the order of the data, what a
    policy writes."""
    epochs: float = Field(1.0, gt=0, le=1e6)
    """Passes over the data."""
    max_steps: int | None = Field(None, ge=1)
    """Optimiser steps, in place of `epochs`."""
    learning_rate: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Peak learning rate of AdamW; `auto`: 1e-6 for a policy, 1e-5 for a reward model, ten times as
    much for an adapter."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    """How the learning rate falls."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps in which it rises, from 0 in the first: two steps learn hardly a thing."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay of AdamW."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are cut to this norm."""
    log_every: int = Field(10, ge=1)
    """Steps between two logs."""
    save_every: int | None = Field(None, ge=1)
    """Steps between two checkpoints, from which `--resume` goes on; absent: none."""
    report_to: tuple[str, ...] = ()
    """Where logs go beside the screen: `tensorboard`, `wandb` and whatever transformers knows."""

    def rate(self, scorer: LanguageModelScorer) -> float:
        """The peak learning rate in force."""
        if self.learning_rate != "auto":
            return self.learning_rate
        whole = 1e-6 if scorer.model_kind == "policy" else 1e-5
        return whole if scorer.adapter is None else 10 * whole


class LanguageTrainingOptions(OptimiserOptions):
    """How to train a language model."""

    title: ClassVar[str] = "the section 'training' of a language model"

    @classmethod
    def relatives(cls) -> Iterable[type[Options]]:
        """Options of a head on embeddings: an unknown option may be one of theirs."""
        return (TrainingOptions,)

    pairs_per_step: int = Field(32, ge=1, le=10**6)
    """Pairs in an optimiser step, over all processes: what a risk sees at once."""
    micro_batch_pairs: int = Field(8, ge=1)
    """Pairs in one forward pass at most; changes memory and speed, no number."""
    max_tokens: int | None = Field(None, ge=1)
    """Tokens in one forward pass at most, padding counted; changes memory and speed, no number."""
    evaluate_every: int | None = Field(None, ge=1)
    """Steps between two evaluations on the held-out pairs; absent: at the end only."""
