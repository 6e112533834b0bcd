"""What every trainer of language models has beside transformers': callbacks, and checkpoints.

A run that is resumed ends, and logs, as the one that was not interrupted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import ProgressCallback, TrainerCallback

from surefoot.errors import SurefootError
from surefoot.training import checkpoint
from surefoot.training.language.monitors import SHOWN

if TYPE_CHECKING:
    _Trainer = Any  # of transformers, or of TRL
else:
    _Trainer = object

_RUNTIME, _RATES = "train_runtime", ("train_samples_per_second", "train_steps_per_second")


class FiniteWeights(TrainerCallback):  # type: ignore[misc]  # untyped
    """Stops a run whose step made a weight that is not a number: the last one too."""

    def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """Before anything is logged or saved.

        Raises:
            SurefootError: a weight is not finite.
        """
        weights = [p.detach() for p in named["model"].parameters() if p.requires_grad]
        if weights and not bool(torch.stack([w.isfinite().all() for w in weights]).all()):
            raise SurefootError(
                f"step {state.global_step} made weights that are not finite: the run has diverged, "
                f"and the model is not saved. Lower the learning rate ({args.learning_rate:g})."
            )


class LastStep(TrainerCallback):  # type: ignore[misc]  # untyped
    """Logs the last step too: a run shorter than `logging_steps` would have no figures."""

    def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """Ask for a log where the run ends; what another callback stops ends here as well."""
        if _ends(state, control) and args.logging_strategy != "no":
            control.should_log = True


def _ends(state: Any, control: Any) -> bool:
    return bool(state.global_step >= state.max_steps or control.should_training_stop)


class PreferenceProgress(ProgressCallback):  # type: ignore[misc]  # untyped
    """The progress bar with the figures that matter beside it; lines where there is no terminal."""

    def __init__(self, shown: Sequence[str] = SHOWN) -> None:
        super().__init__()
        self.shown = shown

    def on_train_begin(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """Open the bar, which stays silent where standard error is no terminal."""
        self.current_step = 0
        if state.is_world_process_zero:
            self.training_bar = tqdm(total=state.max_steps, dynamic_ncols=True, disable=None)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Show the last figures."""
        bar = self.training_bar
        if not state.is_world_process_zero or bar is None or not logs or "loss" not in logs:
            return
        shown = {name: f"{logs[name]:.3g}" for name in self.shown if name in logs}
        if bar.disable:
            figures = ", ".join(f"{name} {value}" for name, value in shown.items())
            tqdm.write(f"step {state.global_step} of {state.max_steps}: {figures}", sys.stderr)
        else:
            bar.set_postfix(shown)


class Resuming(_Trainer):  # type: ignore[misc]  # untyped
    """What a trainer keeps in its checkpoints, beside what transformers does; stands before it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.window = LogWindow(self)
        self.add_callback(self.window)

    def _state(self) -> Mapping[str, Tensor]:
        """Tensors that the next steps go on from, beside weights and optimiser."""
        raise NotImplementedError

    def _settings(self) -> Mapping[str, Any]:
        """What two runs share if they are the same run."""
        raise NotImplementedError

    def _figures(self) -> dict[str, Any]:
        """Figures of the steps since the last log, JSON-ready; filled anew by a checkpoint."""
        raise NotImplementedError

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log with time and rates of the whole run."""
        super().log(self.window.of_the_whole(logs), start_time)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        window = {"figures": self._figures(), **self.window.kept()}
        if self.args.should_save:
            folder = Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}"
            ranks = self.args.world_size
            checkpoint.save(folder, self._state(), self._settings(), window, ranks)
        super()._save_checkpoint(model, trial)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.window.before = checkpoint.window(Path(resume_from_checkpoint))
        self._figures().update(self.window.before.pop("figures", {}))
        super()._load_from_checkpoint(resume_from_checkpoint, model)


class NoCheckpointAtTheEnd(TrainerCallback):  # type: ignore[misc]  # untyped
    """A run that dies after its last step takes the steps since its last checkpoint again.

    From a checkpoint of the last step transformers would take one more before it sees that it is
    done.
    """

    def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """After the callbacks that ask for a checkpoint, or for the end."""
        if _ends(state, control):
            control.should_save = False


class LogWindow(TrainerCallback):  # type: ignore[misc]  # untyped
    """What transformers forgets at a checkpoint: the loss since the last log, and before.

    A run that is resumed so logs figures of the whole, not of the part since it went on. `before`
    is what a checkpoint holds, from :meth:`kept`; empty for a new run.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        self.before: dict[str, Any] = {}
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
