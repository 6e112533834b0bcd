"""The options of scorers that are language models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator

from surefoot.errors import ConfigurationError
from surefoot.options import READS, Options
from surefoot.scorers.language.architecture import ModelKind
from surefoot.scorers.named import PACKAGED, folder_of
from surefoot.scorers.processor import has_bfloat16
from surefoot.scorers.scorer import Scorer
from surefoot.scorers.skew import SkewOptions

if TYPE_CHECKING:
    import torch

#: Parts of a classifier that are trained whole beside its head and an adapter.
_SPARED = ("pre_classifier", "pooler", r".*\.pooler", "sequence_summary")


class AdapterOptions(Options):
    """A LoRA adapter (Hu et al., 2106.09685), trained in place of all weights."""

    title: ClassVar[str] = "the adapter"

    rank: int = Field(16, ge=1)
    """Rank of the update of each matrix."""
    alpha: float = Field(32.0, gt=0)
    """Scale of the update; it counts as alpha / rank."""
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Names of the layers to adapt, or all linear ones but the head."""
    quantised: bool = False
    """Hold the frozen weights in 4 bits (QLoRA, 2305.14314); needs bitsandbytes
    (the extra `quantised`)."""

    def to_peft(self) -> Any:
        """The configuration that PEFT reads."""
        from peft import LoraConfig

        targets = self.targets if isinstance(self.targets, str) else list(self.targets)
        return LoraConfig(r=self.rank, lora_alpha=self.alpha, target_modules=targets)


class LanguageModelScorer(Scorer):
    """What reward models and policies have in common."""

    model_kind: ClassVar[ModelKind]

    model: Annotated[str, READS] = Field(min_length=1)
    """A folder or a hub name with a transformers model and its tokenizer, a file in GGUF, or
    `smollm2` (after `surefoot fetch smollm2`); for a reward model also `default`, the offline
    encoder."""
    adapter: AdapterOptions | None = None
    """Train an adapter; absent: all weights."""
    max_length: int = Field(1024, ge=8)
    """Tokens of prompt and response together: beyond it a pair loses the start of its prompt, down
    to half of this, then the ends of its responses."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of passes; `auto` is bfloat16 where the processor has it, float32 elsewhere."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third slower."""

    @property
    def place(self) -> str:
        """Where the model is loaded from: a folder by its whole path, or a hub name."""
        folder = Path(folder_of(self.model))
        return str(folder.resolve()) if folder.is_dir() else self.model

    @property
    def settled(self) -> Self:
        """A copy that names its model so that any folder and any machine find it.

        Frozen weights were read in a precision that was the machine's choice, and are again.
        """
        named = self.model == "default" or self.model in PACKAGED
        changed: dict[str, Any] = {} if named else {"model": self.place}
        if self.adapter is not None:
            changed["precision"] = "float32" if self.autocast_dtype is None else "bfloat16"
        return self.model_copy(update=changed)

    def in_precision(self, precision: str) -> Self:
        """A copy with another `precision`.

        Raises:
            ConfigurationError: there is no such precision.
        """
        return type(self)(**{**dict(self), "precision": precision})

    @property
    def autocast_dtype(self) -> torch.dtype | None:
        """Type of mixed precision; None: that of the weights."""
        import torch

        if self.precision == "float32" or (self.precision == "auto" and not has_bfloat16()):
            return None
        return torch.bfloat16

    @property
    def load_options(self) -> dict[str, Any]:
        """How the weights are loaded: whole where they are trained, small where they are frozen.

        Raises:
            ConfigurationError: 4 bits are asked for and bitsandbytes is not installed.
        """
        import torch

        dtype = (self.autocast_dtype if self.adapter else None) or torch.float32
        if self.adapter is None or not self.adapter.quantised:
            return {"dtype": dtype}
        from importlib.util import find_spec

        if find_spec("bitsandbytes") is None:
            raise ConfigurationError(
                "scorer.adapter.quantised needs bitsandbytes, which is absent: "
                "pip install 'surefoot[quantised]'."
            )
        from transformers import BitsAndBytesConfig

        from surefoot.scorers.language.scores import HEADS

        # What is trained whole is not held in 4 bits; transformers spares the last module by its
        # parameter's name, which a bias hides.
        spared = [*HEADS, *_SPARED] if self.model_kind == "reward-model" else None
        quantisation = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=spared,
        )
        return {"dtype": dtype, "quantization_config": quantisation}


class RewardModelScorer(LanguageModelScorer, kind="reward-model"):
    """A transformer with one number for (prompt, response): a sequence classifier."""

    model_kind: ClassVar[ModelKind] = "reward-model"


class GeneralPreferenceScorer(SkewOptions, LanguageModelScorer, kind="general-preference"):
    """s(a, b) / tau of a general preference model (2410.02197): judges pairs, and knows cycles.

    A sequence classifier whose labels are the embedding of a response and, where asked, weights of
    the planes and a reward; see :mod:`surefoot.scorers.language.preference`.
    """

    model_kind: ClassVar[ModelKind] = "reward-model"
    pairwise: ClassVar[bool] = True

    @property
    def load_options(self) -> dict[str, Any]:
        """How the weights are loaded, with the number of labels."""
        from surefoot.scorers.language.preference import labels_of

        return {**super().load_options, "num_labels": labels_of(self)}


class PolicyScorer(LanguageModelScorer, kind="policy"):
    """beta log(pi / pi_ref) of a causal language model (DPO, Rafailov et al., 2305.18290)."""

    model_kind: ClassVar[ModelKind] = "policy"

    model: Annotated[str, READS] = Field(min_length=1)
    """A folder or a hub name with a causal language model and its tokenizer, a file in GGUF, or
    `smollm2` (after `surefoot fetch smollm2`): what is trained, and as it is given the reference.
    """

    @field_validator("model")
    @classmethod
    def _no_encoder(cls, name: str) -> str:
        if name == "default":
            raise ValueError(
                "'default' is the offline encoder, which reads in both directions and is no "
                "policy: name a causal language model."
            )
        return name

    beta: float = Field(0.1, gt=0)
    """Scale of the log-ratio, the strength of the pull to the reference; IPO: 1."""
    reference: Literal["cached", "live"] = "cached"
    """Log-probabilities of the model as given: computed once and kept, or again in every step."""
