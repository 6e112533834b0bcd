"""Options that several commands share, alone and in groups."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from surefoot.errors import ConfigurationError
from surefoot.paths import FILES, READS, Place

_PAIR = re.compile(r"([^=]+)=(.*)", re.DOTALL)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise typer.BadParameter(f"a finite number is needed; got {value}.")
    return value


@dataclass(frozen=True)
class ModelPlace(Place):
    """Marks an argument that names a trained model."""

    def require(self, value: Any) -> None:
        """Refuse a path that leads nowhere, or to a folder without a model."""
        super().require(value)
        for one in [value] if isinstance(value, str | Path) else value or ():
            if Path(one).is_dir():
                from surefoot.runs import seed_folders
                from surefoot.scorers.storage import DESCRIPTION, require_model

                if (Path(one) / DESCRIPTION).is_file() or not seed_folders(one):
                    require_model(one)


MODEL = ModelPlace(reads=True, bare=False)
Model = Annotated[
    str,
    typer.Argument(
        help="A run folder, one that holds seeds, a transformers model, or a function of prompts "
        "and responses (rewards.py:name)."
    ),
    MODEL,
]
Baseline = Annotated[
    str | None,
    typer.Option("--baseline", help="A run folder to compare with, pair by pair."),
    MODEL,
]
TestData = Annotated[
    list[str], typer.Argument(help="Files, hub data sets or names of suites."), READS
]
SuitesFolder = Annotated[
    Path | None,
    typer.Option("--suites", help="Folder that holds the suites, instead of their origins."),
    FILES,
]
TieTolerance = Annotated[
    float,
    typer.Option(
        "--tie-tolerance",
        min=0,
        callback=_finite,
        help="Rewards this close, or judgments this close to 1/2, are a tie: it counts half.",
    ),
]
Configuration = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML configuration.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write into an output folder that is not empty.")
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source", help="Source of rows that give none; a source-aware model needs a known one."
    ),
]


@dataclass(frozen=True)
class ReportFlags:
    """Where a report on models goes."""

    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for evaluation.json and report.html; without it they are only printed."
        ),
    ] = None
    overwrite: Overwrite = False


@dataclass(frozen=True)
class ReadingFlags:
    """How data are read (see :class:`~surefoot.data.options.ReadingOptions`)."""

    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Your name of a column, as in `prompt=question`; `source=`: yours is another "
            "thing. Repeatable.",
        ),
    ] = None
    coding: Annotated[
        list[str] | None,
        typer.Option(
            help="How a label column is coded, as in `label=first-is-0` or "
            "`label=1:a,2:b,3:tie`. Repeatable.",
        ),
    ] = None
    texts: Annotated[
        list[str] | None,
        typer.Option(
            help="File of texts by id (columns id and text), where prompts or responses are ids. "
            "Repeatable.",
        ),
        FILES,
    ] = None
    max_unusable: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of a file's rows that may be unusable. [0.05]"),
    ] = None
    no_prompt: Annotated[
        bool,
        typer.Option("--no-prompt", help="The data have no prompt; none is asked for or implied."),
    ] = False

    def __post_init__(self) -> None:
        """Refuse what cannot be honoured, before anything is read."""
        if self.column or self.coding:
            from surefoot.data.options import ReadingOptions

            given = self.options
            ReadingOptions(columns=given["columns"] or {}, codings=given["codings"] or {})

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of all that reads files.

        Raises:
            ConfigurationError: a name without a value.
        """
        return {
            "columns": _by_name(self.column, "--column", "prompt=question", empty=True),
            "codings": _by_name(self.coding, "--coding", "label=first-is-0"),
            "texts": self.texts,
            "max_unusable": self.max_unusable,
        }


def _by_name(
    texts: list[str] | None, option: str, example: str, empty: bool = False
) -> dict[str, str] | None:
    """`["prompt=question"]` as a mapping; the right side may be `empty`."""
    found = {}
    for text in texts or ():
        pair = _PAIR.fullmatch(text)
        if pair is None or not (pair[2] or empty):
            raise ConfigurationError(
                f"{option} is a name = a value, as in {example}; got {text!r}."
            )
        found[pair[1]] = pair[2]
    return found or None


@dataclass(frozen=True)
class LoadingFlags:
    """How models are loaded."""

    reference: Annotated[
        str | None,
        typer.Option(help="What a policy was trained from; of a run: where that lies now."),
        READS,
    ] = None
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of the passes of language models: float32, bfloat16 or auto. [as trained; models "
            "of another origin: auto]",
        ),
    ] = None


AS_SAVED = LoadingFlags()


def in_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command as typer takes it: each dataclass among its parameters gives its fields.

    Before anything else it looks whether the places are there that its parameters are marked to
    read (:data:`~surefoot.paths.READS`, :data:`~surefoot.paths.FILES`, :data:`MODEL`).
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {}
    shown: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if is_dataclass(parameter.annotation):
            groups[name] = parameter.annotation
            shown += _options_of(parameter.annotation)
        else:
            shown.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    reads = {one.name: places for one in shown if (places := _places_of(one.annotation))}

    @wraps(command)
    def called(**given: Any) -> None:
        for name, places in reads.items():
            for place in places:
                place.require(given[name])
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    called.__annotations__ = {one.name: one.annotation for one in shown}
    setattr(called, "__signature__", signature.replace(parameters=shown))  # noqa: B010
    return called


def _places_of(annotation: Any) -> list[Place]:
    return [one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Place)]


def _options_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    signature = inspect.signature(group)
    return [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
        for name, one in signature.parameters.items()
    ]
