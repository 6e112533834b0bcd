"""DRPO's trainer: a policy that learns from what it writes, and from logged comparisons."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.data.schema import Preferences
from surefoot.errors import ConfigurationError
from surefoot.escaping import warn
from surefoot.objectives import Objective
from surefoot.scorers import TrainedScorer
from surefoot.scorers.ensemble_file import is_ensemble
from surefoot.scorers.language.reference import ReferencePolicy
from surefoot.scorers.language.scores import PolicyScores, mode
from surefoot.scorers.loading import load_scorer
from surefoot.scorers.storage import DESCRIPTION
from surefoot.training.agreement import of_first
from surefoot.training.drpo.config import DoublyRobust
from surefoot.training.drpo.on_policy import Writer, judged
from surefoot.training.drpo.step import DoublyRobustResult, DoublyRobustRunner
from surefoot.training.folder import saved_prompts
from surefoot.training.language.monitors import figures_of, require_finite
from surefoot.training.language.preference_config import PreferenceConfig
from surefoot.training.language.trainer import PreferenceTrainer


class DoublyRobustTrainer(PreferenceTrainer):
    """Trains a policy by DRPO (arXiv 2506.01183).

    In every step the policy writes K responses to each prompt and an auxiliary model judges them;
    then every response's log-probability has a credit. The gradient is that of the credited sum,
    the same for any number of micro-batches and processes.
    """

    def __init__(
        self,
        model: Any,
        args: PreferenceConfig | None = None,
        *,
        objective: DoublyRobust,
        auxiliary: TrainedScorer | None = None,
        **named: Any,
    ) -> None:
        """Check everything, tokenise, and judge the data's own pairs.

        The arguments are those of :class:`PreferenceTrainer`, and `auxiliary`: the auxiliary model,
        where it is in memory already.

        Raises:
            ConfigurationError: options that do not go together.
            DataError: data that cannot be used.
        """
        if args is not None and not args.disable_dropout:
            raise ConfigurationError(
                f"disable_dropout=False is refused with {objective.label()}: samples are drawn "
                "without dropout, and the pass that sets the credits would see other dropout than "
                "the one that uses them."
            )
        super().__init__(model, args, objective=Objective(), **named)
        if self.reference is None:
            raise ConfigurationError(f"{objective.label()} trains policies; this model is none.")
        self.doubly_robust = objective
        self.auxiliary = auxiliary or load_scorer(objective.auxiliary)
        self.live = self.reference  # samples are new in every step: it is asked again
        if not self.reference.live:
            adapters = not self.reference.without_adapter
            self.live = ReferencePolicy.of(self.model, self.engine, True, with_adapter=adapters)
        if self.train_dataset is None:
            return
        preferences = self.pairs.preferences
        sizes = (objective.samples, objective.max_new_tokens, objective.batch, self.room)
        self.writer = Writer(preferences, self.processing_class, *sizes)
        for note in self.writer.notes(min(self.args.pairs_in_a_step, len(self.pairs)), self.engine):
            warn(note, stacklevel=2)
        probabilities = of_first(_auxiliary_of(preferences, self.auxiliary, objective))
        self.of_pairs = torch.from_numpy(probabilities)
        assert isinstance(self.score, PolicyScores)
        how = (self.score, objective.clip, self.pairs.tokens, self.engine)
        self.runner = DoublyRobustRunner(*how, self.accelerator.backward, self.live, self.memory)

    def training_step(
        self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None
    ) -> Tensor:
        """Accumulate the gradient of one step."""
        del model, num_items_in_batch
        pairs = self.pairs
        step, number = pairs.step(inputs), self.state.global_step
        drawn = self.writer.draw(self.model, inputs, (self.args.seed, number), self.engine)
        records = pairs.preferences.select(inputs[drawn.places])
        sampled = judged(self.auxiliary, records, drawn.texts)
        with mode(self.model):
            found = self.runner.run(self.model, step, drawn, self.of_pairs[inputs], sampled)
        share = step.mass / step.mass.sum()
        gain = found.direct + found.correction - self.args.beta * found.kl
        loss = -float((share * gain).sum())
        require_finite(gain.isfinite(), loss, number + 1, lambda i: pairs.place(inputs[i]))
        self.monitors.note(_figures(found, step.evidence.label, share, self.args.beta))
        return torch.tensor(loss, device=self.args.device)

    def _settings(self) -> dict[str, Any]:
        place = Path(self.doubly_robust.auxiliary)
        described = place if is_ensemble(place) else place / DESCRIPTION
        seen = described.read_bytes() if described.is_file() else b""
        return {
            **super()._settings(),
            **self.doubly_robust.model_dump(mode="json"),
            "what the auxiliary run says of itself": hashlib.blake2b(seen).hexdigest()[:16],
        }


def _figures(
    result: DoublyRobustResult, label: Tensor, share: Tensor, beta: float
) -> dict[str, float]:
    """What a step shows, beside the figures of the data's pairs.

    * `value`: the estimate psi of how often the policy is preferred to its reference; `direct` and
      `correction`, its terms.
    * `sampled_kl`: KL(pi || pi_ref) in nats, from the samples.
    * `effective_share`: (sum w)^2 / sum w^2 of the ratios of the data's responses, unclipped, as a
      share of their number.
    * `sample_tokens`, `finished`: mean length of the samples; share that ended by themselves.
    """
    figures = figures_of(result.outputs, label, beta)
    figures.pop("kl", None)  # of the data's responses: another divergence
    logs = result.outputs.scores.flatten() / beta
    effective = (2 * logs.logsumexp(0) - (2 * logs).logsumexp(0)).exp() / len(logs)
    means = {
        "value": result.direct + result.correction,
        "direct": result.direct,
        "correction": result.correction,
        "sampled_kl": result.kl,
        "sample_tokens": result.sample_tokens,
        "finished": result.finished,
    }
    return (
        figures
        | {name: float((share * values).sum()) for name, values in means.items()}
        | {"effective_share": float(effective)}
    )


def _auxiliary_of(
    preferences: Preferences, auxiliary: TrainedScorer, objective: DoublyRobust
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """g(X, Y1, Y2) of N records: the column `auxiliary`, or what the model says."""
    found = preferences.numbers("auxiliary")
    if np.isfinite(found).all():  # given in all rows or none
        return found
    seen = saved_prompts(objective.auxiliary) & set(preferences.prompt_keys().tolist())
    if seen:
        warn(
            f"{preferences.name}: {objective.auxiliary} was trained on {len(seen)} of these "
            "prompts. A model that has seen a label repeats it, and the correction by that label "
            "vanishes: cross-fit the column `auxiliary` (surefoot sample), or name a model that "
            "was trained on other prompts.",
            stacklevel=3,
        )
    return np.asarray(auxiliary.probabilities(preferences), dtype=np.float64)
