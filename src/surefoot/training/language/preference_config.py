"""Arguments of the preference trainer: those of transformers, and what pairs need beside them."""

from __future__ import annotations

import copy
import math
import os
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import TrainingArguments

from surefoot.errors import ConfigurationError
from surefoot.escaping import warn
from surefoot.objectives import Objective, ScoreKind
from surefoot.scorers.skew import SkewOptions


@dataclass
class PreferenceConfig(TrainingArguments):  # type: ignore[misc]  # untyped
    """Everything of `transformers.TrainingArguments`, and the following.

    An optimiser step holds `per_device_train_batch_size * gradient_accumulation_steps` pairs for
    each process. How a step is cut into micro-batches changes no number: at most
    `per_device_train_batch_size` pairs each, and `max_tokens` tokens.
    """

    scorer: Literal["policy", "reward-model"] | None = field(
        default=None,
        metadata={"help": "What a model given by name is loaded as; a model says it itself."},
    )
    beta: float = field(
        default=0.1,
        metadata={"help": "Policy: scale of the log-ratio to the reference (IPO: 1)."},
    )
    reference: Literal["cached", "live"] = field(
        default="cached",
        metadata={
            "help": "Policy: reference log-probabilities computed once and kept on disk, or again "
            "in every step by a frozen copy (an adapter: switched off)."
        },
    )
    general_preference: dict[str, Any] | None = field(
        default=None,
        metadata={
            "help": "A sequence classifier judges pairs (2410.02197): `blocks`, `temperature`, "
            "`prompt_weights`, `reward`; None: its one label is a reward."
        },
    )
    max_length: int = field(
        default=1024,
        metadata={"help": "Tokens of prompt and response together at most (or what fits a model)."},
    )
    max_tokens: int | None = field(
        default=None,
        metadata={"help": "Tokens in a micro-batch at most, padding counted; None: no limit."},
    )
    disable_dropout: bool = field(
        default=True,
        metadata={"help": "No dropout in training: losses and gradients are then exact."},
    )
    logging_nan_inf_filter: bool = field(
        default=False, metadata={"help": "A loss that is not finite stops the run instead."}
    )

    def __post_init__(self) -> None:
        """Check what is ours, then what is theirs.

        Raises:
            ConfigurationError: a value out of range, or an option that cannot be honoured.
        """
        _positive("beta", self.beta)
        for name in ("max_length", "max_tokens"):
            if getattr(self, name) is not None:
                _positive(name, getattr(self, name), whole=True)
        for name, valid in (("reference", ("cached", "live")), ("scorer", _SCORERS)):
            if getattr(self, name) not in valid:
                named = ", ".join(map(repr, valid))
                raise ConfigurationError(f"{name} is one of {named}; got {getattr(self, name)!r}.")
        for name, wanted, why in _REFUSED:
            if getattr(self, name) not in wanted:
                raise ConfigurationError(f"{name}={getattr(self, name)!r} is refused: {why}.")
        for variable, why in _LAUNCHED.items():
            if (asked := os.environ.get(variable, "no")).lower() not in _NO:
                raise ConfigurationError(
                    f"{variable}={asked} (of `accelerate launch`) is refused: {why}."
                )
        _ = self.skew_options  # wrong ones are an error now
        super().__post_init__()

    def check(self, objective: Objective, scores: ScoreKind, peft_config: Any) -> None:
        """Refuse or warn of what does not go with this objective and adapter.

        Raises:
            ConfigurationError: dropout under a risk that looks at losses.
        """
        if not self.disable_dropout and objective.risk.adaptive:
            raise ConfigurationError(
                f"disable_dropout=False is refused with the risk {objective.risk.kind!r}: the "
                "pass that sets the weights would see other dropout than the one that uses them."
            )
        dropout = getattr(peft_config, "lora_dropout", 0.0)
        if self.disable_dropout and dropout:
            off = f"lora_dropout={dropout} has no effect: dropout is off (disable_dropout)."
            warn(off, stacklevel=3)
        loss = objective.loss
        if scores == "token sums" and loss.strength_option and self.beta != 1:
            warn(
                f"the {loss.kind} loss sees beta * log-ratio with beta={self.beta}; its own margin "
                "is the log-ratio itself: set beta=1 and its strength by the loss's "
                f"{loss.strength_option}.",
                stacklevel=3,
            )

    @property
    def skew_options(self) -> SkewOptions | None:
        """Options of a general preference model; None where the model is none."""
        given = self.general_preference
        return None if given is None else SkewOptions(**given)

    def one_batch_a_step(self) -> PreferenceConfig:
        """A copy as transformers is to see it: accumulation happens in a step."""
        same = copy.copy(self)
        same.per_device_train_batch_size *= self.gradient_accumulation_steps
        same.gradient_accumulation_steps = 1
        if same.ddp_broadcast_buffers is None:
            same.ddp_broadcast_buffers = False  # constants here; ranks may differ in their passes
        same._n_gpu = min(self.n_gpu, 1)  # several GPUs are for torchrun, not for DataParallel
        return same

    @property
    def pairs_in_a_step(self) -> int:
        """Pairs in an optimiser step, over all processes."""
        accumulated = self.per_device_train_batch_size * self.gradient_accumulation_steps
        return int(accumulated * self.world_size)


