"""A run of online training: from a configuration to a folder that transformers can load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PrinterCallback, ProgressCallback, set_seed

from surefoot.data import Preferences
from surefoot.data.prompt_files import read_prompts
from surefoot.data.reading import lines_of
from surefoot.errors import ConfigurationError, DataError
from surefoot.paths import claim_output
from surefoot.policy.adversary import Adversary
from surefoot.policy.arguments import settings_of, trl_arguments
from surefoot.policy.config import OnlineConfig
from surefoot.policy.progress import Progress
from surefoot.policy.prompts import PromptSet, prompt_set
from surefoot.policy.report import SHOWN, OnlineReport, describe_run, write_online_run
from surefoot.policy.reward import Reward, data_returns, load_reward, reference_returns
from surefoot.policy.trl_adapter import ALGORITHMS, require_version
from surefoot.scorers import PolicyScorer
from surefoot.scorers.language.generation import SamplingLaw
from surefoot.scorers.language.loading import load_model, load_tokenizer
from surefoot.scorers.language.reference import weights_key
from surefoot.scorers.language.vocabulary import require_rows
from surefoot.scorers.responses import Rewarding
from surefoot.training.agreement import of_first
from surefoot.training.checkpoint import load as load_checkpoint
from surefoot.training.checkpoint import newest
from surefoot.training.folder import clear_checkpoints, clear_run, saved_prompts
from surefoot.training.monitors import LastStep, NoCheckpointAtTheEnd, PreferenceProgress

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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
    watch: Rewarding | None = None,
    overwrite: bool = False,
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
    root: Path | None = None,
) -> OnlineRun | None:
    """Run a configuration; None on processes that do not save.

    What was in the folder before stays until all is ready to train.

    Args:
        config: what to do.
        watch: in place of `objective.watch`, anything that gives rewards, such as a checker that
            knows the gold reward. `stop_drop` needs `objective.watch`.
        overwrite: write into an output folder that is not empty.
        resume: go on from the last checkpoint in the output folder.
        say: told one line per stage and per warning.
        root: of several seeds, the folder of all, whose earlier runs are taken away too.

    Raises:
        ConfigurationError: options that cannot be honoured.
        DataError: prompts that cannot be used, or a reward that is not finite.
    """
    require_version()
    if watch is not None and config.objective.watch is not None:
        raise ConfigurationError(
            f"one reward is watched: got objective.watch ({config.objective.watch}) and an object."
        )
    folder = Path(config.output) if resume else claim_output(config.output, overwrite)
    scorer, objective, training = config.scorer, config.objective, config.training
    assert isinstance(scorer, PolicyScorer)
    tokenizer = load_tokenizer(scorer.place)
    room = scorer.max_length - objective.max_new_tokens
    if room < 1:
        raise ConfigurationError(
            f"objective.max_new_tokens ({objective.max_new_tokens}) leaves no room for a prompt in "
            f"scorer.max_length ({scorer.max_length})."
        )
    arguments = trl_arguments(config, folder)  # chooses the device, and introduces the processes
    last = of_first(newest(folder) if resume else None)
    given = config.data
    every, alone = read_prompts(given.train, **given.reading())
    for line in lines_of(every.readings):
        say(line)
    prompts = prompt_set(every, alone, tokenizer, objective.risk, room, folder if resume else None)
    groups, names, clusters = of_first((prompts.groups, prompts.names, prompts.clusters))
    prompts = replace(prompts, groups=groups, names=names, clusters=clusters)
    adversary = Adversary(objective.risk, prompts.names, prompts.mass, objective.rate)
    steps = _steps(config, len(prompts))
    notes = [*prompts.notes, *_doubts_before(config, prompts, steps)]
    for note in notes:
        say(f"warning: {note}")
    say(f"prompts: {len(prompts)} from {every.name}, in {len(prompts.names)} group(s)")
    set_seed(training.seed)
    model = load_model(scorer.place, "policy", **scorer.load_options).to(arguments.device)
    require_rows(model, tokenizer)
    key = weights_key(model)
    rewards = [Reward(load_reward(objective.reward), prompts.preferences)]
    watched = load_reward(objective.watch) if objective.watch is not None else watch
    if watched is not None:
        rewards.append(Reward(watched, prompts.preferences, "watched"))
    settings = settings_of(config, prompts, key, watch is not None)
    kept = {} if last is None else load_checkpoint(Path(last), settings)
    if kept:
        returns = kept["baseline"]
    elif len(prompts.names) > 1 or watched is not None:
        say(f"baseline: {_baseline_in_words(config)} for each prompt")
        process = (arguments.process_index, arguments.world_size)
        returns = _baselines(config, model, tokenizer, prompts, every, rewards, process)
    else:
        returns = torch.zeros(len(rewards), len(prompts), dtype=torch.float64)
    returns = of_first(returns)
    progress = Progress(
        adversary,
        prompts.groups,
        scorer.beta,
        returns[0],
        returns[1] if watched is not None else None,
        objective.stop_kl,
        objective.stop_drop,
    )
    if kept:
        progress.remember(kept)
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
        settings=settings,
    )
    if trainer.is_world_process_zero():
        if last is None:
            clear_run(root or folder)
            folder.mkdir(parents=True, exist_ok=True)
        if prompts.clusters is not None:
            prompts.clusters.save(folder)  # a run that is resumed has the same ones
    trainer.accelerator.wait_for_everyone()
    trainer.add_callback(LastStep())
    trainer.add_callback(NoCheckpointAtTheEnd())
    for theirs in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(theirs)
    trainer.add_callback(OnlineProgress())
    trainer.train(resume_from_checkpoint=last)
    trainer.save_model(str(folder))
    if not trainer.is_world_process_zero():
        return None
    report = describe_run(config, trainer.state, progress, notes)
    for note in report.warnings[len(notes) :]:
        say(f"warning: {note}")
    write_online_run(folder, config, prompts, key, report)
    clear_checkpoints(folder)
    return OnlineRun(folder, report)


def _baselines(
    config: OnlineConfig,
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: PromptSet,
    every: Preferences,
    rewards: Sequence[Reward],
    process: tuple[int, int],
) -> Tensor:
    """What each prompt's return is compared with, by each reward (R, P)."""
    objective, training = config.objective, config.training
    if objective.baseline == "data":
        return data_returns(prompts, every, rewards)
    return reference_returns(
        model,
        tokenizer,
        prompts,
        rewards,
        SamplingLaw(max_new_tokens=objective.max_new_tokens),
        objective.baseline_samples,
        max(training.micro_batch, objective.baseline_samples),
        training.seed,
        process,
    )


def _baseline_in_words(config: OnlineConfig) -> str:
    if config.objective.baseline == "data":
        return "the rewards of the data's responses"
    return f"the rewards of {config.objective.baseline_samples} response(s) of the reference"


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
    rarest = int(prompts.mass.argmin())
    share = float(prompts.mass[rarest]) / len(prompts)
    visits = steps * config.training.prompts_per_step * share
    if objective.robust and visits < 1 / objective.rate:
        found.append(
            f"{prompts.names[rarest]!r}, the rarest of {len(prompts.names)} groups, is seen some "
            f"{visits:.1f} times in {steps} steps, and a running value remembers "
            f"{1 / objective.rate:.0f} prompts: the weights will not go all the way to the worst "
            "case, or follow noise. Take larger groups, more steps, or a larger objective.rate."
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
