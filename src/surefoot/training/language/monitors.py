"""What a preference run shows: figures of steps and evaluations, who got the weight in an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.errors import SurefootError
from surefoot.objectives import Outputs, RiskValue
from surefoot.scorers.fit.report import UnitShare, unit_shares
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import over_rows
from surefoot.scorers.language.scores import with_steepness
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.language.step import StepResult, judge

if TYPE_CHECKING:
    from surefoot.training.language.trainer import PreferenceTrainer

#: Before the names of a ledger's tensors in a checkpoint.
_LEDGER = "ledger."
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

    `label` is (N,) P(a preferred); `beta` that of a policy, whose scores are beta times the change.
    `pairwise` scores are half the margin and its opposite, and say nothing more.
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


def evaluation_figures(trainer: PreferenceTrainer, pairs: TrainingPairs) -> dict[str, float]:
    """The objective (`loss`), the plain mean over pairs (`mean_loss`), and those of the monitors.

    The pairs have the reference's figures, where the score needs them. The state of the risk counts
    where their units are those of training.
    """
    model, score, objective = trainer.model, trainer.score, trainer.objective
    engine = replace(trainer.engine, pairs=trainer.args.per_device_eval_batch_size)
    known = trainer.train_dataset and pairs.unit_names == trainer.pairs.unit_names
    # All pairs are seen at once: nothing is left to estimate.
    objective = objective.model_copy(update={"risk": objective.risk.of_all()})
    step = pairs.step(np.arange(len(pairs)))

    def steepness(model: nn.Module, batch: PairBatch) -> Tensor:
        slopes = with_steepness(score, model, batch).steepness
        assert slopes is not None
        return slopes[:, None].expand(-1, 2)

    values = over_rows(score.of_model, model, pairs.tokens, step.rows, engine, "evaluating")
    outputs = pairs.outputs(torch.from_numpy(values), score)
    if objective.wasserstein is not None:
        slopes = over_rows(steepness, model, pairs.tokens, step.rows, engine, "input gradients")
        outputs = replace(outputs, steepness=torch.from_numpy(slopes[:, 0]))
    result = judge(objective, step, outputs, trainer.risk_state if known else {})
    figures = {"loss": result.value, "mean_loss": float(result.losses.mean())}
    label, pairwise = step.evidence.label, score.kind == "margins"
    return figures | figures_of(result.outputs, label, score.beta, pairwise)


def require_finite(sound: Tensor, value: float, step: int, place: Callable[[int], str]) -> None:
    """Stop a run whose objective is not finite. Every rank sees the same numbers, so all stop.

    `sound` (N,) says whether what each row of the step has is finite; `place` gives, for a position
    in the step, where that row came from.

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


_UNCHANGED = (
    "This step changed no weight, and the model is not saved. Lower the learning rate; prefer "
    "bfloat16 or float32 to float16."
)


class Monitors:
    """Means of every figure over the steps since the last log."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}  # total and count, which checkpoints keep

    def add(
        self, result: StepResult, label: Tensor, beta: float | None, pairwise: bool = False
    ) -> None:
        """Note one step.

        Beside :func:`figures_of`: `mean_loss`, the plain mean over pairs; `effective_pairs`, the
        square of the sum of the worst-case weights over the sum of their squares;
        `largest_weight`; under a Wasserstein ball `input_gradient`, the root mean square of the
        loss's gradient in the input embeddings.
        """
        weights = result.risk.weights
        figures = figures_of(result.outputs, label, beta, pairwise) | {
            "mean_loss": _mean(result.losses),
            "effective_pairs": float(weights.sum() ** 2 / weights.square().sum()),
            "largest_weight": float(weights.max()),
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


@dataclass
class WeightLedger:
    """Sums over the steps since an epoch (counted from 0) began, for units that keep their numbers.

    They are (U,) of the units' `mass`, `weight` and `loss` times mass, and () of the `steps`.
    """

    epoch: int = -1
    sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, epoch: int, risk: RiskValue) -> None:
        """Note a step; the first one of an epoch begins anew."""
        if epoch != self.epoch:
            self.epoch, self.sums = epoch, {}
        found = {
            "mass": risk.unit_mass,
            "weight": risk.unit_weights,
            "loss": risk.unit_mass * risk.unit_losses,
            "steps": torch.ones((), dtype=torch.float64),
        }
        for name, value in found.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value

    @property
    def steps(self) -> int:
        """Number of steps noted."""
        return int(self.sums["steps"]) if self.sums else 0

    def shares(self, names: Sequence[str]) -> tuple[UnitShare, ...]:
        """Means over the steps of the epoch so far, by unit."""
        if not self.sums:
            return ()
        mass, weight, loss = (self.sums[name] for name in ("mass", "weight", "loss"))
        losses = loss / mass.clamp_min(torch.finfo(mass.dtype).tiny)
        return unit_shares(names, mass / self.steps, weight / self.steps, losses)

    def state(self) -> dict[str, Tensor]:
        """Tensors for a checkpoint."""
        kept = {_LEDGER + name: value for name, value in self.sums.items()}
        return kept | {f"{_LEDGER}epoch": torch.tensor(self.epoch)}

    @classmethod
    def split(cls, state: Mapping[str, Tensor]) -> tuple[WeightLedger, dict[str, Tensor]]:
        """A ledger from the tensors of a checkpoint, and the tensors that are not of it."""
        own = {n.removeprefix(_LEDGER): v for n, v in state.items() if n.startswith(_LEDGER)}
        rest = {n: v for n, v in state.items() if not n.startswith(_LEDGER)}
        return cls(int(own.pop("epoch", torch.tensor(-1))), own), rest
