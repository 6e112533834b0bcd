"""One trainer for reward models and policies, on transformers' Trainer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase, ProgressCallback, Trainer, set_seed
from transformers.trainer_utils import speed_metrics

from surefoot.errors import ConfigurationError, unknown_name
from surefoot.escaping import warn
from surefoot.objectives import Objective
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.loading import Prepared, prepare_model
from surefoot.scorers.language.precision import Masters, master_weights, noise_of, warn_of_masters
from surefoot.scorers.language.preference import labels_of, score_function
from surefoot.scorers.language.reference import ReferencePolicy
from surefoot.scorers.language.saving import for_older_readers
from surefoot.scorers.language.scores import PolicyScores, mode, quick_attention
from surefoot.scorers.language.sharing import Sharing
from surefoot.training import checkpoint
from surefoot.training.agreement import of_first, require_agreement
from surefoot.training.language.at_start import (
    noise_at_start,
    prompts_at_once,
    require_exact,
)
from surefoot.training.language.callbacks import (
    FiniteWeights,
    LastStep,
    PreferenceProgress,
    Resuming,
)
from surefoot.training.language.memory import Memory
from surefoot.training.language.monitors import (
    Monitors,
    WeightLedger,
    evaluation_figures,
    require_finite,
    require_finite_gradient,
)
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.language.preference_config import PreferenceConfig, autocast_dtype
from surefoot.training.language.step import StepRunner


class PreferenceTrainer(Resuming, Trainer):  # type: ignore[misc]  # untyped
    """Trains a reward model or a policy on comparisons under an objective.

    A model with a sequence-classification head is a reward model, a causal language model is a
    policy, whose score is ``beta log(pi / pi_ref)`` with the model as given for reference.

    Example:
        >>> trainer = PreferenceTrainer(  # doctest: +SKIP
        ...     model=model,
        ...     args=PreferenceConfig(output_dir="run", beta=0.1),
        ...     train_dataset=dataset,
        ...     processing_class=tokenizer,
        ...     objective=Objective(labels={"kind": "smoothed", "flip_rate": 0.2}),
        ... )
        >>> trainer.train()  # doctest: +SKIP
    """

    args: PreferenceConfig
    control: Any

    def __init__(
        self,
        model: Any,
        args: PreferenceConfig | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        peft_config: Any = None,
        objective: Objective | None = None,
        callbacks: list[Any] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
    ) -> None:
        """Check everything and tokenise the data.

        Args:
            model: a model, or its folder or hub name (then `args.scorer` says what it is).
            args: how to train.
            train_dataset: :class:`~surefoot.data.Preferences`, or a data set in one of the forms
                that :func:`~surefoot.data.read_preferences` reads (TRL's among them).
            eval_dataset: the same, or several by name.
            processing_class: the tokenizer; by default the one beside the model.
            peft_config: of an adapter to train instead of all weights.
            objective: what is minimised; by default the plain one.
            callbacks: of transformers.
            optimizers: of transformers.

        Raises:
            ConfigurationError: options that do not go together.
            CompositionError: an objective that does not go with this data or model.
            DataError: data that cannot be used.
        """
        self.objective = objective or Objective()
        config = args or PreferenceConfig(output_dir="run")
        set_seed(config.seed)  # a new head or adapter is drawn here
        skew = config.skew_options
        labels = 1 if skew is None else labels_of(skew)
        prepared = prepare_model(model, processing_class, peft_config, config.scorer, labels=labels)
        masters = master_weights(prepared.model)
        self.score = score_function(prepared.kind, prepared.encoder, config.beta, skew)
        config.check(self.objective, self.score.kind, peft_config)
        self.room = min(config.max_length, prepared.positions)
        several = eval_dataset if isinstance(eval_dataset, dict) else {"": eval_dataset}
        read = partial(self._read, prepared, config.pairs_in_a_step)
        pairs = None if train_dataset is None else read(True, train_dataset)
        self.eval_pairs = {n: read(False, one) for n, one in several.items() if one is not None}
        super().__init__(
            model=prepared.model,
            args=config.one_batch_a_step(),
            train_dataset=pairs,
            eval_dataset=self.eval_pairs or None,
            processing_class=prepared.tokenizer,
            callbacks=callbacks,
            optimizers=optimizers,
        )
        self._equip(config, prepared, masters)
        self._forget()

    @property
    def pairs(self) -> TrainingPairs:
        """The comparisons to train on.

        Raises:
            ConfigurationError: there are none.
        """
        if self.train_dataset is None:
            raise ConfigurationError("there is no train_dataset.")
        return self.train_dataset

    def _read(self, prepared: Prepared, size: int, learning: bool, data: Any) -> TrainingPairs:
        how = (prepared.tokenizer, self.objective, self.score.kind, self.room, prepared.encoder)
        return TrainingPairs.of(data, *how, learning, size)

    def _equip(self, config: PreferenceConfig, prepared: Prepared, masters: Masters) -> None:
        """Say where and how passes run, against which reference, and what is shown of them."""
        ranks, model = self.accelerator.num_processes, prepared.model
        self.engine = Engine(
            device=self.args.device,
            pad_id=prepared.pad_id,
            pairs=config.per_device_train_batch_size,
            tokens=config.max_tokens,
            precision=autocast_dtype(self.accelerator.mixed_precision) or masters.passes,
            rank=self.accelerator.process_index,
            ranks=ranks,
            sum_over_ranks=lambda one: self.accelerator.reduce(one, "sum") if ranks > 1 else one,
        )
        warn_of_masters(masters, self.engine.precision)
        pairs = self.train_dataset or next(iter(self.eval_pairs.values()), None)
        self.sharing: Sharing | None = None  # of prompts, where that is the same at all
        if pairs is not None:
            how = (self.engine, model, self.score, pairs.tokens)
            self.engine, self.sharing = prompts_at_once(self.objective, *how, self.args)
        self.memory = Memory(say=lambda line: warn(line, stacklevel=2))
        self.reference: ReferencePolicy | None = None
        if isinstance(self.score, PolicyScores):
            self.score.noise = noise_of(model, self.engine.precision, self.engine.device).usual
            live = config.reference == "live"
            self.reference = ReferencePolicy.of(model, self.engine, live, not prepared.new_adapter)
        if any(isinstance(one, ProgressCallback) for one in self.callback_handler.callbacks):
            self.remove_callback(ProgressCallback)
            self.add_callback(PreferenceProgress)
        for callback in (LastStep, FiniteWeights):
            self.add_callback(callback)

    def _forget(self) -> None:
        """Begin as a new run does, with nothing seen."""
        self.risk_state: Mapping[str, Tensor] = {}
        self.ledger, self.monitors, self.window.before = WeightLedger(), Monitors(), {}

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """Train; the reference's log-probabilities are computed (or read from disk) first.

        Raises:
            SurefootError: a loss that is not finite, where the message names the rows; or
                processes that differ in what they learn, or from what.
        """
        self._forget()
        self.risk_state = self.pairs.risk_state(self.objective.risk)
        self.require_exact()
        evaluated = {f"evaluation data {name}": one.key for name, one in self.eval_pairs.items()}
        require_agreement(self._settings() | evaluated)
        if resume_from_checkpoint is True:
            resume_from_checkpoint = of_first(checkpoint.newest(Path(self.args.output_dir)))
        live = self.reference is not None and self.reference.live
        with quick_attention(self.model, self.engine.device, self.engine.precision is not None):
            for pairs in (self.pairs, *self.eval_pairs.values()):
                self._know_reference(pairs, live and pairs is self.pairs)
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def require_exact(self) -> None:
        """Refuse an objective that needs a second derivative which the model has not."""
        require_exact(self.objective, self.score, self.model, self.engine, self.args, self.pairs)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Steps, whole: every rank gets the same one, and runs its part of it."""
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        shuffle = self.args.train_sampling_strategy != "sequential"
        return self.pairs.loader(self.args.pairs_in_a_step, seed, shuffle)

    def training_step(
        self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None
    ) -> Tensor:
        """Accumulate the gradient of one step; see :mod:`surefoot.training.language.step`."""
        del model, num_items_in_batch
        pairs = self.pairs
        step = pairs.step(inputs)
        live = self.reference if self.reference and self.reference.live else None
        how = (self.objective, self.score, pairs.tokens, self.engine, self.accelerator.backward)
        runner = StepRunner(*how, live_reference=live, memory=self.memory)
        with mode(self.model, dropout=not self.args.disable_dropout):
            result = runner.run(self.model, step, self.risk_state)
        sound = result.losses.isfinite() & result.outputs.scores.isfinite().all(1)
        number = self.state.global_step + 1
        require_finite(sound, result.value, number, lambda i: pairs.place(inputs[i]))
        self.risk_state = result.risk.state
        if step.units is not None and not pairs.renumbered:
            self.ledger.add(int((self.state.epoch or 0) + 1e-6), result.risk)
        label, score = step.evidence.label, self.score
        self.monitors.add(result, label, score.beta, score.kind == "margins")
        return torch.tensor(result.value, device=self.args.device)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        if self.accelerator.scaler is None:  # which skips such steps, and lowers its scale
            require_finite_gradient(float(norm), self.state.global_step + 1)
        return norm

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Objective and figures on the evaluation data, over all of it at once.

        Raises:
            ConfigurationError: data that the trainer was not made with.
        """
        del ignore_keys  # of transformers: names among a model's outputs
        chosen = self.eval_pairs if eval_dataset is None else eval_dataset
        if isinstance(chosen, str):
            if chosen not in self.eval_pairs:
                raise ConfigurationError(unknown_name("evaluation data", chosen, self.eval_pairs))
            chosen = self.eval_pairs[chosen]
        if isinstance(chosen, dict):
            metrics: dict[str, float] = {}
            for name, one in chosen.items():
                prefix = f"{metric_key_prefix}_{name}" if name else metric_key_prefix
                metrics |= self.evaluate(one, metric_key_prefix=prefix)
            return metrics
        if not isinstance(chosen, TrainingPairs):
            raise ConfigurationError("evaluation data are given when the trainer is made.")
        start = time.time()
        self._know_reference(chosen)
        found = evaluation_figures(self, chosen)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        metrics |= speed_metrics(metric_key_prefix, start, num_samples=len(chosen))
        self.log(metrics)
        how = (self.args, self.state, self.control, metrics)
        self.control = self.callback_handler.on_evaluate(*how)
        return metrics

    def _know_reference(self, pairs: TrainingPairs, live: bool = False) -> None:
        """Have the reference's figures of some pairs (not where it is `live`), and its noise."""
        if self.reference is None or pairs.reference is not None:
            return
        if not live:
            pairs.reference = self.reference.log_probs(pairs.tokens)
        if pairs is self.train_dataset and not self.state.global_step:
            assert isinstance(self.score, PolicyScores)
            self.score.noise = noise_at_start(self.model, self.reference, pairs, self.engine)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the monitors to what is logged in training."""
        super().log(logs | self.monitors.take() if "loss" in logs else logs, start_time)

    def floating_point_ops(self, inputs: Any) -> int:
        """Six operations for each parameter and token; transformers sums over ranks."""
        tokens = int(self.pairs.tokens.lengths[inputs].sum()) // self.args.world_size
        return 6 * self.model.num_parameters() * tokens

    def _settings(self) -> dict[str, Any]:
        return checkpoint.settings(self)

    def _state(self) -> dict[str, Tensor]:
        return {**self.risk_state, **self.ledger.state()}

    def _figures(self) -> dict[str, Any]:
        return self.monitors.sums

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        kept = checkpoint.load(Path(resume_from_checkpoint), self._settings())
        self.ledger, self.risk_state = WeightLedger.split(kept)
        super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        for_older_readers(output_dir or self.args.output_dir)
