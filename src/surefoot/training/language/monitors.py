"""What a preference run shows while it trains, from outputs that are gathered anyway."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import ProgressCallback, TrainerCallback

from surefoot.errors import SurefootError
from surefoot.objectives import Outputs
from surefoot.training.language.step import StepResult

#: What the progress bar shows, in this order.
SHOWN = (
    *("loss", "value", "sampled_kl", "effective_share"),
    *("accuracy", "margin", "effective_pairs", "chosen_change"),
)


def figures_of(
    outputs: Outputs, label: Tensor, beta: float | None = None, pairwise: bool = False
) -> dict[str, float]:
    """Figures of some pairs.

    * `accuracy`: share ordered as labelled; ties of the model count half, tied labels not at all.
    * `margin`: mean of the preferred score less the other.
    * `chosen_score`, `rejected_score`: their means; `chosen_tokens`, `rejected_tokens`: lengths.
    * `length_correlation`: of the margin a - b with the difference in length: near 1, the scorer
      counts tokens.
    * Policies: `chosen_change`, `rejected_change`, the log-probability per response, less the
      reference's: falling `chosen_change` means that the preferred response becomes unlikely too.
      `kl`: the mean of log pi_ref - log pi per response, which estimates KL(pi_ref || pi) where
      the data's responses were drawn from the reference.

    Args:
        outputs: of N pairs.
        label: (N,) P(a preferred).
        beta: of a policy, whose scores are beta times the change; None for rewards.
        pairwise: the scores are half the margin and its opposite, and say nothing more.
    """
    decided = label != 0.5
    toward = torch.sign(label - 0.5)
    margins = outputs.scores[:, 0] - outputs.scores[:, 1]
    lengths = outputs.lengths[:, 0] - outputs.lengths[:, 1]
    figures = {
        "accuracy": _mean((torch.sign(margins * toward)[decided] + 1) / 2),
        "margin": _mean((margins * toward)[decided]),
        **({} if pairwise else _sides("score", outputs.scores, label)),
        **_sides("tokens", outputs.lengths, label),
        "length_correlation": _correlation(margins, lengths.to(margins)),
    }
    if beta is not None:
        change = outputs.scores / beta
        figures |= _sides("change", change, label) | {"kl": _mean(-change)}
    return {name: value for name, value in figures.items() if not math.isnan(value)}


def _sides(name: str, values: Tensor, label: Tensor) -> dict[str, float]:
    """Means over the preferred and the other response of the decided pairs, from (N, 2)."""
    decided = label != 0.5
    first = (label > 0.5)[:, None] == torch.tensor([True, False])
    chosen, rejected = (values[mask & decided[:, None]] for mask in (first, ~first))
    return {f"chosen_{name}": _mean(chosen), f"rejected_{name}": _mean(rejected)}


def _mean(values: Tensor) -> float:
    return float(values.double().mean()) if len(values) else math.nan


def _correlation(x: Tensor, y: Tensor) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = float((x.square().sum() * y.square().sum()).sqrt())
    return float((x * y).sum()) / scale if scale > 0 else math.nan


def require_finite(sound: Tensor, value: float, step: int, place: Callable[[int], str]) -> None:
    """Stop a run whose objective is not finite. Every rank sees the same numbers, so all stop.

    Args:
        sound: (N,) whether what each row of the step has is finite.
        value: of the objective.
        step: its number; its weights have not changed yet.
        place: from a position in the step to where that row came from.

    Raises:
        SurefootError: something is not finite; the message names the rows.
    """
    if bool(sound.all()) and math.isfinite(value):
        return
    named = [place(i) for i in (~sound).nonzero().flatten().tolist()]
    shown = "; ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
    raise SurefootError(
        f"step {step}: the objective is {value}; {len(named)} of {len(sound)} pairs have a "
        f"loss or a score that is not finite ({shown}). {_UNCHANGED}"
    )


def require_finite_gradient(norm: float, step: int) -> None:
    """Stop a run whose losses are finite and whose gradient is not.

    Raises:
        SurefootError: the norm is not finite.
    """
    if not math.isfinite(norm):
        raise SurefootError(f"step {step}: the norm of the gradient is {norm}. {_UNCHANGED}")


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


_UNCHANGED = (
    "This step changed no weight, and the model is not saved. Lower the learning rate; prefer "
    "bfloat16 or float32 to float16."
)


class Monitors:
    """Means of every figure over the steps since the last log."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}

    def add(
        self, result: StepResult, label: Tensor, beta: float | None, pairwise: bool = False
    ) -> None:
        """Note one step.

        Beside :func:`figures_of`: `mean_loss`, the plain mean over pairs; `effective_pairs`, the
        square of the sum of the worst-case weights over the sum of their squares;
        `largest_weight`; under a Wasserstein ball `input_gradient`, the root mean square of the
        loss's gradient in the input embeddings.
        """
        figures = figures_of(result.outputs, label, beta, pairwise) | {
            "mean_loss": _mean(result.losses),
            "effective_pairs": float(result.weights.sum() ** 2 / result.weights.square().sum()),
            "largest_weight": float(result.weights.max()),
        }
        if result.gradient is not None:
            figures["input_gradient"] = result.gradient
        self.note(figures)

    def note(self, figures: Mapping[str, float]) -> None:
        """Add the figures of one step."""
        for name, value in figures.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + value, count + 1)

    def take(self) -> dict[str, float]:
        """Means since they were last taken; starts anew."""
        means = {name: total / count for name, (total, count) in self.sums.items()}
        self.sums = {}
        return means

    def state(self) -> dict[str, tuple[float, int]]:
        """The sums so far, for a checkpoint."""
        return dict(self.sums)

    def go_on(self, state: Mapping[str, Sequence[float]]) -> None:
        """Continue the means that a checkpoint holds."""
        self.sums = {name: (total, int(count)) for name, (total, count) in state.items()}


class LastStep(TrainerCallback):  # type: ignore[misc]  # untyped
    """Logs the last step too: a run shorter than `logging_steps` would have no figures."""

    def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """Ask for a log where the run ends; what another callback stops ends here as well."""
        ends = state.global_step >= state.max_steps or control.should_training_stop
        if ends and args.logging_strategy != "no":
            control.should_log = True


class NoCheckpointAtTheEnd(TrainerCallback):  # type: ignore[misc]  # untyped
    """A run that dies after its last step takes the steps since its last checkpoint again.

    From a checkpoint of the last step transformers would take one more before it sees that it is
    done.
    """

    def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """After the callbacks that ask for a checkpoint, or for the end."""
        if state.global_step >= state.max_steps or control.should_training_stop:
            control.should_save = False


class PreferenceProgress(ProgressCallback):  # type: ignore[misc]  # untyped
    """The progress bar with the figures that matter beside it; lines where there is no terminal."""

    shown: Sequence[str] = SHOWN

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
