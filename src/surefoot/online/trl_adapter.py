"""Where we touch TRL's trainers, and nowhere else: RLOO and GRPO that weigh prompts.

Written for one version of TRL. `tests/online/test_trl_adapter.py` holds digests of the methods that
are overridden or relied on, and fails where they move; read what changed before the version is
raised. Nothing is patched: these are subclasses.

What is relied on:

* `_generate_and_score_completions` gives normalised `advantages` (B,), and its dictionary travels
  to `_compute_loss` row by row, whatever its tensors are called;
* `_calculate_rewards` gives the rewards of all processes, and sees the columns of the data;
* `_metrics["train"]` holds the figures since the last log, by name;
* a checkpoint is written between steps by `_save_checkpoint`, and torch's generators are set back
  when it is loaded; the order of the prompts has a generator of its own (`RepeatSampler`), which
  draws once an epoch;
* `_get_per_token_logps_and_entropies` is asked for the policy and then, with beta above 0, for the
  reference (RLOO), or for the reference alone (GRPO) while responses are scored;
* RLOO takes beta KL into the reward, so a weight on the advantage weighs it too; GRPO adds
  beta times Schulman's estimate of each token, times the ratio to the policy that wrote it, to the
  loss, summed over tokens and divided by `num_items_in_batch` (loss type `dapo`, its default).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import trl
from torch import Tensor
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from surefoot.errors import ConfigurationError, DataError
from surefoot.online.progress import Progress
from surefoot.scorers.language.generation import finite_probabilities
from surefoot.training.language.callbacks import Resuming

#: The version that this file was written for.
TRL_VERSION = "1.16.0"

_WEIGHTS, _PLACES = "prompt_weights", "prompt_rows"
_REWARDS, _WATCHED, _KL = "sequence_rewards", "watched_rewards", "sequence_kl"


class _EndOfStep(TrainerCallback):  # type: ignore[misc]
    """Takes in what a step has shown, before it is logged, and stops the run where it has to."""

    def __init__(self, trainer: _Weighing) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """Draw the orders of the epochs that are done, where a run is resumed."""
        loader = named["train_dataloader"]
        batches = loader.batch_sampler
        sampler = getattr(batches, "batch_sampler", batches).sampler  # with several processes
        for _ in range(state.global_step // (len(loader) // args.gradient_accumulation_steps)):
            torch.randperm(sampler.num_samples, generator=sampler.generator)

    def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """After the optimiser's step."""
        self.trainer.end_step()
        if self.trainer.progress.stopped:
            control.should_training_stop = True


class _Weighing(Resuming):
    """What both trainers share; stands before TRL's class."""

    progress: Progress
    watch: Callable[..., list[float]] | None

    def __init__(
        self,
        *arguments: Any,
        progress: Progress,
        watch: Any = None,
        settings: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> None:
        """A trainer of TRL on data with the columns of :meth:`PromptSet.dataset`.

        Beside TRL's arguments it takes `progress`, what prompts gained and how they count; `watch`,
        a reward function that is shown what the policy writes, and not trained on; and `settings`,
        what two runs share if they are the same run.

        Raises:
            ConfigurationError: another version of TRL, or options of its that do not go with this.
        """
        require_version()
        require_plain_steps(named["args"])
        super().__init__(*arguments, **named)
        self.progress, self.watch, self.settings = progress, watch, settings or {}
        self._passes: list[Tensor] = []
        self._openings: list[list[int]] = []
        self._scored: dict[str, Tensor] = {}
        self._done: list[tuple[Tensor, ...]] = []
        self.add_callback(_EndOfStep(self))

    def _state(self) -> Mapping[str, Tensor]:
        return self.progress.remembered()

    def _settings(self) -> Mapping[str, Any]:
        return self.settings

    def _figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = self._metrics["train"]
        return figures

    def create_model_card(self, *args: Any, **named: Any) -> None:
        """None: TRL writes one with every checkpoint, and a run writes its own."""

    def _get_per_token_logps_and_entropies(self, *args: Any, **named: Any) -> Any:
        log_probs = super()._get_per_token_logps_and_entropies(*args, **named)
        self._passes.append(log_probs[0])
        return log_probs

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
    ) -> Tensor:
        gathered: Tensor = super()._calculate_rewards(
            inputs, prompts, completions, completion_ids_list
        )
        start = self.accelerator.process_index * len(prompts)
        own = gathered[start : start + len(prompts)]
        rewards = (own * self.reward_weights.to(own)).sum(1)
        if not bool(rewards.isfinite().all()):
            place = int((~rewards.isfinite()).nonzero()[0])
            shown = " ".join(str(prompts[place]).split())[:60]
            raise DataError(
                f"the reward of a response to the prompt {shown!r} is {float(rewards[place])}: "
                "nothing can be learnt from it. No weight was changed by this step."
            )
        watched = [torch.nan] * len(rewards)
        if self.watch is not None:
            rows = [one["row"] for one in inputs]
            watched = self.watch(prompts=prompts, completions=completions, row=rows)
        seen = torch.tensor(watched, dtype=torch.float64, device=own.device)
        self._scored = {_REWARDS: rewards, _WATCHED: seen}
        return gathered

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """Our own token ids: TRL would render otherwise than whoever else reads the prompts."""
        del prompts
        return self._openings, None, {}

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        self._passes = []
        self._openings = [list(one["opening"]) for one in inputs]
        with finite_probabilities():
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        if not self.model.training:
            return output
        advantages = output["advantages"]
        rows = torch.tensor([one["row"] for one in inputs], device=advantages.device)
        weights = self.progress.weights_of(rows).to(advantages)
        output["advantages"] = advantages * weights
        return output | self._scored | {_WEIGHTS: weights, _PLACES: rows}

    def _note(self, inputs: dict[str, Any], kl: Tensor) -> None:
        """Remember what the responses of one pass were worth."""
        rewards, watched = inputs[_REWARDS].double(), inputs[_WATCHED]
        self._done.append((inputs[_PLACES], rewards, kl.double(), watched))

    def end_step(self) -> None:
        """Take in what the prompts of a step gained, on all processes."""
        columns = [torch.cat(column) for column in zip(*self._done, strict=True)]
        self._done = []
        if columns:
            gathered = [self.accelerator.gather(column).cpu() for column in columns]
            for name, value in self.progress.take_in(*gathered).items():
                self._figures()[name].append(value)


