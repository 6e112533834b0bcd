"""What runs of language models tell transformers' trainers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import lcm
from pathlib import Path
from typing import Any

import torch

from surefoot.errors import ConfigurationError, unknown_name
from surefoot.scorers.language.options import (
    GeneralPreferenceScorer,
    LanguageModelScorer,
    PolicyScorer,
)
from surefoot.scorers.skew import SkewOptions
from surefoot.training.config import RunConfig
from surefoot.training.language.preference_config import PreferenceConfig
from surefoot.training.options import LanguageTrainingOptions, OptimiserOptions


def processes() -> int:
    """How many train together: torchrun's."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def shared_arguments(
    scorer: LanguageModelScorer, training: OptimiserOptions, folder: Path
) -> dict[str, Any]:
    """Arguments of transformers' trainers that every run has, by name.

    Raises:
        ConfigurationError: the launcher asks for another precision.
    """
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if scorer.autocast_dtype is None and launched != "no":
        raise ConfigurationError(
            f"ACCELERATE_MIXED_PRECISION={launched} (of `accelerate launch`) goes against "
            f"scorer.precision ({scorer.precision}, here float32): a run says its precision itself."
        )
    # Named only where it is wanted: transformers 5.23 warns of the name that 5.17 needs.
    checkpointing = {"gradient_checkpointing": True} if scorer.gradient_checkpointing else {}
    on_processors = not torch.cuda.is_available()
    return {
        "output_dir": str(folder),
        "num_train_epochs": training.epochs,
        "max_steps": -1 if training.max_steps is None else training.max_steps,
        "lr_scheduler_type": training.schedule,
        "warmup_steps": training.warmup,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "seed": training.seed,
        "bf16": scorer.autocast_dtype is torch.bfloat16,
        **checkpointing,
        "use_cpu": on_processors,
        "ddp_backend": "gloo" if processes() > 1 and on_processors else None,
        "logging_steps": training.log_every,
        "save_strategy": "no" if training.save_every is None else "steps",
        "save_steps": training.save_every or 500,
        "save_total_limit": 2,
        "report_to": trackers(training.report_to),
    }


def trackers(named: Sequence[str]) -> list[str]:
    """Where logs go, as transformers names it.

    Raises:
        ConfigurationError: a name that it does not know, or a package that is not installed.
    """
    from transformers.integrations.integration_utils import (
        INTEGRATION_TO_CALLBACK,
        get_available_reporting_integrations,
    )

    for name in named:
        if name in ("all", "none"):
            continue
        if name not in INTEGRATION_TO_CALLBACK:
            raise ConfigurationError(
                unknown_name("place in training.report_to", name, INTEGRATION_TO_CALLBACK)
            )
        if name not in get_available_reporting_integrations():
            raise ConfigurationError(
                f"training.report_to names {name!r}, whose package is not installed here. Install "
                "it, or leave it out."
            )
    return list(named)


def accumulation(
    step: tuple[str, int], micro_batch: tuple[str, int], what: str, together: int = 1
) -> int:
    """Micro-batches of a process in a step, from the names and the sizes of both.

    A step holds so many `together`, or a multiple of them.

    Raises:
        ConfigurationError: the step is no multiple; the message names sizes that fit.
    """
    (name, size), (part, most), ranks = step, micro_batch, processes()
    count, rest = divmod(size, most * ranks)
    if not rest:
        return count
    unit = lcm(most * ranks, together)
    above = unit * (size // unit + 1)
    fitting = [n for n in range(1, min(most, size + 1)) if size % (n * ranks) == 0]
    smaller = f", or a micro-batch of {fitting[-1]}" if fitting else ""
    raise ConfigurationError(
        f"{name} ({size}) should be a multiple of {part} x processes ({most} x {ranks}): "
        f"take {above} {what} a step{smaller}."
    )


def preference_arguments(config: RunConfig, folder: Path, held_out: bool) -> PreferenceConfig:
    """Arguments of the trainer on comparisons; `held_out`: there are pairs to evaluate on.

    Raises:
        ConfigurationError: options that do not go together, or with the launcher.
    """
    scorer, training = config.scorer, config.training
    assert isinstance(scorer, LanguageModelScorer)
    assert isinstance(training, LanguageTrainingOptions)
    of_kind: dict[str, Any] = {}
    if isinstance(scorer, PolicyScorer):
        of_kind = {"beta": scorer.beta, "reference": scorer.reference}
    if isinstance(scorer, GeneralPreferenceScorer):
        skew = {name: getattr(scorer, name) for name in SkewOptions.model_fields}
        of_kind = {"general_preference": skew}
    micro_batches = accumulation(
        ("training.pairs_per_step", training.pairs_per_step),
        ("training.micro_batch_pairs", training.micro_batch_pairs),
        "pairs",
    )
    checks = training.evaluate_every is not None
    if checks and not held_out:
        raise ConfigurationError(
            f"training.evaluate_every ({training.evaluate_every}) asks for evaluations on held-out "
            "pairs, and there are none: set data.held_out."
        )
    return PreferenceConfig(
        **shared_arguments(scorer, training, folder),
        **of_kind,
        max_length=scorer.max_length,
        max_tokens=training.max_tokens,
        per_device_train_batch_size=training.micro_batch_pairs,
        gradient_accumulation_steps=micro_batches,
        learning_rate=training.rate(scorer),
        eval_strategy="steps" if checks else "no",
        eval_steps=training.evaluate_every if checks else None,
        disable_tqdm=False,
    )
