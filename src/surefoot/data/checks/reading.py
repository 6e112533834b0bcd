"""How the model to be trained reads the comparisons: what it loses of them, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from surefoot.arrays import Bools
from surefoot.data.checks.report import ExampleRow, Finding
from surefoot.data.checks.scan import Context
from surefoot.data.rendering.embedding_texts import cut_note, read_by_encoder
from surefoot.data.rendering.notes import IDENTICAL, REFUSED, Remark, remark_of
from surefoot.data.rendering.token_pairs import refusals, tokenise


def reading(context: Context) -> Iterator[Finding | str]:
    """What training finds when it renders, tokenises and cuts, found by the same functions."""
    tokenizer, limit = context.tokenizer, context.max_length
    if tokenizer is not None and limit is not None and context.views is None:
        yield from _by_language_model(context, limit)
        return
    yield from _finding(context, remark_of("rendered-already", 0), context.scan["rendered-already"])
    if tokenizer is None or limit is None:
        yield (
            "truncation: no tokenizer and length were given, so pairs that a model would cut to "
            "the same tokens are not known, nor what a chat template makes of them."
        )
        return
    cuts = read_by_encoder(context.preferences, tokenizer, limit, context.views or ())
    yield from context.finding(
        "text-cut",
        "note",
        cuts.cut,
        cut_note(cuts.share, limit),
        "Raise the length if what is cut matters, as far as the encoder goes.",
    )
    yield from _finding(context, IDENTICAL, cuts.identical & ~context.scan["identical-responses"])


def _by_language_model(context: Context, limit: int) -> Iterator[Finding]:
    read = tokenise(context.preferences, context.tokenizer, limit, context.keep_end)
    yield from _finding(context, IDENTICAL, read.identical & ~context.scan["identical-responses"])
    for mark in read.cuts.marks:
        yield from _finding(context, remark_of(mark, limit), read.having(mark))
    faults = list(refusals(read, context.preferences).values())
    shown = tuple(ExampleRow(one.file, one.row, one.reason) for one in faults[:3])
    reasons = "; ".join(list(dict.fromkeys(one.reason for one in faults))[:3])
    for found in _finding(context, REFUSED, read.refused):
        meaning = f"{found.meaning.removesuffix('.')}: {reasons}."
        yield replace(found, examples=shown, meaning=meaning)


def _finding(context: Context, remark: Remark, rows: Bools) -> Iterator[Finding]:
    meaning = f"These pairs {remark.predicate}."
    yield from context.finding(remark.kind, remark.severity, rows, meaning, remark.remedy)


CHECKS = (reading,)