class RobustRLOOTrainer(_Weighing, RLOOTrainer):  # type: ignore[misc]
    """TRL's RLOO, whose prompts count as an adversary says."""

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        if _WEIGHTS in output:
            output[_KL] = torch.zeros_like(output[_REWARDS])
            if len(self._passes) > 1:  # else beta is 0: no reference
                policy, reference = self._passes[:2]
                output[_KL] = ((policy - reference) * output["completion_mask"]).sum(1)
        self._passes = []
        return output

    def _compute_loss(self, model: Any, inputs: Any) -> Tensor:
        loss: Tensor = super()._compute_loss(model, inputs)
        if _WEIGHTS in inputs:
            self._note(inputs, inputs[_KL])
        self._passes = []
        return loss


class RobustGRPOTrainer(_Weighing, GRPOTrainer):  # type: ignore[misc]
    """TRL's GRPO, whose prompts count as an adversary says, in their KL too."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        args = named["args"]
        for name, weighed in (("loss_type", "dapo"), ("importance_sampling_level", "token")):
            if args.beta and getattr(args, name) != weighed:
                raise ConfigurationError(
                    f"the KL of prompts is weighed under {name} {weighed!r}; got "
                    f"{getattr(args, name)!r}."
                )
        super().__init__(*arguments, **named)

    def _compute_loss(self, model: Any, inputs: Any) -> Tensor:
        self._passes = []
        loss: Tensor = super()._compute_loss(model, inputs)
        if _WEIGHTS not in inputs:
            return loss
        (policy,), mask = self._passes, inputs["completion_mask"]
        self._passes = []
        weights, kl = inputs[_WEIGHTS], torch.zeros_like(inputs[_REWARDS])
        if self.beta:
            change = inputs["ref_per_token_logps"] - policy  # log pi_ref - log pi
            kl = -(change.detach() * mask).sum(1)
            if not bool((weights == 1).all()):  # TRL's own loss has each KL once
                tokens = change.exp() - change - 1
                if self.args.use_bias_correction_kl:
                    old = inputs.get("old_per_token_logps", policy.detach())
                    tokens = tokens * (policy - old).exp()
                beyond = (self.beta * (weights - 1)[:, None] * tokens * mask).sum()
                loss = loss + beyond / self._divisor(inputs)
        self._note(inputs, kl)
        return loss

    def _divisor(self, inputs: Any) -> Tensor:
        """What TRL divides sums over tokens by (loss type `dapo`)."""
        tokens = inputs["num_items_in_batch"].clamp(min=1.0) / self.accelerator.num_processes
        parts = self.current_gradient_accumulation_steps / self.args.steps_per_generation
        return tokens * parts


def require_version() -> None:
    """Refuse any other TRL than the one that this file was written for.

    Raises:
        ConfigurationError: it is another one.
    """
    if trl.__version__ != TRL_VERSION:
        raise ConfigurationError(
            f"online training stands on the inside of TRL {TRL_VERSION}; installed is "
            f"{trl.__version__}: pip install trl=={TRL_VERSION}."
        )


def require_plain_steps(args: RLOOConfig | GRPOConfig) -> None:
    """Refuse options under which a response is used in several steps.

    Raises:
        ConfigurationError: it would be.
    """
    if args.num_iterations != 1 or args.steps_per_generation != args.gradient_accumulation_steps:
        raise ConfigurationError(
            "running values of prompts are those of one step: num_iterations is 1 and "
            "steps_per_generation is gradient_accumulation_steps; got "
            f"{args.num_iterations} and {args.steps_per_generation} with "
            f"{args.gradient_accumulation_steps}."
        )


#: Trainer and configuration of each algorithm.
ALGORITHMS: dict[str, tuple[type[Any], type[Any]]] = {
    "rloo": (RobustRLOOTrainer, RLOOConfig),
    "grpo": (RobustGRPOTrainer, GRPOConfig),
}
