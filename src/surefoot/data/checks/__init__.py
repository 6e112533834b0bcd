"""The damage report: what is wrong with preferences that no model is needed to see."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from surefoot import plugins
from surefoot.data.checks.leakage import LEAKAGE, leakage
from surefoot.data.checks.report import DamageReport, ExampleRow, Finding, ordered, without
from surefoot.data.checks.scan import Check, Context
from surefoot.data.rendering.embedding_texts import FeatureView
from surefoot.data.schema import Preferences
from surefoot.errors import ConfigurationError, DataError

__all__ = ["DamageReport", "ExampleRow", "Finding", "check", "checks", "with_leaks", "without"]


def checks() -> tuple[Check, ...]:
    """Every check: those in `CHECKS` of the files here and of plugins."""
    return tuple(itertools.chain.from_iterable(plugins.found(__name__, "CHECKS")))


def check(
    preferences: Preferences,
    *,
    tokenizer: Any = None,
    max_length: int | None = None,
    keep_end: bool = False,
    views: Sequence[FeatureView] | None = None,
    against: Preferences | None = None,
) -> DamageReport:
    """Look for damage in preferences.

    Args:
        preferences: the comparisons; they are read once, and only hashes and lengths are kept.
        tokenizer: of the model to be trained, a `transformers` tokenizer, to find what the model
            loses of the comparisons and what its chat template refuses; with `max_length`.
        max_length: the number of tokens that it reads at most.
        keep_end: it keeps the last special token of what is cut (sequence classifiers that read
            in both directions).
        views: what a head on embeddings sees, where the tokenizer is an encoder's; None: a
            language model reads prompt and response.
        against: the other side of a split, to find prompts that occur on both.

    Raises:
        DataError: there are no rows.
        ConfigurationError: only one of tokenizer and length is given, or the length is below 1.
    """
    if not len(preferences):
        raise DataError(f"{preferences.name} has no rows to check.")
    if (tokenizer is None) != (max_length is None):
        raise ConfigurationError("tokenizer and max_length are given together or not at all.")
    if max_length is not None and max_length < 1:
        raise ConfigurationError(f"max_length should be at least 1; got {max_length!r}.")
    context = Context(preferences, against, tokenizer, max_length, keep_end, views)
    results = [result for one in checks() for result in one(context)]
    return DamageReport(
        name=preferences.name,
        rows=len(preferences),
        findings=ordered(one for one in results if isinstance(one, Finding)),
        unchecked=tuple(one for one in results if isinstance(one, str)),
        readings=preferences.readings,
    )


def with_leaks(report: DamageReport, held_out: Preferences, train: Preferences) -> DamageReport:
    """A report, and the prompts of the held-out side of a split that the training side also has."""
    found = [one for one in leakage(Context(held_out, train)) if isinstance(one, Finding)]
    unchecked = tuple(one for one in report.unchecked if not one.startswith(LEAKAGE))
    return replace(report, findings=ordered([*report.findings, *found]), unchecked=unchecked)
