"""What a run of online training tells TRL, and what makes two runs the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from surefoot.errors import ConfigurationError, unknown_name
from surefoot.online.config import Model, OnlineConfig
from surefoot.online.prompts import PromptSet
from surefoot.online.trl_adapter import ALGORITHMS
from surefoot.scorers import EnsembleOptions
from surefoot.scorers.ensemble_file import member_places
from surefoot.scorers.loading import run_folders_of
from surefoot.training.language.arguments import accumulation, processes, shared_arguments

#: Options that no step depends on: they may change on the way.
_MAY_CHANGE = ("log_every", "save_every", "report_to")


def settings_of(
    config: OnlineConfig, prompts: PromptSet, key: str, watched: bool
) -> dict[str, Any]:
    """What two runs share if they are the same run: what is learnt, on what, in which steps.

    `key` is a hash of the reference's weights; `watched` says whether an object is watched that the
    configuration does not name.
    """
    sections = config.model_dump(mode="json", include={"scorer", "objective", "training"})
    settings = {f"{s}.{name}": value for s, own in sections.items() for name, value in own.items()}
    for name in _MAY_CHANGE:
        del settings[f"training.{name}"]
    keys = prompts.preferences.prompt_keys().tolist()
    text = repr((keys, prompts.groups.tolist(), prompts.names))
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return {
        "reference": key,
        "precision": str(config.scorer.autocast_dtype),
        "training data": digest,
        "reward models": [_written(m) for m in (config.objective.reward, config.objective.watch)],
        "an object is watched": watched,
        "processes": processes(),
        **settings,
    }


def _written(model: Model | None) -> str:
    """Digest of the manifests of a reward model's folders: another, if it was trained again."""
    places: Sequence[str | Path] = ()
    if isinstance(model, EnsembleOptions):
        places = member_places(model)
    elif model is not None:
        places = run_folders_of(model)
    files = [Path(place) / "manifest.json" for place in places]
    text = b"".join(file.read_bytes() for file in files if file.is_file())
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def trl_arguments(config: OnlineConfig, folder: Path) -> Any:
    """TRL's configuration.

    Raises:
        ConfigurationError: sizes that do not fit each other, or an unknown option of vLLM.
    """
    scorer, objective, training = config.scorer, config.objective, config.training
    _, trl_config = ALGORITHMS[objective.algorithm]
    prompts, samples = training.prompts_per_step, objective.samples
    step = f"training.prompts_per_step x objective.samples = {prompts} x {samples}"
    micro_batch = ("training.micro_batch", training.micro_batch)
    sizes = ((step, prompts * samples), micro_batch)
    micro_batches = accumulation(*sizes, "responses", together=samples)
    # TRL turns gradient checkpointing on by default.
    shared = {"gradient_checkpointing": False} | shared_arguments(scorer, training, folder)
    return trl_config(
        **shared,
        beta=scorer.beta,
        num_generations=objective.samples,
        max_completion_length=objective.max_new_tokens,
        per_device_train_batch_size=training.micro_batch,
        gradient_accumulation_steps=micro_batches,
        learning_rate=training.rate(scorer),
        disable_dropout=True,
        **_vllm(objective.vllm, trl_config),
    )


def _vllm(options: dict[str, Any] | None, trl_config: type[Any]) -> dict[str, Any]:
    """TRL's options of vLLM."""
    if options is None:
        return {}
    known = [f.name.removeprefix("vllm_") for f in fields(trl_config) if f.name.startswith("vllm_")]
    for name in options:
        if name not in known:
            raise ConfigurationError(unknown_name("option of objective.vllm", name, known))
    return {"use_vllm": True, **{f"vllm_{name}": value for name, value in options.items()}}
