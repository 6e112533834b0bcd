"""A run of online training: from a configuration to a folder that transformers can load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PrinterCallback, ProgressCallback, set_seed

from surefoot.data import Preferences
from surefoot.data.prompts import read_prompts
from surefoot.data.reading.account import lines_of
from surefoot.errors import ConfigurationError, DataError, SurefootError
from surefoot.online.adversary import Adversary
from surefoot.online.arguments import settings_of, trl_arguments
from surefoot.online.config import OnlineConfig
from surefoot.online.progress import Progress
from surefoot.online.prompts import PromptSet, prompt_set
from surefoot.online.report import SHOWN, OnlineReport, describe_run, write_online_run
from surefoot.online.reward import Reward, data_returns, load_reward, reference_returns
from surefoot.online.trl_adapter import ALGORITHMS, require_version
from surefoot.pretrained import Tokenizer
from surefoot.scorers.language.architecture import require_rows
from surefoot.scorers.language.generation import require_padding_in_front
from surefoot.scorers.language.law import SamplingLaw
from surefoot.scorers.language.loading import load_model, load_tokenizer
from surefoot.scorers.language.reference import weights_key
from surefoot.scorers.language.saving import for_older_readers
from surefoot.scorers.language.scores import mode
from surefoot.scorers.trained import TrainedScorer
from surefoot.training.agreement import of_first, require_agreement
from surefoot.training.checkpoint import load as load_checkpoint
from surefoot.training.folder import saved_prompts
from surefoot.training.language.callbacks import FiniteWeights, LastStep, PreferenceProgress
from surefoot.training.life_cycle import OpenRun, Say, open_runs, silent


@dataclass(frozen=True)
class OnlineRun:
    """A finished run: its folder, and what the training had to say."""

    folder: Path
    report: OnlineReport


def train_online(
    config: OnlineConfig,
    *,
    watch: TrainedScorer | None = None,
    overwrite: bool = False,
    resume: bool = False,
    say: Say = silent,
) -> OnlineRun | None:
    """Run a configuration; None on processes that do not save.

    What was in the folder before stays until all is ready to train.

    Args:
        config: what to do.
        watch: in place of `objective.watch`, anything that gives rewards, such as a checker that
            knows the gold reward. `stop_drop` needs `objective.watch`.
        overwrite: write into an output folder that is not empty.
        resume: go on from the last checkpoint in the output folder.
        say: called with one line per stage and per warning.

    Raises:
        ConfigurationError: options that cannot be honoured.
        DataError: prompts that cannot be used, or a reward that is not finite.
    """
    how: dict[str, Any] = {"overwrite": overwrite, "resume": resume, "say": say}
    found = list(train_online_seeds([config], watch=watch, **how))
    return found[0] if found else None


def train_online_seeds(
    configs: Sequence[OnlineConfig],
    *,
    watch: TrainedScorer | None = None,
    overwrite: bool = False,
    resume: bool = False,
    say: Say = silent,
    root: str | None = None,
    reads: Iterable[str | Path] = (),
) -> Iterator[OnlineRun]:
    """Run configurations that differ in their seed and their output alone, one after the other.

    The arguments are those of :func:`train_online` and of
    :func:`~surefoot.training.life_cycle.open_runs`.

    Yields:
        Each run when it is finished; none on processes that do not save, and none of those that
        were finished before.
    """
    require_version()
    objective = configs[0].objective
    if watch is not None and objective.watch is not None:
        raise ConfigurationError(
            f"one reward is watched: got objective.watch ({objective.watch}) and an object."
        )
    with open_runs(
        configs, root=root, overwrite=overwrite, resume=resume, say=say, reads=reads
    ) as runs:
        for run in runs:
            found = _train(run, watch)
            if found is not None:
                yield found


def _train(run: OpenRun[OnlineConfig], watch: TrainedScorer | None) -> OnlineRun | None:
    trainer, prompts, key = _ready(run, watch)
    if not run.train(trainer, prompts.as_data()):
        return None
    _require_finite(trainer.model, trainer.processing_class)
    trainer.save_model(str(run.path))
    for_older_readers(run.path)
    report = describe_run(run, trainer.state, trainer.progress)
    write_online_run(run, prompts.as_data(), key, report)
    return OnlineRun(run.path, report)


def _ready(run: OpenRun[OnlineConfig], watch: TrainedScorer | None) -> tuple[Any, PromptSet, str]:
    """TRL's trainer, the prompts, and the hash of the reference: nothing is left to be refused."""
    scorer, objective, training = run.config.scorer, run.config.objective, run.config.training
    tokenizer = load_tokenizer(scorer.place)
    arguments = trl_arguments(run.config, run.path)  # which introduces the processes
    run.agree()
    prompts, comparisons = _prompts(run, tokenizer)
    set_seed(training.seed)
    model = load_model(scorer.place, "policy", **scorer.load_options).to(arguments.device)
    require_rows(model, tokenizer)
    require_padding_in_front(model, tokenizer)
    key = weights_key(model)
    rewards = [Reward(load_reward(objective.reward), prompts.preferences)]
    watched = load_reward(objective.watch) if objective.watch is not None else watch
    if watched is not None:
        rewards.append(Reward(watched, prompts.preferences, "watched"))
    settings = settings_of(run.config, prompts, key, watch is not None)
    require_agreement(settings)
    process = (arguments.process_index, arguments.world_size)
    known = (model, tokenizer, prompts, comparisons, rewards, process)
    progress = _progress(run, settings, *known)
    trainer_class, _ = ALGORITHMS[objective.algorithm]
    trainer = trainer_class(
        model=model,
        reward_funcs=rewards[0],
        args=arguments,
        train_dataset=prompts.dataset(tokenizer),
        processing_class=tokenizer,
        peft_config=scorer.adapter.to_peft() if scorer.adapter else None,
        callbacks=[FiniteWeights(), LastStep()],
        progress=progress,
        watch=rewards[1] if len(rewards) > 1 else None,
        settings=settings,
    )
    for theirs in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(theirs)
    trainer.add_callback(PreferenceProgress(SHOWN))
    return trainer, prompts, key


