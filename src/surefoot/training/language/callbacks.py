"""Callbacks of transformers' trainers, which every run of a language model has."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import ProgressCallback, TrainerCallback

from surefoot.errors import SurefootError
from surefoot.training.language.monitors import SHOWN


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
        if ends(state, control) and args.logging_strategy != "no":
            control.should_log = True


def ends(state: Any, control: Any) -> bool:
    """Whether a run ends with this step."""
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
