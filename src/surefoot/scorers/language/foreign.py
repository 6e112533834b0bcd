"""Models that surefoot did not train: whole ones, and adapters of PEFT on a base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surefoot.errors import ConfigurationError
from surefoot.scorers.language.adapters import (
    TASKS,
    below_adapter,
    is_adapter,
    read_adapter,
    weights_in,
)
from surefoot.scorers.language.architecture import ModelKind, architecture, text_config
from surefoot.scorers.language.loading import load_model, load_tokenizer, prepare_model
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import PolicyScorer, RewardModelScorer
from surefoot.scorers.language.reference import weights_key


def of_transformers(
    place: str, reference: str | None = None, precision: str | None = None
) -> LanguageModel:
    """A model that surefoot did not train, from a folder or a hub name.

    Args:
        place: a sequence classifier with one label, a causal language model, or the folder of an
            adapter of PEFT on one of these, whose base `adapter_config.json` names.
        reference: what a causal language model is scored against; an adapter's is by default the
            base that it was trained on.
        precision: of the passes (`scorer.precision`); None: `auto`.

    Raises:
        ConfigurationError: it cannot be loaded, a reward model has no head, a policy comes without
            a reference, or there is no such precision.
    """
    kind, base = _adapter_of(place) if is_adapter(place) else (architecture(place), None)
    if kind == "policy" and reference is None and base is None:
        raise ConfigurationError(
            f"{place} is a causal language model: as a reward model it is beta * log(pi / "
            "pi_ref), so name the model that it was trained from (--reference, where a command "
            "has it)."
        )
    if kind == "reward-model" and reference is not None:
        raise ConfigurationError(f"{place} is a reward model, and has no reference.")
    options = PolicyScorer if kind == "policy" else RewardModelScorer
    scorer = options(model=place, max_length=2048).in_precision(precision or "auto")
    intact = False  # the base lies below its adapter as it was
    if base is None:
        model: Any = load_model(place, kind, beside=())
        tokenizer = load_tokenizer(place)
    else:
        below, tokenizer = _base_of(place, base, kind)
        before = weights_key(below)
        model = read_adapter(below, place)
        intact = weights_key(model) == before
    prepared = prepare_model(model, tokenizer, keep_padding=True)
    found = LanguageModel(scorer, prepared, foreign=True)
    if kind == "policy":
        found.reference = found.policy_at(reference or (None if intact else base))
    return found


def _adapter_of(place: str) -> tuple[ModelKind, str]:
    """Kind and base of an adapter."""
    from peft import PeftConfig

    config = PeftConfig.from_pretrained(place)
    base = config.base_model_name_or_path
    if not base:
        raise ConfigurationError(
            f"{place} holds an adapter that names no base: write the folder or hub name of the "
            "model that it was trained on into adapter_config.json (base_model_name_or_path)."
        )
    beside = Path(place) / base
    base = str(beside) if not Path(base).exists() and beside.is_dir() else base
    kind = TASKS.get(str(getattr(config.task_type, "value", config.task_type)))
    return kind or architecture(base), base


def _base_of(place: str, base: str, kind: ModelKind) -> tuple[Any, Any]:
    """The base of an adapter, and the tokenizer that lies beside the adapter or the base."""
    own = any((Path(place) / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))
    try:
        model = below_adapter(load_model(base, kind, beside=weights_in(place)))
        tokenizer = load_tokenizer(place if own else base)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the base of the adapter {place}: {error} Where it lies elsewhere now, write it "
            f"into {place}/adapter_config.json (base_model_name_or_path)."
        ) from None
    text = text_config(model)
    if kind == "reward-model" and text.pad_token_id is None:
        text.pad_token_id = tokenizer.pad_token_id  # as whoever trained it had set it
    return model, tokenizer
