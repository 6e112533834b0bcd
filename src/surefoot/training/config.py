"""The configuration of a training run: reads like the equation, checked before anything runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, model_validator

from surefoot.boundary.limits import DEPTH, TOO_DEEP
from surefoot.boundary.yaml_texts import yaml_file, yaml_value
from surefoot.data.options import ReadingOptions
from surefoot.data.splits import By
from surefoot.errors import ConfigurationError, unknown_name
from surefoot.escaping import excerpt
from surefoot.objectives import Objective
from surefoot.objectives.presets import PRESETS
from surefoot.objectives.sized import SizedRisk
from surefoot.options import WRITES, Options, check_values
from surefoot.paths import DATA_ENDINGS, FILES
from surefoot.scorers import EmbeddingScorer, Scorer
from surefoot.scorers.language.options import LanguageModelScorer, PolicyScorer
from surefoot.training.drpo.config import DoublyRobust
from surefoot.training.options import LanguageTrainingOptions, TrainingOptions

#: Places that are read; one alone may be written without a list.
Sources = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
    FILES,
]


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

        Files in `data.train` that are not where the command is run are taken beside the
        configuration, so that a folder with both can be moved.

        Raises:
            ConfigurationError: an unreadable file, one of data, or two that a name may mean.
        """
        if DATA_ENDINGS & set(Path(path).suffixes):
            raise ConfigurationError(
                f"{path} is a file of data: {shlex.join(['surefoot', 'init', str(path)])} writes a "
                "configuration for it, which surefoot train takes."
            )
        given = yaml_file(path)
        if not isinstance(given, dict):
            raise ConfigurationError(f"{path} should hold options by name; got {excerpt(given)}.")
        if isinstance(data := given.get("data"), dict) and "data.train" not in (overrides or {}):
            data["train"] = _beside(Path(path).parent, data.get("train"))
        defaults = {"scorer": EmbeddingScorer().model_dump(), "objective": Objective().model_dump()}
        for name, value in (overrides or {}).items():
            parts = name.split(".")
            if len(parts) > DEPTH:
                raise ConfigurationError(f"--{excerpt(name)}: {TOO_DEEP}.")
            _override(given, parts, yaml_value(value, f"--{name}"), defaults)
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

    train: Sources = Field(min_length=1)
    """Files, patterns (`data/*.jsonl`), folders of Parquet or Arrow files, or hub data sets
    (`hub:owner/name:configuration@split`); several are pooled."""
    damaged: Literal["remove", "keep", "fail"] = "remove"
    """Rows that the damage report calls errors: removed, kept, or fatal."""
    half_life: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Days in which a training row loses half of its weight, by the column `time`; the newest row
    keeps all of its own. Held-out rows keep theirs."""
    held_out: float = Field(0.0, ge=0, lt=1)
    """Share of the data to hold out, by `split_by`; written to `held-out.jsonl` in the run."""
    split_by: By = "prompt"
    """What stays on one side of the split; `dialogue`: prompts that begin with the same words of
    the user; `row`: only what repeats one pair."""
    split_seed: int = 0
    """Seed of the split, apart from the training seed: every seed holds out the same rows."""


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
        if isinstance(options, Mapping) and "objective" in options:
            return {**options, "objective": _objective(options["objective"])}
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
        chosen = risk if isinstance(risk, SizedRisk) and risk.is_auto else None
        if chosen is not None and not isinstance(self.scorer, EmbeddingScorer):
            raise ConfigurationError(
                f"risk.{chosen.size_option} 'auto' trains without one group after the other, at "
                f"{len(chosen.sizes)} sizes: too dear for {self.scorer.label()}. Run the same data "
                f"and risk with `scorer: embedding`, and give the {chosen.size_option} that it "
                "chooses."
            )
        cost = getattr(self.training, "mean_cost", None)
        if cost is not None and chosen is None:
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
        scorer, drawn = self.scorer, getattr(self.training, "bootstrap", False)
        fixed = isinstance(scorer, EmbeddingScorer) and scorer.head.linear and scorer.members == 1
        if count > 1 and fixed and not drawn:  # seeds differ in the choice of the ridge penalty
            raise ConfigurationError(
                f"--seeds {count} would give the same model {count} times: a linear head on fixed "
                "data depends on no seed. Set training.bootstrap: true to resample the training "
                "prompts."
            )
        return super().for_seeds(count)


def _beside(folder: Path, places: Any) -> Any:
    """Places of data, those that are found only in a configuration's folder as they lie there."""
    if isinstance(places, list):
        return [_beside(folder, one) for one in places]
    if not isinstance(places, str) or ":" in places or "\0" in places:
        return places
    here, there = Path(places), folder / places
    if not there.exists():
        return places
    if here.exists() and not here.samefile(there):
        raise ConfigurationError(
            f"data.train names {places}, which is there twice: where the command is run, and "
            f"beside the configuration, {there}. Write {here.resolve()} or {there.resolve()}."
        )
    return places if here.exists() else str(there)


def _objective(given: Any) -> Any:
    """An objective from its name or its options; one of margins where these name no other kind."""
    if isinstance(given, str) and given not in _KINDS:
        if given not in PRESETS:
            raise ConfigurationError(unknown_name("objective", given, [*PRESETS, *_KINDS]))
        return PRESETS[given]
    options = {"kind": given} if isinstance(given, str) else given
    if not isinstance(options, Mapping):
        return options
    kind = str(options.get("kind", ""))
    if kind == "online":
        raise ConfigurationError(
            "objective 'online' has a configuration of its own: surefoot.online.OnlineConfig."
        )
    if "kind" in options and kind not in _KINDS:
        raise ConfigurationError(unknown_name("kind of objective", kind, _KINDS))
    return _KINDS.get(kind, Objective)(**options)


_KINDS: dict[str, type[Objective | DoublyRobust]] = {"doubly-robust": DoublyRobust}


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
