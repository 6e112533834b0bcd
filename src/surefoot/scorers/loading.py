"""Trained scorers by their place, whatever kind they are and whoever trained them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from surefoot.errors import ConfigurationError
from surefoot.plugins import function_at, is_function
from surefoot.scorers import storage
from surefoot.scorers.embeddings.reward_model import EmbeddingRewardModel
from surefoot.scorers.ensemble import load_ensemble
from surefoot.scorers.ensemble_file import is_ensemble, member_places, read_ensemble
from surefoot.scorers.function import RewardFunction
from surefoot.scorers.language import adapters
from surefoot.scorers.language.architecture import ModelKind, architecture, text_config
from surefoot.scorers.language.loading import load_model, load_tokenizer, prepare_model
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import PolicyScorer, RewardModelScorer
from surefoot.scorers.language.reference import weights_key
from surefoot.scorers.trained import TrainedScorer


def load_scorer(
    place: str | Path, reference: str | None = None, precision: str | None = None
) -> TrainedScorer:
    """A scorer from a run folder, an ensemble's file, a transformers model or a function.

    Args:
        place: where it lies: a run folder, the YAML file of an ensemble
            (:mod:`surefoot.scorers.ensemble_file`), a transformers model in a folder or on the
            hub, or a function of prompts and responses (:mod:`surefoot.scorers.function`), as
            `module:function` or `file.py:function`.
        reference: what a policy is scored against; of a run, where that lies now.
        precision: of a language model's passes (`scorer.precision`); None: as the run had it.

    Raises:
        ConfigurationError: there is none, or it cannot be used.
    """
    folder = Path(place)
    if is_function(place) and not folder.exists():
        for name, given in (("reference", reference), ("precision", precision)):
            if given is not None:
                raise ConfigurationError(f"{place} is a function: it has no {name}.")
        return RewardFunction(function_at(str(place)), str(place))
    if is_ensemble(folder):
        if reference is not None:
            raise ConfigurationError(f"{folder} is an ensemble: it has no reference.")
        return load_ensemble(read_ensemble(folder), partial(load_scorer, precision=precision))
    if not (folder / storage.DESCRIPTION).is_file():
        storage.require_model(folder)
        return of_transformers(str(place), reference, precision)
    kind = storage.read_description(folder)["scorer"]["kind"]
    if reference is not None and kind != "policy":
        raise ConfigurationError(
            f"{folder} holds no policy (scorer {kind!r}): it has no reference."
        )
    if kind == "embedding":
        if precision is not None:
            raise ConfigurationError(
                f"--precision has no effect on {folder}: it is a head on embeddings. Leave it out."
            )
        return EmbeddingRewardModel.load(folder)
    return LanguageModel.load(folder, reference, precision)


def run_folders_of(place: str | Path) -> list[Path]:
    """The folders that a scorer is made of: its own, or those of an ensemble's members."""
    if not is_ensemble(place):
        return [Path(place)]
    return [Path(one) for one in member_places(read_ensemble(place))]


def of_transformers(
    place: str, reference: str | None = None, precision: str | None = None
) -> LanguageModel:
    """A model that surefoot did not train; the arguments are those of :func:`load_scorer`.

    It is a sequence classifier with one label, a causal language model, or an adapter of PEFT on
    one of these, whose `adapter_config.json` names the base: a policy's reference by default.

    Raises:
        ConfigurationError: it cannot be loaded, a reward model has no head, a policy comes without
            a reference, or there is no such precision.
    """
    kind, base = _adapter_of(place) if adapters.is_adapter(place) else (architecture(place), None)
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
        model = adapters.read_adapter(below, place)
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
    kind = adapters.TASKS.get(str(getattr(config.task_type, "value", config.task_type)))
    return kind or architecture(base), base


def _base_of(place: str, base: str, kind: ModelKind) -> tuple[Any, Any]:
    """The base of an adapter, and the tokenizer that lies beside the adapter or the base."""
    own = any((Path(place) / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))
    try:
        model = adapters.below_adapter(load_model(base, kind, beside=adapters.weights_in(place)))
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
