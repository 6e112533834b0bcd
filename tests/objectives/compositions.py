"""Members at every setting that their reference is tried at, and what composes of them.

Combinations that are refused are no tests: `test_composition.py` says which, and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import reference

from surefoot.errors import CompositionError
from surefoot.objectives import LabelModel, MarginLoss, Objective, Risk


class Setting(NamedTuple):
    """A member, the options that it was made with, and its reference."""

    member: Any
    options: dict[str, Any]
    reference: Any

    def __str__(self) -> str:
        shown = f"-{self.options}" if self.options else ""
        return f"{self.member.kind}{shown}"


def _settings(registry: Any, references: dict[str, Any]) -> list[Setting]:
    return [
        Setting(registry[kind](**options), options, known)
        for kind, (tried, known) in references.items()
        for options in tried
    ]


LOSSES = _settings(MarginLoss.registry, reference.MARGIN_LOSSES)
LABELS = _settings(LabelModel.registry, reference.LABEL_MODELS)
RISKS = _settings(Risk.registry, reference.RISKS)


def composed(**slots: list[Setting]) -> Iterator[tuple[Objective, tuple[Setting, ...]]]:
    """Objectives of a setting for each of these slots, all that are not refused."""
    for settings in product(*slots.values()):
        members = {slot: one.member for slot, one in zip(slots, settings, strict=True)}
        try:
            yield Objective(**members), settings
        except CompositionError:
            continue


def named(settings: tuple[Setting, ...]) -> str:
    """The name of a test."""
    return "-".join(map(str, settings))
