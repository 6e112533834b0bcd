"""Checks of single rows and of repeated pairs: what can be seen without a model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.arrays import Bools
from surefoot.data.checks.report import ExampleRow, Finding
from surefoot.data.checks.scan import Context, check_of
from surefoot.data.reading.dialogues import CONTEXT_DIFFERS

#: Length is extreme beyond this many interquartile ranges of its logarithm from the quartiles,
#: and at least this factor.
_FAR, _FACTOR = 3.0, 10.0


def unusable_rows(context: Context) -> Iterator[Finding]:
    """Rows that were left out when reading: they could not be read, or have no label."""
    data = context.preferences
    rows = sum(reading.rows for reading in data.readings) or len(data.faults) + len(data)
    for unlabelled, kind, what, remedy in (
        (
            False,
            "unusable-row",
            "could not be read and were skipped",
            "Mend them in the file, or leave them out knowingly.",
        ),
        (
            True,
            "no-label",
            "have no label and were left out",
            "Nothing, if nobody judged them; else see which column holds the label.",
        ),
    ):
        faults = [fault for fault in data.faults if fault.unlabelled == unlabelled]
        examples = tuple(ExampleRow(f.file, f.row, f.reason) for f in faults[:3])
        meaning = f"These rows {what}; the share is of all rows of the files."
        if faults:
            share = len(faults) / rows
            yield Finding(kind, "warning", len(faults), share, examples, meaning, remedy)


def repeated_pairs(context: Context) -> Iterator[Finding]:
    """Pairs that occur twice, in either orientation, with the same label or the opposite one."""
    low, high = np.sort(context.scan["responses"], axis=1).T
    turned = context.scan["responses"][:, 0] != low
    labels = np.where(turned, 1 - context.preferences.labels, context.preferences.labels)
    pairs = np.stack([context.scan["prompt"], low, high], axis=1)
    _, pair = np.unique(pairs, axis=0, return_inverse=True)
    pair = pair.reshape(-1)
    # The same judgment again: the same pair with the same label as an earlier row.
    again = np.ones(len(pair), dtype=bool)
    again[np.unique(np.column_stack([pair, labels]), axis=0, return_index=True)[1]] = False
    voted = context.preferences.has("votes")
    yield from context.finding(
        "duplicate",
        "warning",
        again,
        "The same pair with the same label occurs before; it counts more than once, and may fall "
        "on both sides of a split.",
        "Drop these rows, unless each is a judgment of its own: then split by prompt, and "
        + (
            "write all votes on a pair into one row."
            if voted
            else "name the column that says who judged (--column annotator=yours), which makes "
            "them votes."
        ),
    )
    size = int(pair.max(initial=-1)) + 1
    first = np.bincount(pair[labels > 0.5], minlength=size) > 0
    second = np.bincount(pair[labels < 0.5], minlength=size) > 0
    yield from context.finding(
        "contradictory-duplicate",
        "warning",
        (first & second)[pair] & ~context.scan["identical-responses"],
        "The same pair occurs with opposite labels.",
        "Write all votes on a pair into one row, which then has their mean as its label."
        if voted
        else "If several people judged, name the column that says who (--column annotator=yours): "
        "votes show the label noise. Otherwise drop these rows.",
    )


def extreme_length(context: Context) -> Iterator[Finding]:
    """Lengths far from all others."""
    total = context.scan["lengths"][:, 0] + context.scan["lengths"][:, 1:].max(axis=1)
    if len(total) < 20:
        return
    size = np.log1p(total)
    low, high = np.quantile(size, [0.25, 0.75])
    reach = max(_FAR * float(high - low), float(np.log(_FACTOR)))
    long, short = (int(np.expm1(bound)) for bound in (high + reach, max(low - reach, 0.0)))
    yield from context.finding(
        "extreme-length",
        "note",
        (size > high + reach) | (size < low - reach),
        f"Prompt and longer response together have more than {long:,} or fewer than {short:,} "
        f"characters; half of the rows have {int(np.expm1(low)):,} to {int(np.expm1(high)):,}.",
        "Look at them: often a parsing error. Long ones set the memory that training needs.",
    )


def _without_prompt(context: Context) -> Bools:
    """Rows without a prompt, where others have one: data that have none say so when read."""
    empty = (context.scan["lengths"][:, 0] == 0) & ~_parted(context)
    return empty & ~empty.all()


def _parted(context: Context) -> Bools:
    return np.array([n == CONTEXT_DIFFERS for n in context.preferences.strings("note")], dtype=bool)


CHECKS = (
    unusable_rows,
    check_of(
        "empty-response",
        "warning",
        "A response is empty, or what tables write where there is nothing (nan, None): the pair "
        "only teaches that saying something beats silence.",
        "Drop these rows, unless an empty answer is a real choice in your data.",
        lambda context: (context.scan["lengths"][:, 1:] == 0).any(axis=1),
    ),
    check_of(
        "empty-prompt",
        "warning",
        "The prompt is empty, so the responses answer nothing.",
        "Check which column holds the prompt; drop these rows.",
        _without_prompt,
    ),
    check_of(
        "identical-responses",
        "error",
        "Both responses are the same text: there is nothing to prefer.",
        "Drop these rows.",
    ),
    check_of(
        "alike-responses",
        "note",
        "The responses differ only in case, indentation or line breaks, which may be the point.",
        "Nothing, where that is what was judged. Drop these rows where it is an accident.",
    ),
    repeated_pairs,
    check_of(
        "prompt-not-a-prefix",
        "warning",
        "The two dialogues part before their last turn, so the responses answer different "
        "prompts. The shared turns were taken as the prompt, the rest as the responses.",
        "Drop these rows if a response has to be a single turn.",
        _parted,
    ),
    check_of(
        "prompt-repeated",
        "warning",
        "Both responses begin with the prompt's last turn, so a model would see it twice.",
        "If the responses hold the whole text, leave out the prompt column or cut it off them.",
    ),
    check_of(
        "messages-as-text",
        "warning",
        "A text is messages as JSON or Python writes them, and a model reads their brackets.",
        "Write all cells of the column so, and they are parsed; or mend these rows.",
    ),
    check_of(
        "ends-with-user",
        "warning",
        "The last words of a response are the user's: a policy would learn to speak for the user.",
        "Cut the last turn off the responses.",
    ),
    extreme_length,
    check_of(
        "mojibake",
        "warning",
        "Text was decoded with the wrong encoding ('Ã©' for 'é').",
        "Repair it with ftfy.fix_encoding, or read the source again as UTF-8.",
    ),
    check_of(
        "replacement-character",
        "warning",
        "Text contains U+FFFD, which stands for bytes that were lost in decoding.",
        "Read the source again with its own encoding; what is lost cannot be repaired here.",
    ),
    check_of(
        "control-character",
        "note",
        "Text contains control characters, which people cannot see and tokenizers keep.",
        "Remove them.",
    ),
)
