"""A run of online training: from a configuration to a folder that transformers can load."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, ProgressCallback, set_seed

from surefoot.errors import ConfigurationError, DataError, unknown_name
from surefoot.paths import claim_output
from surefoot.policy.adversary import Adversary
from surefoot.policy.config import OnlineConfig
from surefoot.policy.progress import Progress
from surefoot.policy.prompts import PromptSet, prompt_set, read_prompts
from surefoot.policy.report import SHOWN, OnlineReport, describe_run, write_online_run
from surefoot.policy.reward import Reward, data_returns, load_reward, reference_returns
from surefoot.policy.trl_adapter import ALGORITHMS, require_version
from surefoot.scorers import PolicyScorer
from surefoot.scorers.language.generation import SamplingLaw
from surefoot.scorers.language.loading import load_model, load_tokenizer
from surefoot.scorers.language.reference import weights_key
from surefoot.training.folder import clear_run, saved_prompts
from surefoot.training.monitors import LastStep, PreferenceProgress


class OnlineProgress(PreferenceProgress):
    """The progress bar with the figures of online training."""

    shown = SHOWN


@dataclass(frozen=True)
class OnlineRun:
    """A finished run: its folder, and what the training had to say."""

    folder: Path
    report: OnlineReport


def train_online(
    config: OnlineConfig,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> OnlineRun | None:
    """Run a configuration; None on processes that do not save.

    Args:
        config: what to do.
        overwrite: write into an output folder that is not empty.
        say: told one line per stage and per warning.

    Raises:
        ConfigurationError: options that cannot be honoured.
        DataError: prompts that cannot be used, or a reward that is not finite.
    """
    require_version()
    folder = claim_output(config.output, overwrite)
    scorer, objective, training = config.scorer, config.objective, config.training
    assert isinstance(scorer, PolicyScorer)
    tokenizer = load_tokenizer(scorer.place)
    room = scorer.max_length - objective.max_new_tokens
    if room < 1:
        raise ConfigurationError(
            f"objective.max_new_tokens ({objective.max_new_tokens}) leaves no room for a prompt in "
            f"scorer.max_length ({scorer.max_length})."
        )
    every, alone = read_prompts(config.data)
    prompts = prompt_set(every, alone, tokenizer, objective.risk, room)
    adversary = Adversary(objective.risk, prompts.names, prompts.mass, objective.rate)
    steps = _steps(config, len(prompts))
    notes = [*prompts.notes, *_doubts_before(config, prompts, steps)]
    for note in notes:
        say(f"warning: {note}")
    say(f"prompts: {len(prompts)} from {every.name}, in {len(prompts.names)} group(s)")
    folder.mkdir(parents=True, exist_ok=True)
    clear_run(folder)
    arguments = _arguments(config, folder)  # chooses the device
    set_seed(training.seed)
    model = load_model(scorer.place, "policy", **scorer.load_options).to(arguments.device)
    key = weights_key(model)
    rewards = [Reward(load_reward(objective.reward), prompts.preferences)]
    if objective.watch is not None:
        rewards.append(Reward(load_reward(objective.watch), prompts.preferences, "watched"))
    returns = torch.zeros(len(rewards), len(prompts), dtype=torch.float64)
    if len(prompts.names) > 1 or objective.watch is not None:
        say(f"baseline: {_baseline_in_words(config)} for each prompt")
        if objective.baseline == "data":
            returns = data_returns(prompts, every, rewards)
        else:
            law = SamplingLaw(max_new_tokens=objective.max_new_tokens)
            process = (arguments.process_index, arguments.world_size)
            returns = reference_returns(
                model,
                tokenizer,
                prompts,
                rewards,
                law,
                objective.baseline_samples,
                max(training.micro_batch, objective.baseline_samples),
                training.seed,
                process,
            )
    progress = Progress(
        adversary,
        prompts.groups,
        scorer.beta,
        returns[0],
        returns[1] if objective.watch is not None else None,
        objective.stop_kl,
        objective.stop_drop,
    )
    trainer_class, _ = ALGORITHMS[objective.algorithm]
    trainer = trainer_class(
        model=model,
        reward_funcs=rewards[0],
        args=arguments,
        train_dataset=prompts.dataset(tokenizer),
        processing_class=tokenizer,
        peft_config=scorer.adapter.to_peft() if scorer.adapter else None,
        progress=progress,
        watch=rewards[1] if len(rewards) > 1 else None,
    )
    trainer.add_callback(LastStep())
    for theirs in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(theirs)
    trainer.add_callback(OnlineProgress())
    trainer.train()
    trainer.save_model(str(folder))
    if not trainer.is_world_process_zero():
        return None
    report = describe_run(config, trainer.state, progress, notes)
    for note in report.warnings[len(notes) :]:
        say(f"warning: {note}")
    write_online_run(folder, config, prompts, key, report)
    return OnlineRun(folder, report)


def _baseline_in_words(config: OnlineConfig) -> str:
    if config.objective.baseline == "data":
        return "the rewards of the data's responses"
    return f"the rewards of {config.objective.baseline_samples} responses of the reference"


def _steps(config: OnlineConfig, prompts: int) -> int:
    """Optimiser steps of a run."""
    training = config.training
    if prompts < training.prompts_per_step:
        raise DataError(
            f"{prompts} prompts are fewer than training.prompts_per_step "
            f"({training.prompts_per_step}): there is no whole step. Lower it."
        )
    whole = prompts // training.prompts_per_step
    return training.max_steps or max(1, round(training.epochs * whole))


def _doubts_before(config: OnlineConfig, prompts: PromptSet, steps: int) -> list[str]:
    """What speaks against a run before it begins."""
    found, objective = [], config.objective
    visits = steps * config.training.prompts_per_step / len(prompts.names)
    if objective.robust and visits < 1 / objective.rate:
        found.append(
            f"each of {len(prompts.names)} groups is seen {visits:.1f} times in {steps} steps, and "
            f"its running value remembers {1 / objective.rate:.0f} prompts: the weights will "
            "follow noise, or nothing. Take larger groups, more steps, or a larger "
            "objective.rate."
        )
    for name, place in (("reward", objective.reward), ("watch", objective.watch)):
        if isinstance(place, str) and Path(place).exists():
            shared = saved_prompts(place) & set(prompts.preferences.prompt_keys().tolist())
            if name == "watch" and shared:
                found.append(
                    f"objective.watch ({place}) was trained on {len(shared)} of these prompts: it "
                    "may err where objective.reward errs."
                )
    return found


def _arguments(config: OnlineConfig, folder: Path) -> Any:
    """TRL's configuration."""
    scorer, objective, training = config.scorer, config.objective, config.training
    assert isinstance(scorer, PolicyScorer)
    _, made = ALGORITHMS[objective.algorithm]
    ranks = int(os.environ.get("WORLD_SIZE", "1"))  # torchrun's
    responses = training.prompts_per_step * objective.samples
    accumulation, rest = divmod(responses, training.micro_batch * ranks)
    if rest:
        raise ConfigurationError(
            f"training.prompts_per_step x objective.samples ({training.prompts_per_step} x "
            f"{objective.samples}) should be a multiple of training.micro_batch x processes "
            f"({training.micro_batch} x {ranks})."
        )
    return made(
        output_dir=str(folder),
        beta=scorer.beta,
        num_generations=objective.samples,
        max_completion_length=objective.max_new_tokens,
        per_device_train_batch_size=training.micro_batch,
        gradient_accumulation_steps=accumulation,
        num_train_epochs=training.epochs,
        max_steps=-1 if training.max_steps is None else training.max_steps,
        learning_rate=training.rate(scorer),
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        disable_dropout=True,
        bf16=scorer.autocast_dtype is torch.bfloat16,
        gradient_checkpointing=scorer.gradient_checkpointing,
        use_cpu=not torch.cuda.is_available(),
        ddp_backend="gloo" if ranks > 1 and not torch.cuda.is_available() else None,
        logging_steps=training.log_every,
        save_strategy="no",
        report_to=list(training.report_to),
        **_vllm(objective.vllm, made),
    )


def _vllm(given: dict[str, Any] | None, made: type[Any]) -> dict[str, Any]:
    """TRL's options of vLLM."""
    if given is None:
        return {}
    known = [f.name.removeprefix("vllm_") for f in fields(made) if f.name.startswith("vllm_")]
    for name in given:
        if name not in known:
            raise ConfigurationError(unknown_name("option of objective.vllm", name, known))
    return {"use_vllm": True, **{f"vllm_{name}": value for name, value in given.items()}}
