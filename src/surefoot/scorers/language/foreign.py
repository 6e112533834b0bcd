"""Models that surefoot did not train: whole ones, and adapters of PEFT on a base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.errors import ConfigurationError
from surefoot.scorers.language.adapters import below_adapter, read_adapter, weights_in
from surefoot.scorers.language.architecture import ModelKind, architecture
from surefoot.scorers.language.loading import load_model, load_tokenizer
from surefoot.scorers.language.reference import weights_key
from surefoot.scorers.language.vocabulary import text_config

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ADAPTER = "adapter_config.json"
_TASKS: dict[str, ModelKind] = {"SEQ_CLS": "reward-model", "CAUSAL_LM": "policy"}


@dataclass(frozen=True)
class Foreign:
    """A model of another origin, in float32."""

    kind: ModelKind  #: what it is
    model: Any  #: with its adapter, if it is one
    tokenizer: PreTrainedTokenizerBase  #: beside it, or beside its base
    base: str | None = None  #: of an adapter, where that lies; None of a whole model
    intact: bool = True  #: the base lies below the adapter as it was


def is_adapter(place: str | Path) -> bool:
    """Whether a folder holds an adapter of PEFT, and no whole model."""
    folder = Path(place)
    return (folder / _ADAPTER).is_file() and not (folder / "config.json").is_file()


def kind_at(place: str) -> ModelKind:
    """What a model of another origin is, before it is loaded.

    Raises:
        ConfigurationError: neither a reward model nor a policy.
    """
    return _described(place)[0] if is_adapter(place) else architecture(place)


def read_foreign(place: str) -> Foreign:
    """Load a model that surefoot did not train.

    Args:
        place: a folder or hub name of a whole model, or the folder of an adapter, whose base
            `adapter_config.json` names.

    Raises:
        ConfigurationError: it cannot be loaded, or a reward model has no head.
    """
    if is_adapter(place):
        return _adapted(place)
    kind = architecture(place)
    return Foreign(kind, load_model(place, kind, beside=()), load_tokenizer(place))


def _described(place: str) -> tuple[ModelKind, str]:
    """Kind and base of an adapter."""
    from peft import PeftConfig

    config = PeftConfig.from_pretrained(place)
    base = config.base_model_name_or_path
    if not base:
        raise ConfigurationError(
            f"{place} holds an adapter that names no base: write the folder or hub name of the "
            f"model that it was trained on into {_ADAPTER} (base_model_name_or_path)."
        )
    beside = Path(place) / base
    base = str(beside) if not Path(base).exists() and beside.is_dir() else base
    kind = _TASKS.get(str(getattr(config.task_type, "value", config.task_type)))
    return kind or architecture(base), base


def _adapted(place: str) -> Foreign:
    kind, base = _described(place)
    own = any((Path(place) / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))
    try:
        model = below_adapter(load_model(base, kind, beside=weights_in(place)))
        tokenizer = load_tokenizer(place if own else base)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the base of the adapter {place}: {error} Where it lies elsewhere now, write it "
            f"into {place}/{_ADAPTER} (base_model_name_or_path)."
        ) from None
    text = text_config(model)
    if kind == "reward-model" and text.pad_token_id is None:
        text.pad_token_id = tokenizer.pad_token_id  # as whoever trained it had set it
    before = weights_key(model)
    adapted = read_adapter(model, place)
    return Foreign(kind, adapted, tokenizer, base, weights_key(adapted) == before)
