"""What a transformers model is, before it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.scorers.language.loading import ModelKind


def architecture(place: str) -> ModelKind:
    """`reward-model` or `policy`, by what a model's configuration says.

    Raises:
        ConfigurationError: neither.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    except Exception as error:  # a damaged file can end in any
        found = f"{place} is neither a run folder nor a transformers model"
        absent = f"no run folder at {place}, and no model of that name on the Hub"
        why = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ConfigurationError(f"{found if Path(place).exists() else absent} ({why})") from error
    names = config.architectures or []
    if any(name.endswith("ForSequenceClassification") for name in names):
        return "reward-model"
    if any("CausalLM" in name or name.endswith("LMHeadModel") for name in names):
        return "policy"
    raise ConfigurationError(
        f"{place} is a {', '.join(names) or 'model without a head'}: neither a sequence classifier "
        "nor a causal language model."
    )
