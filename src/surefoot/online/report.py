"""What a run of online training has to say, and what it leaves in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from surefoot.evaluation.policies.overoptimisation.along_training import (
    AlongTraining,
    along_training,
)
from surefoot.online.config import OnlineConfig
from surefoot.online.progress import Progress
from surefoot.scorers import storage
from surefoot.training.data import TrainingData
from surefoot.training.life_cycle import OpenRun

#: Share of cut responses from which most are judged half-written; of prompts without a difference.
_MANY = 0.5


@dataclass(frozen=True)
class PromptGroup:
    """A group of prompts at the end of a run."""

    name: str
    share: float  #: of the prompts
    seen: int  #: prompts that its gain rests on
    gain: float  #: running value of the return, less the reference's
    weight: float  #: how often its prompts count


@dataclass(frozen=True)
class OnlineReport:
    """What a run has to say."""

    warnings: tuple[str, ...]
    last: dict[str, float]  #: figures of the last log, by name
    steps: int  #: of the optimiser
    stopped: str  #: the rule that stopped it, in words; empty where it came to its end
    groups: tuple[PromptGroup, ...]  #: of the prompts; none where there is one
    log: Sequence[Mapping[str, Any]]
    history: Sequence[Mapping[str, float]]  #: figures of every step
    along: AlongTraining | None = None  #: over-optimisation, where a reward was watched

    @property
    def verdict(self) -> str:
        """The run in one sentence or two."""
        if self.stopped:
            return f"Stopped after {self.steps} steps: {self.stopped}"
        watched = "" if self.along is None else f" {self.along.sentence}"
        if not self.warnings:
            return f"After {self.steps} steps nothing speaks against this run.{watched}"
        return (
            f"After {self.steps} steps {len(self.warnings)} thing(s) speak against this run, the "
            f"first: {self.warnings[0]}{watched}"
        )


def describe_run(run: OpenRun[OnlineConfig], state: Any, progress: Progress) -> OnlineReport:
    """The report of a finished run, with what speaks against it."""
    logs = [log for log in state.log_history if "reward" in log]
    last = {k: v for k, v in (logs[-1] if logs else {}).items() if isinstance(v, int | float)}
    adversary = progress.adversary
    columns = (adversary.mass, adversary.seen.long(), adversary.gains, adversary.multipliers)
    groups = tuple(map(PromptGroup, adversary.names, *(column.tolist() for column in columns)))
    doubts = [progress.stopped] if progress.stopped else []
    cut = last.get("completions/clipped_ratio", 0.0)
    if cut > _MANY:
        doubts.append(
            f"{cut:.0%} of the responses reached {run.config.objective.max_new_tokens} tokens and "
            "were judged as they were: raise objective.max_new_tokens."
        )
    flat = last.get("frac_reward_zero_std", 0.0)
    if flat > _MANY:
        doubts.append(
            f"{flat:.0%} of the prompts had responses of one reward, which teach nothing: draw "
            "more samples, or look at the reward model."
        )
    run.warn(doubts)
    return OnlineReport(
        warnings=tuple(run.warnings),
        last=last,
        steps=state.global_step,
        stopped=progress.stopped,
        groups=groups if len(groups) > 1 else (),
        log=state.log_history,
        history=progress.history,
        along=None if progress.watch_baseline is None else along_training(progress.history),
    )


def write_online_run(
    run: OpenRun[OnlineConfig], data: TrainingData, key: str, report: OnlineReport
) -> None:
    """Write what a run says of itself, and mark it as finished; the model is there already.

    `key` is a hash of the reference's weights.
    """
    config = run.config
    described = {
        "scorer": config.scorer.settled.model_dump(mode="json"),
        "objective": config.objective.model_dump(mode="json"),
        "seed": config.training.seed,
        "rewards": {"mean": 0.0, "std": 1.0},
        "temperature": 1.0,
        "reference_key": key,
        "surefoot": version("surefoot"),
    }
    storage.write_description(run.path, described)
    figures = {
        "steps": report.steps,
        "stopped": report.stopped,
        "last": report.last,
        "groups": [asdict(group) for group in report.groups],
        "log": list(report.log),
        "history": list(report.history),
        "trl": version("trl"),
    }
    if report.along is not None:
        figures["over_optimisation"] = report.along.to_dict()
    shown = {name: report.last[name] for name in SHOWN if name in report.last}
    readable = {"optimiser steps": str(report.steps)}
    readable |= {f"{name}, last logged": f"{value:.4g}" for name, value in shown.items()}
    if report.along is not None:
        readable["over-optimisation"] = report.along.sentence
    run.finish(data, figures, readable)


#: Figures of the last log that tables show.
SHOWN = ("reward", "sequence_kl", "worst_gain", "mean_gain", "watched_gain", "largest_weight")
