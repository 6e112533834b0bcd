"""The scorer of a configuration to begin with, by its kind and its model."""

from __future__ import annotations

from typing import Any

from surefoot.errors import ConfigurationError, unknown_name
from surefoot.scorers import Scorer
from surefoot.scorers.language.options import LanguageModelScorer


def scorer_of(kind: str = "embedding", model: str | None = None) -> dict[str, Any]:
    """Options of the section `scorer`: of a kind, and the model that it starts from.

    Raises:
        ConfigurationError: there is no such kind, it takes no model, or takes one that is not
            given.
    """
    if kind not in Scorer.registry:
        raise ConfigurationError(unknown_name("kind of scorer", kind, Scorer.registry))
    if not of_language(kind):
        if model is not None:
            raise ConfigurationError(
                f"--model goes with a scorer that is a language model, not with {kind!r}; got "
                f"{model!r}."
            )
        return {"kind": kind, "head": "linear"}
    model = model or ("default" if kind == "reward-model" else None)
    if model is None:
        raise ConfigurationError(
            f"a scorer {kind!r} starts from a model: --model with a folder, a hub name, or smollm2 "
            "(after `surefoot fetch smollm2`)."
        )
    return {"kind": kind, "model": model}


def of_language(kind: str) -> bool:
    """Whether a kind of scorer is a language model."""
    return issubclass(Scorer.registry[kind], LanguageModelScorer)
