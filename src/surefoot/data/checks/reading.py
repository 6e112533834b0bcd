"""How the model to be trained reads the comparisons: what it loses of them, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from surefoot.data.checks.report import ExampleRow, Finding
from surefoot.data.checks.scan import Context, Unchecked
from surefoot.data.rendering.embedding_texts import cut_note, read_by_encoder
from surefoot.data.rendering.notes import IDENTICAL, REFUSED, Remark, remark_of
from surefoot.data.rendering.token_pairs import TokenPairs, refusals, tokenise


def reading(context: Context) -> Iterator[Finding | Unchecked]:
    """What training finds when it renders, tokenises and cuts, found by the same functions."""
    tokenizer, limit = context.tokenizer, context.max_length
    if tokenizer is None or limit is None:
        yield Unchecked(
            "truncation: no tokenizer and length were given, so pairs that a model would cut to "
            "the same tokens are not known, nor what a chat template makes of them."
        )
        yield from _finding(context, _MARKED, context.scan.marked)
    elif context.views is not None:
        cuts = read_by_encoder(context.preferences, tokenizer, limit, context.views)
        yield from context.finding(
            "text-cut",
            "note",
            cuts.cut,
            cut_note(cuts.share, limit),
            "Raise the length if what is cut matters, as far as the encoder goes.",
        )
        yield from _finding(context, IDENTICAL, cuts.identical & ~context.scan.same)
        yield from _finding(context, _MARKED, context.scan.marked)
    else:
        read = tokenise(context.preferences, tokenizer, limit, context.keep_end)
        yield from _by_language_model(context, read, limit)


def _by_language_model(context: Context, read: TokenPairs, limit: int) -> Iterator[Finding]:
    yield from _finding(context, IDENTICAL, read.identical & ~context.scan.same)
    for mark in read.cuts.marks:
        yield from _finding(context, remark_of(mark, limit), read.having(mark))
    faults = list(refusals(read, context.preferences).values())
    shown = tuple(ExampleRow(one.file, one.row, one.reason) for one in faults[:3])
    reasons = "; ".join(list(dict.fromkeys(one.reason for one in faults))[:3])
    for found in _finding(context, REFUSED, read.refused):
        meaning = f"{found.meaning.removesuffix('.')}: {reasons}."
        yield replace(found, examples=shown, meaning=meaning)


def _finding(context: Context, remark: Remark, rows: npt.NDArray[np.bool_]) -> Iterator[Finding]:
    meaning = f"These pairs {remark.predicate}."
    yield from context.finding(remark.kind, remark.severity, rows, meaning, remark.remedy)


_MARKED = remark_of("rendered-already", 0)


CHECKS = (reading,)
