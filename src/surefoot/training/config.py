"""The configuration of a training run: reads like the equation, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import Field, model_validator

from surefoot.boundary.limits import DEPTH, TOO_DEEP
from surefoot.boundary.yaml_texts import yaml_file, yaml_value
from surefoot.data.options import ReadingOptions
from surefoot.data.splits import By
from surefoot.errors import ConfigurationError, unknown_name
from surefoot.escaping import excerpt
from surefoot.objectives import Objective
from surefoot.objectives.presets import PRESETS
from surefoot.objectives.sized import SizedRisk
from surefoot.options import READS, WRITES, Options, check_values
from surefoot.scorers import EmbeddingScorer, Scorer
from surefoot.scorers.language.options import LanguageModelScorer, PolicyScorer
from surefoot.training.drpo.config import DoublyRobust


class FileOptions(Options):
    """A configuration that is read from a YAML file, and written to one."""

    @classmethod
    def read(cls, path: str | Path, overrides: Mapping[str, str] | None = None) -> Self:
        """Read a YAML file, with overrides such as `{"objective.loss": "hinge"}`.

        Raises:
            ConfigurationError: an unreadable file, unknown options, values out of range.
        """
        return cls(**cls.given(path, overrides))

    @classmethod
    def given(cls, path: str | Path, overrides: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Options of a YAML file with overrides by name, not checked yet.

        Raises:
            ConfigurationError: an unreadable file.
        """
        given = yaml_file(path)
        if not isinstance(given, dict):
            raise ConfigurationError(f"{path} should hold options by name; got {excerpt(given)}.")
        for name, value in (overrides or {}).items():
            _override(given, _path(name), yaml_value(value, f"--{name}"), _defaults())
        return given

    def to_yaml(self) -> str:
        """The complete configuration, every default written out; it runs as it is."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


class SeededConfig(FileOptions):
    """A configuration of training, which any number of seeds can share."""

    if TYPE_CHECKING:
        data: Any
        scorer: Any
        objective: Any
        training: Any
        output: str

    def for_seed(self, seed: int, output: str) -> Self:
        """A copy of the run with another training seed and folder."""
        check_values(seed, "training.seed")
        training = self.training.model_copy(update={"seed": seed})
        return self.model_copy(update={"training": training, "output": output})

    def for_seeds(self, count: int) -> list[Self]:
        """The run with one seed after the other, in folders inside its own; itself for one seed."""
        if count == 1:
            return [self]
        first = self.training.seed
        seeds = range(first, first + count)
        return [self.for_seed(seed, f"{self.output}/seed-{seed}") for seed in seeds]


class DataOptions(ReadingOptions):
    """Which comparisons to train on."""

    title: ClassVar[str] = "the section 'data'"

    train: Annotated[tuple[str, ...], READS] = Field(min_length=1)
    """Files, patterns (`data/*.jsonl`), folders of Parquet or Arrow files, or hub data sets
    (`hub:owner/name:configuration@split`); several are pooled."""
    damaged: Literal["remove", "keep", "fail"] = "remove"
    """Rows that the damage report calls errors: removed, kept, or fatal."""
    held_out: float = Field(0.0, ge=0, lt=1)
    """Share of the data to hold out, by `split_by`; written to `held-out.jsonl` in the run."""
    split_by: By = "prompt"
    """What stays on one side of the split; `row`: only what repeats one pair."""
    split_seed: int = 0
    """Seed of the split, apart from the training seed: every seed holds out the same rows."""

    @model_validator(mode="before")
    @classmethod
    def _one_file(cls, options: Any) -> Any:
        if isinstance(options, Mapping) and isinstance(options.get("train"), str):
            return {**options, "train": (options["train"],)}
        return options


class TrainingOptions(Options):
    """How to train."""

    title: ClassVar[str] = "the section 'training' of a head on embeddings"

    @classmethod
    def relatives(cls) -> Iterable[type[Options]]:
        """Options of training language models: an unknown option may be one of theirs."""
        return (LanguageTrainingOptions,)

    seed: int = Field(0, ge=0)
    """Seed of everything random: folds, an MLP's start, the bootstrap."""
    bootstrap: bool = False
    """Resample the training prompts with replacement, so that seeds show the data's share."""
    mean_cost: float | None = Field(None, ge=0)
    """With `radius: auto` or `level: auto`: by how much the mean held-out loss may rise for the
    worst group's sake; absent: 0.01."""


