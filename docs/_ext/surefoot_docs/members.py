"""Every member of every slot, and every option, from docstrings and option help."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from surefoot.objectives import LabelModel, MarginLoss, Objective, Risk
from surefoot.options import Member, Options
from surefoot.scorers import EmbeddingScorer, EncoderOptions, Head
from surefoot.training import DataOptions, RunConfig, TrainingOptions
from surefoot_docs.markdown import code, document, paragraphs, prose, table

_SLOTS: Mapping[str, type[Member]] = {
    "margin-losses": MarginLoss,
    "label-models": LabelModel,
    "risks": Risk,
    "heads": Head,
}
_SECTIONS: Mapping[str, type[Options]] = {
    "data": DataOptions,
    "scorer": EmbeddingScorer,
    "scorer.encoder": EncoderOptions,
    "objective": Objective,
    "training": TrainingOptions,
}


def parts() -> dict[str, str]:
    """One text for each slot, and the configuration."""
    found = {
        name: "\n\n".join(member(cls, base) for cls in base.registry.values())
        for name, base in _SLOTS.items()
    }
    found |= {
        f"{name}-properties": properties(base) for name, base in _SLOTS.items() if base is not Head
    }
    return found | {"configuration": configuration()}


def member(cls: type[Member], base: type[Member]) -> str:
    """Heading, equation, explanation, options and source of one member."""
    first, *rest = paragraphs(cls)
    equation, explanation = split_equation(first)
    lines = [f"### `{cls.kind}`"]
    if equation:
        lines.append(f"```text\n{equation}\n```")
    lines += [prose(text) for text in [explanation, *rest] if text]
    own = {name for name in cls.model_fields if name not in base.model_fields}
    if own:
        lines.append(options(cls, own))
    lines.append(f"Source: {prose(paragraphs(sys.modules[cls.__module__])[0])}")
    return "\n\n".join(lines)


def split_equation(text: str) -> tuple[str, str]:
    """The equation that a docstring opens with, and what follows its colon."""
    line = " ".join(text.split())
    equation, colon, rest = line.partition(": ")
    if not re.search(r"[=^]|\bsum\b|_u\b", equation):
        return "", line
    return (equation, rest[:1].upper() + rest[1:]) if colon else (line.removesuffix("."), "")


def options(cls: type[Options], names: set[str] | None = None) -> str:
    """The options of a class, with defaults and help."""
    rows = [
        (code(name), default(field), prose(field.description or ""))
        for name, field in cls.model_fields.items()
        if names is None or name in names
    ]
    return table(("Option", "Default", "Meaning"), rows)


def default(field: Any) -> str:
    """The default of an option, as in a configuration."""
    if field.is_required():
        return "none: must be given"
    value = field.get_default()
    if isinstance(value, Member):
        return code(value.kind)
    if isinstance(value, Options):
        return "see below"
    if isinstance(value, tuple):
        return code(list(value))
    if value is None or isinstance(value, bool):
        return code({None: "null", True: "true", False: "false"}[value])
    return code(value)


def properties(base: type[Any]) -> str:
    """What each member of a slot declares."""
    members = list(base.registry.values())
    names = [field.name for field in fields(members[0].properties) if field.name != "neutral"]
    rows = [
        [code(cls.kind), *(_property(getattr(cls.properties, name)) for name in names)]
        for cls in members
    ]
    return table(["", *(name.replace("_", " ") for name in names)], rows)


def _property(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset | tuple):
        return ", ".join(map(str, sorted(value))) or "–"
    if isinstance(value, float):
        return "∞" if value == float("inf") else f"{value:g}"
    return str(value) or "–"


def configuration() -> str:
    """Every section of a configuration file with its options."""
    top = f"## The whole\n\n{document(RunConfig)}\n\n{options(RunConfig)}"
    sections = [
        f"## `{name}`\n\n{document(cls)}\n\n{options(cls)}" for name, cls in _SECTIONS.items()
    ]
    heads = [
        f"## `scorer.head: {cls.kind}`\n\n{document(cls)}\n\n{options(cls)}"
        for cls in Head.registry.values()
    ]
    return "\n\n".join([top, *sections[:3], *heads, *sections[3:]])
