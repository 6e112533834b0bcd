"""What members declare, and every option, from the classes and their help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from transformers import TrainingArguments

from surefoot.cli.options import default_of, sections
from surefoot.judge import Judge
from surefoot.objectives import LabelModel, MarginLoss, Risk
from surefoot.options import Member, Options
from surefoot.scorers import EnsembleOptions
from surefoot.training import PreferenceConfig, RunConfig
from surefoot.training.language.preference_config import _REFUSED
from surefoot_docs.markdown import code, document, prose, table

_DECLARING: Mapping[str, type[Member]] = {
    "margin-losses": MarginLoss,
    "label-models": LabelModel,
    "risks": Risk,
}


def parts() -> dict[str, str]:
    """Declared properties of each slot, and the configuration."""
    found = {f"{name}-properties": properties(base) for name, base in _DECLARING.items()}
    return found | {
        "configuration": configuration(),
        "judge": options(Judge),
        "ensemble": options(EnsembleOptions),
        "preference-config": preference_config(),
        "refused-options": refused_options(),
    }


def preference_config() -> str:
    """What the trainer's arguments have beside those of transformers, or other defaults."""
    theirs = {field.name: field.default for field in fields(TrainingArguments)}
    rows = [
        (code(field.name), code(field.default), prose(field.metadata["help"]))
        for field in fields(PreferenceConfig)
        if field.name not in theirs or field.default != theirs[field.name]
    ]
    return table(("Option", "Default", "Meaning"), rows)


def refused_options() -> str:
    """Options of transformers that the trainer refuses, and why."""
    return "\n".join(f"- `{name}`: {why}." for name, _, why in _REFUSED)


def split_equation(text: str) -> tuple[str, str]:
    """The equation that a docstring opens with, and what follows its colon."""
    line = " ".join(text.split())
    equation, colon, rest = line.partition(": ")
    if not re.search(r"[=^]|\bsum\b|\blog\b|_u\b", equation):
        return "", line
    return (equation, rest[:1].upper() + rest[1:]) if colon else (line.removesuffix("."), "")


def _default(field: Any) -> str:
    """The default of an option: as code, unless it is words."""
    said = default_of(field)
    return said if said in ("see below", "none: must be given") else code(said)


def options(cls: type[Options], names: set[str] | None = None) -> str:
    """The options of a class, with defaults and help."""
    rows = [
        (code(name), _default(field), prose(field.description or ""))
        for name, field in cls.model_fields.items()
        if names is None or name in names
    ]
    return table(("Option", "Default", "Meaning"), rows)


def properties(base: type[Any]) -> str:
    """What each member of a slot declares."""
    members = list(base.registry.values())
    names = [field.name for field in fields(members[0].properties) if field.name != "neutral"]
    rows = [
        [code(cls.kind), *(shown(getattr(cls.properties, name)) for name in names)]
        for cls in members
    ]
    return table(["", *(name.replace("_", " ") for name in names)], rows)


def shown(value: object) -> str:
    """A declared property in a word."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset | tuple):
        return ", ".join(map(str, sorted(value))) or "–"
    if isinstance(value, float):
        return "∞" if value == float("inf") else f"{value:g}"
    return str(value) or "–"


def configuration() -> str:
    """Every section of a configuration file with its options."""
    of_methods = tuple(f"objective.{slot}:" for slot in ("loss", "labels", "risk", "regularisers"))
    return "\n\n".join(
        f"## {'The whole' if cls is RunConfig else code(name)}\n\n{document(cls)}\n\n{options(cls)}"
        for name, cls in sections().items()
        if not name.startswith(of_methods)  # these have pages
    )
