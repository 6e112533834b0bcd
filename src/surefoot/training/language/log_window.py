"""A run that is resumed logs figures of the whole, not of the part since it went on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback

_RUNTIME, _RATES = "train_runtime", ("train_samples_per_second", "train_steps_per_second")


class LogWindow(TrainerCallback):  # type: ignore[misc]  # untyped
    """What transformers forgets at a checkpoint: the loss since the last log, and before.

    Attributes:
        trainer: whose.
        before: what a checkpoint holds, from :meth:`kept`; empty for a new run.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        self.before: Mapping[str, float] = {}
        self._started = time.monotonic()

    def kept(self) -> dict[str, float]:
        """State for a checkpoint; to be asked by every process."""
        this = self.trainer
        return {
            "loss": float(this.accelerator.gather(this._tr_loss).mean()),
            "total": this._total_loss_scalar,
            "logged": this._globalstep_last_logged,
            "seconds": self.before.get("seconds", 0.0) + time.monotonic() - self._started,
        }

    def on_train_begin(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """After transformers has set its sums to 0."""
        self._started = time.monotonic()
        if self.before:
            this = self.trainer
            this._tr_loss += torch.as_tensor(self.before["loss"]).to(this._tr_loss)
            this._total_loss_scalar = self.before["total"]
            this._globalstep_last_logged = self.before["logged"]
            this._initial_global_step = 0

    def of_the_whole(self, logs: dict[str, float]) -> dict[str, float]:
        """The last log of a run, whose time and rates are those of the part; others as they are."""
        if _RUNTIME not in logs or not self.before:
            return logs
        part = logs[_RUNTIME]
        whole = part + self.before["seconds"]
        rates = {name: logs[name] * part / whole for name in _RATES if name in logs}
        return {**logs, _RUNTIME: round(whole, 4), **rates}
