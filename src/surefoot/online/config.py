"""A configuration of online training: `objective: {kind: online, ...}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from surefoot.data.options import FileReading
from surefoot.errors import ConfigurationError
from surefoot.objectives import Objective, Risk
from surefoot.objectives.duals import EstimatedRisk
from surefoot.objectives.risks.mean import Mean
from surefoot.objectives.sized import SizedRisk
from surefoot.options import READS, WRITES, Options
from surefoot.scorers import EnsembleOptions, PolicyScorer, Scorer
from surefoot.training.config import SeededConfig, Sources
from surefoot.training.drpo.config import DoublyRobust
from surefoot.training.options import LanguageTrainingOptions, OptimiserOptions

Model = str | EnsembleOptions


class PromptOptions(FileReading):
    """Which prompts to train on."""

    title: ClassVar[str] = "the section 'data' of online training"

    train: Sources = Field(min_length=1)
    """Files or hub data sets, of comparisons (whose prompts are taken, each once) or of prompts
    alone: rows of `prompt`, and `group` or `source` where a risk is over these."""


class Online(Options):
    """The policy whose responses have the most reward, less `scorer.beta` times its KL.

    On the worst distribution of prompts that `risk` allows (Mandal et al., 2503.00539);
    :mod:`surefoot.online.adversary` has the equations. The trainers are TRL's.
    """

    title: ClassVar[str] = "the objective 'online'"

    kind: Literal["online"] = "online"
    """Mark of this objective beside those of margins."""
    algorithm: Literal["rloo", "grpo"] = "rloo"
    """TRL's trainer. RLOO (2402.14740) takes the KL into the reward; GRPO (2402.03300) divides
    rewards by their deviation for each prompt, and has the KL in its loss."""
    reward: Annotated[Model, READS]
    """What is maximised: a run folder, the file of an ensemble, or an ensemble written out
    (`{members: [runs/reward], pessimism: worst-case}`)."""
    risk: Risk = Mean()
    """Over groups of prompts: `unit` is `group`, `source`, `cluster` or `prompt`. The mean is plain
    RLOO or GRPO, to the bit."""
    baseline: Literal["reference", "data"] = "reference"
    """What a prompt's return is compared with, so that constants of the reward are no difficulty:
    what the reference policy writes before training, or the data's own responses."""
    baseline_samples: int = Field(4, ge=1)
    """Responses of the reference to each prompt."""
    rate: float = Field(0.05, gt=0, le=1)
    """Weight of one prompt in the running value of its group: 0.05 remembers some 20 prompts."""
    samples: int = Field(4, ge=2)
    """Responses that the policy writes to each prompt of a step."""
    max_new_tokens: int = Field(128, ge=1)
    """Tokens of a response at most; one that reaches them is judged as it is."""
    stop_kl: float | None = Field(None, gt=0)
    """Stop where the mean log(pi / pi_ref) of a response, smoothed over some ten steps, is above
    this, in nats."""
    watch: Annotated[Model | None, READS] = None
    """Another reward model that sees the same responses and is not trained on."""
    stop_drop: float | None = Field(None, gt=0)
    """Stop where the smoothed reward of `watch` has fallen this far below its best."""
    vllm: dict[str, Any] | None = None
    """Write with vLLM: options of TRL by their name behind `vllm_`, such as `{mode: colocate}`."""

    @field_validator("risk")
    @classmethod
    def _over_prompts(cls, risk: Risk) -> Risk:
        if risk.unit == "pair" and not isinstance(risk, Mean):
            raise ConfigurationError(
                f"online training has no pairs: unit of {risk.label()} is group, source, cluster "
                f"or prompt; got {risk.unit!r}."
            )
        for name in ("trim", "regret"):
            if getattr(risk, name):
                raise ConfigurationError(
                    f"{name} of {risk.label()} is about the labels of pairs, and online training "
                    "has none: leave it out."
                )
        if isinstance(risk, SizedRisk) and risk.is_auto:
            raise ConfigurationError(
                f"{risk.size_option} 'auto' of {risk.label()} is chosen on pairs, by `surefoot "
                "train` with `scorer: embedding`; give the number that it chooses."
            )
        if isinstance(risk, EstimatedRisk) and risk.estimate != "step":
            raise ConfigurationError(
                f"estimate {risk.estimate!r} of {risk.label()} is for steps of pairs; "
                "online training has running values of its groups, and their worst case is exact."
            )
        return risk

    @model_validator(mode="after")
    def _watched(self) -> Self:
        if self.stop_drop is not None and self.watch is None:
            raise ConfigurationError(
                "stop_drop is of the reward model that is watched: name one (watch)."
            )
        return self

    @classmethod
    def relatives(cls) -> Iterable[type[Options]]:
        """Objectives of other trainings: an unknown option may be one of theirs."""
        return (Objective, DoublyRobust)

    @property
    def robust(self) -> bool:
        """Whether prompts may count differently."""
        return not isinstance(self.risk, Mean) or self.risk.unit_mass != "pairs"

    def describe(self) -> str:
        """The objective in one line."""
        reward = self.reward
        if isinstance(reward, EnsembleOptions):
            reward = f"{reward.pessimism.kind} of {', '.join(reward.members)}"
        over = f", {self.risk.label()} over each {self.risk.unit}" if self.robust else ""
        return (
            f"reward ({reward}) less beta KL by {self.algorithm.upper()}: {self.samples} samples "
            f"of each prompt{over}"
        )


class OnlineTrainingOptions(OptimiserOptions):
    """How to train."""

    title: ClassVar[str] = "the section 'training' of online training"

    @classmethod
    def relatives(cls) -> Iterable[type[Options]]:
        """Options of training language models: an unknown option may be one of theirs."""
        return (LanguageTrainingOptions,)

    prompts_per_step: int = Field(8, ge=1, le=10**6)
    """Prompts in an optimiser step, over all processes."""
    micro_batch: int = Field(8, ge=1)
    """Responses in one forward pass."""


def _policy(given: Any) -> PolicyScorer:
    scorer = Scorer.parse(given)
    if not isinstance(scorer, PolicyScorer):
        raise ConfigurationError(
            f"{Online.label()} trains policies; {scorer.label()} writes nothing."
        )
    return scorer


class OnlineConfig(SeededConfig):
    """A whole run of online training."""

    title: ClassVar[str] = "the configuration of online training"

    schema_version: Literal[1] = 1
    """Version of this form."""
    data: PromptOptions
    """The prompts."""
    scorer: Annotated[SerializeAsAny[PolicyScorer], BeforeValidator(_policy)]
    """The policy, which is also the reference: `{kind: policy, model: ..., beta: ...}`."""
    objective: Online
    """What is maximised."""
    training: OnlineTrainingOptions = OnlineTrainingOptions()
    """Steps, learning rate and writing of a run."""
    output: Annotated[str, WRITES] = Field(min_length=1)
    """The run folder; never overwritten unless asked."""


def is_online(options: Mapping[str, Any]) -> bool:
    """Whether these options by name are those of an :class:`OnlineConfig`."""
    objective = options.get("objective")
    return objective == "online" or (
        isinstance(objective, Mapping) and objective.get("kind") == "online"
    )
