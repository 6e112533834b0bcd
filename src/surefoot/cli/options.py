"""`surefoot options`: every option of a configuration, with its default and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding

from surefoot.cli.console import out
from surefoot.errors import ConfigurationError, unknown_name

if TYPE_CHECKING:
    from surefoot.options import Options


def sections() -> dict[str, type[Options]]:
    """The sections of a configuration, by what they are called."""
    from surefoot.objectives import LabelModel, MarginLoss, Objective, Regulariser, Risk
    from surefoot.online import Online, OnlineTrainingOptions, PromptOptions
    from surefoot.scorers import EncoderOptions, Head, Scorer
    from surefoot.scorers.language.options import AdapterOptions
    from surefoot.training import (
        DataOptions,
        LanguageTrainingOptions,
        RunConfig,
        TrainingOptions,
    )
    from surefoot.training.drpo.config import DoublyRobust

    slots = {"loss": MarginLoss, "labels": LabelModel, "risk": Risk, "regularisers": Regulariser}
    return {
        "the whole": RunConfig,
        "data": DataOptions,
        **{f"scorer: {kind}": cls for kind, cls in Scorer.registry.items()},
        "scorer.encoder": EncoderOptions,
        **{f"scorer.head: {kind}": cls for kind, cls in Head.registry.items()},
        "scorer.adapter": AdapterOptions,
        "objective": Objective,
        **{
            f"objective.{slot}: {kind}": cls
            for slot, base in slots.items()
            for kind, cls in base.registry.items()
        },
        "objective: doubly-robust": DoublyRobust,
        "objective: online": Online,
        "data, of online training": PromptOptions,
        "training, of online training": OnlineTrainingOptions,
        "training": TrainingOptions,
        "training, of a language model": LanguageTrainingOptions,
    }


def default_of(option: Any) -> str:
    """The default of an option as a configuration has it; of a member its name."""
    from surefoot.options import Member, Options

    if option.is_required():
        return "none: must be given"
    value = option.get_default()
    if isinstance(value, Member):
        return str(value.kind)
    if isinstance(value, Options):
        return "see below"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(list(value) if isinstance(value, tuple) else value)


def options(
    section: Annotated[
        str | None,
        typer.Argument(help="As in a configuration: `data`, `objective.risk`, `scorer: policy`."),
    ] = None,
) -> None:
    """Print the options of a configuration: all sections by name, or those of one.

    For example:

        surefoot options
        surefoot options training
        surefoot options objective.risk
        surefoot options "scorer: policy"
    """
    known = sections()
    if section is None:
        for name in known:
            out.print(name)
        out.print("One of them: surefoot options NAME, or its beginning, such as objective.risk.")
        return
    found = {name: cls for name, cls in known.items() if _is_in(name, section)}
    if not found:
        raise ConfigurationError(unknown_name("section", section, known))
    for name, cls in found.items():
        out.print(f"\n{name}", style="bold", soft_wrap=True)
        for option, field in cls.model_fields.items():
            out.print(f"  {option} ({_stated(field)})", soft_wrap=True)
            meaning = " ".join((field.description or "").split())
            out.print(Padding(meaning, (0, 0, 0, 6)))
        if not cls.model_fields:
            out.print("  no options")


def _stated(option: Any) -> str:
    said = default_of(option)
    return "must be given" if option.is_required() else f"default: {said}"


def _is_in(name: str, section: str) -> bool:
    """Whether a section is the one asked for, a kind of it, or of its other uses."""
    return name == section or name.startswith((f"{section}:", f"{section},"))