def _prompts(run: OpenRun[OnlineConfig], tokenizer: Tokenizer) -> tuple[PromptSet, Preferences]:
    """The prompts with the first process's groups, and the comparisons that they are of."""
    scorer, objective, data = run.config.scorer, run.config.objective, run.config.data
    room = scorer.max_length - objective.max_new_tokens
    if room < 1:
        raise ConfigurationError(
            f"objective.max_new_tokens ({objective.max_new_tokens}) leaves no room for a prompt in "
            f"scorer.max_length ({scorer.max_length})."
        )
    comparisons, alone = read_prompts(data.train, **data.reading())
    for line in lines_of(comparisons.readings):
        run.say(line)
    begun = run.path if run.checkpoint else None
    prompts = prompt_set(comparisons, alone, tokenizer, objective.risk, room, begun)
    groups, names, clusters = of_first((prompts.groups, prompts.names, prompts.clusters))
    prompts = replace(prompts, groups=groups, names=names, clusters=clusters)
    steps = _steps(run.config, len(prompts))
    run.warn([*prompts.notes, *_doubts_before(run.config, prompts, steps)])
    run.say(f"prompts: {len(prompts)} from {comparisons.name}, in {len(prompts.names)} group(s)")
    return prompts, comparisons


def _progress(
    run: OpenRun[OnlineConfig],
    settings: Mapping[str, Any],
    model: Any,
    tokenizer: Tokenizer,
    prompts: PromptSet,
    comparisons: Preferences,
    rewards: Sequence[Reward],
    process: tuple[int, int],
) -> Progress:
    """Nothing gained yet over the baseline, or what the run's checkpoint holds."""
    objective = run.config.objective
    kept = load_checkpoint(Path(run.checkpoint), settings) if run.checkpoint else {}
    returns = torch.zeros(len(rewards), len(prompts), dtype=torch.float64)
    if kept:
        returns = kept["baseline"]
    elif len(prompts.names) > 1 or len(rewards) > 1:
        whose = f"{objective.baseline_samples} response(s) of the reference"
        if objective.baseline == "data":
            whose = "the data's responses"
        run.say(f"baseline: the rewards of {whose} for each prompt")
        known = (model, tokenizer, prompts, comparisons, rewards, process)
        returns = _baselines(run.config, *known)
    own, *watched = of_first(returns)
    adversary = Adversary(objective.risk, prompts.names, prompts.mass, objective.rate)
    stops = (objective.stop_kl, objective.stop_drop)
    baselines = (own, watched[0] if watched else None)
    progress = Progress(adversary, prompts.groups, run.config.scorer.beta, *baselines, *stops)
    if kept:
        progress.remember(kept)
    return progress


def _baselines(
    config: OnlineConfig,
    model: Any,
    tokenizer: Tokenizer,
    prompts: PromptSet,
    comparisons: Preferences,
    rewards: Sequence[Reward],
    process: tuple[int, int],
) -> Tensor:
    """What each prompt's return is compared with, by each reward (R, P)."""
    objective, training = config.objective, config.training
    if objective.baseline == "data":
        return data_returns(prompts, comparisons, rewards)
    law = SamplingLaw(min_new_tokens=0, max_new_tokens=objective.max_new_tokens)
    samples = objective.baseline_samples
    how = (law, samples, max(training.micro_batch, samples), training.seed, process)
    return reference_returns(model, tokenizer, prompts, rewards, *how)


def _require_finite(model: Any, tokenizer: Tokenizer) -> None:
    """Refuse to save a policy whose last step made it give no probabilities.

    Raises:
        SurefootError: it did.
    """
    device = next(model.parameters()).device
    ids = torch.arange(min(8, len(tokenizer)), device=device)[None]
    with torch.no_grad(), mode(model):
        sound = bool(model(input_ids=ids).logits.isfinite().all())
    if not sound:
        raise SurefootError(
            "the trained policy gives probabilities that are not finite: the run has diverged, and "
            "the model is not saved. Lower the learning rate."
        )


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
    doubts, objective = [], config.objective
    rarest = int(prompts.mass.argmin())
    share = float(prompts.mass[rarest]) / len(prompts)
    visits = steps * config.training.prompts_per_step * share
    if objective.robust and visits < 1 / objective.rate:
        doubts.append(
            f"{prompts.names[rarest]!r}, the rarest of {len(prompts.names)} groups, is seen some "
            f"{visits:.1f} times in {steps} steps, and a running value remembers "
            f"{1 / objective.rate:.0f} prompts: the weights will not go all the way to the worst "
            "case, or follow noise. Take larger groups, more steps, or a larger objective.rate."
        )
    watch = objective.watch
    if isinstance(watch, str) and Path(watch).exists():
        shared = saved_prompts(watch) & set(prompts.preferences.prompt_keys().tolist())
        if shared:
            doubts.append(
                f"objective.watch ({watch}) was trained on {len(shared)} of these prompts: it may "
                "err where objective.reward errs."
            )
    return doubts