class OptimiserOptions(Options):
    """What all training of language models has in common."""

    seed: int = Field(0, ge=0)
    """Seed of everything random."""
    epochs: float = Field(1.0, gt=0, le=1e6)
    """Passes over the data."""
    max_steps: int | None = Field(None, ge=1)
    """Optimiser steps, in place of `epochs`."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    """How the learning rate falls."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps in which it rises, from 0 in the first: two steps learn hardly a thing."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay of AdamW."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are cut to this norm."""
    log_every: int = Field(10, ge=1)
    """Steps between two logs."""
    save_every: int | None = Field(None, ge=1)
    """Steps between two checkpoints, from which `--resume` goes on; absent: none."""
    report_to: tuple[str, ...] = ()
    """Where logs go beside the screen: `tensorboard`, `wandb` and whatever transformers knows."""


class LanguageTrainingOptions(OptimiserOptions):
    """How to train a language model."""

    title: ClassVar[str] = "the section 'training' of a language model"

    @classmethod
    def relatives(cls) -> Iterable[type[Options]]:
        """Options of a head on embeddings: an unknown option may be one of theirs."""
        return (TrainingOptions,)

    seed: int = Field(0, ge=0)
    """Seed of everything random: a new head, an adapter's start, the order of the pairs."""
    pairs_per_step: int = Field(32, ge=1, le=10**6)
    """Pairs in an optimiser step, over all processes: what a risk sees at once."""
    micro_batch_pairs: int = Field(8, ge=1)
    """Pairs in one forward pass at most; changes memory and speed, no number."""
    max_tokens: int | None = Field(None, ge=1)
    """Tokens in one forward pass at most, padding counted; changes memory and speed, no number."""
    learning_rate: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Peak learning rate of AdamW; `auto`: 1e-6 for a policy, 1e-5 for a reward model, ten times as
    much for an adapter."""
    evaluate_every: int | None = Field(None, ge=1)
    """Steps between two evaluations on the held-out pairs; absent: at the end only."""

    def rate(self, scorer: LanguageModelScorer) -> float:
        """The peak learning rate in force."""
        if self.learning_rate != "auto":
            return self.learning_rate
        whole = 1e-6 if scorer.model_kind == "policy" else 1e-5
        return whole if scorer.adapter is None else 10 * whole


class RunConfig(SeededConfig):
    """A whole training run."""

    title: ClassVar[str] = "the configuration"

    schema_version: Literal[1] = 1
    """Version of this form."""
    data: DataOptions
    """The comparisons."""
    scorer: Scorer = EmbeddingScorer()
    """What gives a response its score."""
    objective: Objective | DoublyRobust = Objective()
    """What is minimised; `{kind: doubly-robust, ...}` is DRPO's, for policies."""
    training: TrainingOptions | LanguageTrainingOptions = TrainingOptions()
    """How the run trains; the options depend on the scorer."""
    output: Annotated[str, WRITES] = Field(min_length=1)
    """The run folder; never overwritten unless asked."""

    @model_validator(mode="before")
    @classmethod
    def _objective_by_name(cls, options: Any) -> Any:
        objective = options.get("objective") if isinstance(options, Mapping) else None
        if isinstance(objective, str) and objective in _KINDS:
            objective = {"kind": objective}
        if isinstance(objective, str):
            if objective not in PRESETS:
                raise ConfigurationError(unknown_name("objective", objective, [*PRESETS, *_KINDS]))
            return {**options, "objective": PRESETS[objective]}
        if isinstance(objective, Mapping):
            return {**options, "objective": _objective(objective)}
        return options

    @model_validator(mode="before")
    @classmethod
    def _training_of_the_scorer(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or isinstance(values.get("training"), Options):
            return values
        scorer = Scorer.parse(values.get("scorer", EmbeddingScorer()))
        language = isinstance(scorer, LanguageModelScorer)
        options: type[Options] = LanguageTrainingOptions if language else TrainingOptions
        chosen = values.get("training") or {}
        if not isinstance(chosen, Mapping):
            raise ConfigurationError(
                f"training should hold options by name; got {excerpt(chosen)}."
            )
        return {**values, "training": options(**chosen)}

    @model_validator(mode="after")
    def _training_fits(self) -> Self:
        language = isinstance(self.scorer, LanguageModelScorer)
        if language != isinstance(self.training, LanguageTrainingOptions):
            raise ConfigurationError(f"{self.training.label()} is not for {self.scorer.label()}.")
        if isinstance(self.objective, DoublyRobust) and not isinstance(self.scorer, PolicyScorer):
            raise ConfigurationError(
                f"{self.objective.label()} trains policies; {self.scorer.label()} writes nothing."
            )
        return self

    @model_validator(mode="after")
    def _sizes_are_chosen_on_embeddings(self) -> Self:
        risk = self.objective.risk if isinstance(self.objective, Objective) else None
        auto = isinstance(risk, SizedRisk) and risk.is_auto
        if auto and not isinstance(self.scorer, EmbeddingScorer):
            assert isinstance(risk, SizedRisk)
            raise ConfigurationError(
                f"risk.{risk.size_option} 'auto' trains without one group after the other, at "
                f"{len(risk.sizes)} sizes: too dear for {self.scorer.label()}. Run the same data "
                f"and risk with `scorer: embedding`, and give the {risk.size_option} that it "
                "chooses."
            )
        if isinstance(self.training, TrainingOptions):
            cost = self.training.mean_cost
            if cost is not None and not auto:
                raise ConfigurationError(
                    f"training.mean_cost ({cost:g}) is for a risk whose size is chosen "
                    "(radius: auto, level: auto); this one's is given."
                )
        return self

    def for_seeds(self, count: int) -> list[Self]:
        """One configuration per seed, each with a folder of its own if there are several.

        Raises:
            ConfigurationError: the seed makes no difference.
        """
        if count > 1 and not self.depends_on_the_seed():
            raise ConfigurationError(
                f"--seeds {count} would give the same model {count} times: a linear head on fixed "
                "data depends on no seed. Set training.bootstrap: true to resample the training "
                "prompts."
            )
        return super().for_seeds(count)

    def depends_on_the_seed(self) -> bool:
        """Whether two seeds can differ by more than the choice of the ridge penalty."""
        scorer, training = self.scorer, self.training
        if not isinstance(scorer, EmbeddingScorer) or not isinstance(training, TrainingOptions):
            return True
        return training.bootstrap or not scorer.head.linear or scorer.members > 1


def _objective(options: Mapping[str, Any]) -> Objective | DoublyRobust:
    """The objective of a mapping: one of margins where it names no other kind."""
    if "kind" not in options:
        return Objective(**options)
    kind = str(options["kind"])
    if kind == "online":
        raise ConfigurationError(
            "objective 'online' has a configuration of its own: surefoot.online.OnlineConfig."
        )
    if kind not in _KINDS:
        raise ConfigurationError(unknown_name("kind of objective", kind, _KINDS))
    return _KINDS[kind](**options)


_KINDS = {"doubly-robust": DoublyRobust}


def _defaults() -> dict[str, Any]:
    return {"scorer": EmbeddingScorer().model_dump(), "objective": Objective().model_dump()}


def _override(
    options: dict[str, Any], path: Sequence[str], value: Any, defaults: Mapping[str, Any]
) -> None:
    """Set one value deep inside; a member that is absent or only named becomes a mapping."""
    name, *deeper = path
    if not deeper:
        options[name] = value
        return
    default = defaults.get(name, {})
    default = default if isinstance(default, Mapping) else {}
    inner = options.get(name)
    if isinstance(inner, str):
        inner = {"name" if name == "encoder" else "kind": inner}
    elif not isinstance(inner, dict):
        inner = {"kind": default["kind"]} if "kind" in default else {}
    options[name] = inner
    _override(inner, deeper, value, default)


def _path(name: str) -> list[str]:
    """`objective.risk.level` in parts."""
    parts = name.split(".")
    if len(parts) > DEPTH:
        raise ConfigurationError(f"--{excerpt(name)}: {TOO_DEEP}.")
    return parts
