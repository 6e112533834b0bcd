"""What prompts have gained while a policy is trained: for the adversary, logs and stop rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from surefoot.online.adversary import Adversary

#: Weight of a step in the figures that stop rules look at: they remember some ten steps.
_SMOOTHING = 0.1
#: Groups that are logged one by one, at most.
_MOST_LOGGED = 12
#: What changes in a run, and the prefix of the history beside it.
_RUNNING, _HISTORY = ("kl", "watched", "best_watched"), "history/"


@dataclass
class Progress:
    """Running figures of a run over P prompts."""

    adversary: Adversary  #: how groups of prompts count
    groups: Tensor  #: (P,) of the prompts
    beta: float  #: weight of the KL in the return
    baseline: Tensor  #: (P,) what the reference gets; 0 where nothing depends on it
    watch_baseline: Tensor | None = None  #: (P,) the same by the reward model that is watched
    stop_kl: float | None = None  #: smoothed mean KL of a response above which the run stops
    stop_drop: float | None = None  #: how far the smoothed watched reward may fall below its best
    stopped: str = ""  #: why it was stopped; empty while it runs
    steps: int = 0
    kl: float = 0.0
    watched: float = 0.0
    best_watched: float = -math.inf
    history: list[dict[str, float]] = field(default_factory=list)

    def weights_of(self, rows: Tensor) -> Tensor:
        """How often prompts (B,) count, shape (B,)."""
        return self.adversary.multipliers[self.groups[rows.cpu()]]

    def take_in(
        self, rows: Tensor, rewards: Tensor, kl: Tensor, watched: Tensor
    ) -> dict[str, float]:
        """Take in the M responses of a step, and return figures for the log.

        `rows` (M,) are their prompts; `kl` (M,) is log pi - log pi_ref of each; `watched` (M,) are
        their rewards by the model that is watched, NaN where there is none.
        """
        prompts, positions = rows.unique(return_inverse=True)
        gains = _mean_by(positions, rewards - self.beta * kl, len(prompts)) - self.baseline[prompts]
        groups = self.groups[prompts]
        self.adversary.update(groups, gains)
        self.steps += 1
        self.kl = self._smooth(self.kl, float(kl.mean()))
        figures = {"sequence_kl": float(kl.mean())}
        if self.watch_baseline is not None:
            seen = _mean_by(positions, watched, len(prompts)) - self.watch_baseline[prompts]
            self.watched = self._smooth(self.watched, float(seen.mean()))
            self.best_watched = max(self.best_watched, self.watched)
            figures["watched_gain"] = float(seen.mean())
            own_gain = _mean_by(positions, rewards, len(prompts)) - self.baseline[prompts]
            figures["trained_gain"] = float(own_gain.mean())
        figures |= self._of_groups()
        self.history.append(figures)
        self._look_for_a_reason()
        return figures

    def remembered(self) -> dict[str, Tensor]:
        """All that a run goes on with, for a checkpoint; `baseline` (R, P) of R rewards."""
        baselines = [b for b in (self.baseline, self.watch_baseline) if b is not None]
        names = self.history[0] if self.history else ()
        columns = {f"{_HISTORY}{name}": [one[name] for one in self.history] for name in names}
        columns["running"] = [getattr(self, name) for name in _RUNNING]
        numbers = {name: torch.tensor(v, dtype=torch.float64) for name, v in columns.items()}
        return {**self.adversary.remembered(), **numbers, "baseline": torch.stack(baselines)}

    def remember(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what a checkpoint holds; the baselines are given anew."""
        self.adversary.remember(saved)
        for name, value in zip(_RUNNING, saved["running"].tolist(), strict=True):
            setattr(self, name, value)
        cut = len(_HISTORY)
        columns = {n[cut:]: v.tolist() for n, v in saved.items() if n.startswith(_HISTORY)}
        self.steps = len(next(iter(columns.values()), ()))
        self.history = [{n: v[k] for n, v in columns.items()} for k in range(self.steps)]

    def _smooth(self, old: float, new: float) -> float:
        """A running mean of the steps so far, and of the last ones once there are many."""
        return old + max(_SMOOTHING, 1 / self.steps) * (new - old)

    def _of_groups(self) -> dict[str, float]:
        adversary = self.adversary
        if len(adversary.names) < 2:
            return {}
        seen = adversary.seen > 0
        figures = {
            "worst_gain": float(adversary.gains[seen].min()),
            "mean_gain": float((adversary.mass * adversary.gains).sum()),
            "effective_groups": float(1 / adversary.weights.square().sum()),
            "largest_weight": float(adversary.multipliers.max()),
        }
        if len(adversary.names) <= _MOST_LOGGED:
            for place, name in enumerate(adversary.names):
                figures[f"gain/{name}"] = float(adversary.gains[place])
                figures[f"weight/{name}"] = float(adversary.multipliers[place])
        return figures

    def _look_for_a_reason(self) -> None:
        if self.stop_kl is not None and self.kl > self.stop_kl:
            self.stopped = (
                f"stopped after step {self.steps}: the mean log(pi / pi_ref) of a response is "
                f"{self.kl:.3g} nats, above stop_kl ({self.stop_kl:g})"
            )
        fall = self.best_watched - self.watched
        if self.stop_drop is not None and fall > self.stop_drop:
            self.stopped = (
                f"stopped after step {self.steps}: the watched reward has fallen by {fall:.3g} "
                f"below its best, more than stop_drop ({self.stop_drop:g}), while the policy was "
                "trained on another one"
            )


def _mean_by(positions: Tensor, values: Tensor, count: int) -> Tensor:
    sums = torch.zeros(count, dtype=torch.float64).index_add(0, positions, values.double())
    return sums / torch.bincount(positions, minlength=count)
