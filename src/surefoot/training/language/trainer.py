"""One trainer for reward models and policies, on transformers' Trainer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
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
from surefoot.scorers.language.noise import noise_of
from surefoot.scorers.language.precision import master_weights, warn_of_masters
from surefoot.scorers.language.preference import labels_of, score_function
from surefoot.scorers.language.reference import ReferencePolicy
from surefoot.scorers.language.saving import for_older_readers
from surefoot.scorers.language.scores import PolicyScores, mode, quick_attention
from surefoot.training import checkpoint
from surefoot.training.agreement import of_first, require_agreement
from surefoot.training.language.at_start import noise_at_start
from surefoot.training.language.evaluation import evaluation_figures
from surefoot.training.language.ledger import WeightLedger
from surefoot.training.language.log_window import LogWindow
from surefoot.training.language.memory import Memory
from surefoot.training.language.monitors import (
    FiniteWeights,
    LastStep,
    Monitors,
    PreferenceProgress,
    require_finite,
    require_finite_gradient,
)
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.language.preference_config import PreferenceConfig, autocast_dtype
from surefoot.training.language.second_order import require_exact
from surefoot.training.language.step import StepRunner


class PreferenceTrainer(Trainer):  # type: ignore[misc]  # untyped
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
        size = config.pairs_in_a_step
        self.pairs = None
        if train_dataset is not None:
            self.pairs = self._pairs(train_dataset, prepared, size, learning=True)
        several = eval_dataset if isinstance(eval_dataset, dict) else {"": eval_dataset}
        self.eval_pairs = {
            name: self._pairs(data, prepared, size, learning=False)
            for name, data in several.items()
            if data is not None
        }
        super().__init__(
            model=prepared.model,
            args=config.one_batch_a_step(),
            train_dataset=self.pairs,
            eval_dataset=self.eval_pairs or None,
            processing_class=prepared.tokenizer,
            callbacks=callbacks,
            optimizers=optimizers,
        )
        if any(isinstance(one, ProgressCallback) for one in self.callback_handler.callbacks):
            self.remove_callback(ProgressCallback)
            self.add_callback(PreferenceProgress)
        self.add_callback(LastStep)
        self.add_callback(FiniteWeights)
        self.window = LogWindow(self)
        self.add_callback(self.window)
        self.engine = self._engine(config, prepared.pad_id, masters.passes)
        warn_of_masters(masters, self.engine.precision)
        self.reference = None
        if isinstance(self.score, PolicyScores):
            noise = noise_of(prepared.model, self.engine.precision, self.engine.device)
            self.score.noise = noise.usual
            live = config.reference == "live"
            given_with = not prepared.new_adapter
            self.reference = ReferencePolicy.of(prepared.model, self.engine, live, given_with)
        self.risk_state: Mapping[str, Tensor] = {}
        self.ledger = WeightLedger()
        self.monitors = Monitors()
        self.memory = Memory(say=lambda line: warn(line, stacklevel=2))
        self._runner: StepRunner | None = None

    def _pairs(self, data: Any, prepared: Prepared, size: int, learning: bool) -> TrainingPairs:
        return TrainingPairs.of(
            data,
            prepared.tokenizer,
            self.objective,
            self.score.kind,
            self.room,
            prepared.encoder,
            learning,
            size,
        )

    def _engine(self, config: PreferenceConfig, pad_id: int, passes: torch.dtype | None) -> Engine:
        """Where forward passes run; in the precision `passes` where none is launched."""
        ranks = self.accelerator.num_processes
        return Engine(
            device=self.args.device,
            pad_id=pad_id,
            pairs=config.per_device_train_batch_size,
            tokens=config.max_tokens,
            precision=autocast_dtype(self.accelerator.mixed_precision) or passes,
            rank=self.accelerator.process_index,
            ranks=ranks,
            sum_over_ranks=self._sum_over_ranks if ranks > 1 else lambda tensor: tensor,
        )

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """Train; the reference's log-probabilities are computed (or read from disk) first.

        Raises:
            SurefootError: a loss that is not finite, where the message names the rows; or
                processes that differ in what they learn, or from what.
        """
        if self.pairs is None:
            raise ConfigurationError("there is no train_dataset.")
        self.ledger = WeightLedger()
        self._runner, self.risk_state = None, self.pairs.risk_state(self.objective.risk)
        self.monitors, self.window.before = Monitors(), {}
        self.require_exact()
        evaluated = {f"evaluation data {name}": one.key for name, one in self.eval_pairs.items()}
        require_agreement(self._settings() | evaluated)
        if resume_from_checkpoint is True:
            resume_from_checkpoint = of_first(checkpoint.newest(Path(self.args.output_dir)))
        with quick_attention(self.model, self.engine.device, self.engine.precision is not None):
            for pairs in (self.pairs, *self.eval_pairs.values()):
                live = self.reference is not None and self.reference.live
                if pairs is not self.pairs or not live:
                    self._know_reference(pairs)
            if self.reference is not None and self.reference.live and not self.state.global_step:
                self._look_at_noise()
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def require_exact(self) -> None:
        """Refuse an objective that needs a second derivative which the model has not.

        Raises:
            ConfigurationError: it does.
        """
        assert self.pairs is not None
        require_exact(self.objective, self.score, self.model, self.engine, self.args, self.pairs)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Steps, whole: every rank gets the same one, and runs its part of it."""
        assert self.pairs is not None
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        shuffle = self.args.train_sampling_strategy != "sequential"
        return self.pairs.loader(self.args.pairs_in_a_step, seed, shuffle)

    def training_step(
        self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None
    ) -> Tensor:
        """Accumulate the gradient of one step; see :mod:`surefoot.training.language.step`."""
        del model, num_items_in_batch
        pairs = self.pairs
        assert pairs is not None
        step = pairs.step(inputs)
        if self._runner is None:
            self._runner = StepRunner(
                self.objective,
                self.score,
                pairs.tokens,
                self.engine,
                backward=self.accelerator.backward,
                live_reference=self.reference if self.reference and self.reference.live else None,
                memory=self.memory,
            )
        with mode(self.model, dropout=not self.args.disable_dropout):
            result = self._runner.run(self.model, step, self.risk_state)
        sound = result.losses.isfinite() & result.outputs.scores.isfinite().all(1)
        number = self.state.global_step + 1
        require_finite(sound, result.value, number, lambda i: pairs.place(inputs[i]))
        self.risk_state = result.state
        if step.units is not None and not pairs.renumbered:
            self.ledger.add(int((self.state.epoch or 0) + 1e-6), result.risk)
        pairwise = self.score.kind == "margins"
        self.monitors.add(result, step.evidence.label, self.score.beta, pairwise)
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
        known = self.pairs is not None and chosen.unit_names == self.pairs.unit_names
        found = evaluation_figures(
            self.model,
            chosen,
            self.objective,
            self.score,
            replace(self.engine, pairs=self.args.per_device_eval_batch_size),
            self.risk_state if known else {},
        )
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        metrics |= speed_metrics(metric_key_prefix, start, num_samples=len(chosen))
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _know_reference(self, pairs: TrainingPairs) -> None:
        if self.reference is not None and pairs.reference is None:
            pairs.reference = self.reference.log_probs(pairs.tokens)
            if pairs is self.pairs and not self.state.global_step:
                self._look_at_noise()

    def _look_at_noise(self) -> None:
        assert self.reference is not None
        assert self.pairs is not None
        assert isinstance(self.score, PolicyScores)
        self.score.noise = noise_at_start(self.model, self.reference, self.pairs, self.engine)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the monitors to what is logged in training."""
        logs = self.window.of_the_whole(logs)
        super().log(logs | self.monitors.take() if "loss" in logs else logs, start_time)

    def floating_point_ops(self, inputs: Any) -> int:
        """Six operations for each parameter and token; transformers sums over ranks."""
        assert self.pairs is not None
        tokens = int(self.pairs.tokens.lengths[inputs].sum()) // self.args.world_size
        return 6 * self.model.num_parameters() * tokens

    def _sum_over_ranks(self, tensor: Tensor) -> Tensor:
        return self.accelerator.reduce(tensor, "sum")

    def _settings(self) -> dict[str, Any]:
        assert self.pairs is not None
        key = self.reference.key if self.reference else ""
        held = {str(p.dtype).removeprefix("torch.") for p in self.model.parameters()}
        precision = [self.accelerator.mixed_precision, *sorted(held)]
        return checkpoint.settings(
            self.args, self.objective, self.pairs, self.score.beta, key, precision
        )

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        window = {"figures": self.monitors.state(), **self.window.kept()}
        if self.args.should_save:
            folder = Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}"
            state = {**self.risk_state, **self.ledger.state()}
            checkpoint.save(folder, state, self._settings(), window, self.args.world_size)
        super()._save_checkpoint(model, trial)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        for_older_readers(output_dir or self.args.output_dir)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        folder = Path(resume_from_checkpoint)
        kept = checkpoint.load(folder, self._settings())
        window = checkpoint.window(folder)
        self.monitors.go_on(window.pop("figures", {}))
        self.window.before = window
        self.ledger, self.risk_state = WeightLedger.split(kept)
        super()._load_from_checkpoint(resume_from_checkpoint, model)