def autocast_dtype(mixed_precision: str) -> torch.dtype | None:
    """Precision of forward passes, from Accelerate's name of it; None: as the model is.

    Raises:
        ConfigurationError: one that this trainer does not know.
    """
    if mixed_precision not in _PRECISIONS:
        known = ", ".join(map(repr, _PRECISIONS))
        raise ConfigurationError(
            f"the mixed precision {mixed_precision!r} is refused: passes without gradient are in "
            f"the same precision as the others, which is one of {known}."
        )
    return _PRECISIONS[mixed_precision]


_PRECISIONS = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}

_SCORERS = (None, "policy", "reward-model")

_OWN_EVALUATION = "evaluation is one forward pass over all pairs, in the precision of training"
_COMPILED = "the forward pass selects positions, which is not compiled yet"
_WHOLE = "every process holds the whole model; use DDP, or an adapter"
_DEEPSPEED = "its optimizer steps at every micro-batch; use DDP"

#: Options of transformers that this trainer cannot honour: name, what is allowed, and why.
_REFUSED: tuple[tuple[str, tuple[object, ...], str], ...] = (
    ("auto_find_batch_size", (False,), "a micro-batch that runs out of memory is cut in two"),
    ("label_smoothing_factor", (0.0, 0), "name the labels in the objective (smoothed)"),
    ("neftune_noise_alpha", (None,), "noise in the embeddings would differ between two passes"),
    ("torch_compile", (False,), _COMPILED),
    ("torch_compile_mode", (None,), _COMPILED),
    ("torch_compile_backend", (None,), _COMPILED),
    ("logging_nan_inf_filter", (False,), "a loss that is not finite stops the run"),
    ("dataloader_drop_last", (False,), "an epoch's steps are nearly equal and hold every pair"),
    ("train_sampling_strategy", ("random", "sequential"), "a step is sorted by length inside"),
    ("use_liger_kernel", (False,), "it patches the model class for the whole process"),
    ("average_tokens_across_devices", (True,), "the objective is a mean over pairs, not tokens"),
    ("dataloader_num_workers", (0,), "there is nothing to load in the background"),
    ("use_cache", (False,), "training reads a text once, and keeps nothing of it"),
    ("torch_empty_cache_steps", (None,), "a micro-batch that runs out of memory is cut in two"),
    ("bf16_full_eval", (False,), _OWN_EVALUATION),
    ("fp16_full_eval", (False,), _OWN_EVALUATION),
    ("eval_accumulation_steps", (None,), _OWN_EVALUATION),
    ("batch_eval_metrics", (False,), _OWN_EVALUATION),
    ("include_num_input_tokens_seen", ("no", False), "a batch holds rows, and no tokens to count"),
    ("deepspeed", (None,), _DEEPSPEED),
    ("fsdp", (None, False, "", []), _WHOLE),
    ("parallelism_config", (None,), _WHOLE),
)
#: The same, as `accelerate launch` asks for them.
_LAUNCHED = {
    "ACCELERATE_USE_DEEPSPEED": _DEEPSPEED,
    "ACCELERATE_USE_FSDP": _WHOLE,
    "ACCELERATE_USE_MEGATRON_LM": _WHOLE,
    "ACCELERATE_DYNAMO_BACKEND": _COMPILED,
}
_NO = ("no", "false", "0", "")


def _positive(name: str, value: object, whole: bool = False) -> None:
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:  # type: ignore[operator]
        what = "whole number" if whole else "number"
        raise ConfigurationError(f"{name} is a positive {what}; got {value!r}.")
