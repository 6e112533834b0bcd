"""Checks of the label column: its range, its variety, and whether other evidence contradicts it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest

from surefoot.arrays import Floats
from surefoot.data.checks.report import Finding
from surefoot.data.checks.scan import Context, check_of
from surefoot.data.reading.fields import mean_vote

#: Fewer labels than this are too few to find a column constant.
_ENOUGH = 10

#: The chance of calling a label column swapped that agrees with the evidence half of the time.
_CHANCE = 0.001


def constant_label(context: Context) -> Iterator[Finding]:
    """A label column that never, or only one way, says anything; one finding per file."""
    labels = context.preferences.labels
    given = np.array([o in (None, "label") for o in context.preferences.strings("label_from")])
    for file, positions in context.files.items():
        rows = positions[given[positions]]
        values = np.unique(labels[rows])
        if len(rows) >= _ENOUGH and len(values) == 1:
            yield from context.finding(
                "constant-label",
                "warning",
                rows,
                f"Every label given in {file} is {values[0]:g}. Accuracy on these rows also "
                "rewards a model that prefers a position, and calibration cannot be measured.",
                "Check that this column is the label. If the better response always stands on one "
                "side, exchange sides at random before judging.",
            )
        elif len(rows) >= _ENOUGH and len(values) == 2 and 0.5 in values:
            side = "second" if values[1] == 1 else "first"
            yield from context.finding(
                "one-sided-label",
                "warning",
                rows,
                f"The labels given in {file} are {values[0]:g} and {values[1]:g}: the {side} "
                "response never wins. A column of 0 and 1 was perhaps read as tie and first.",
                "Check what the numbers stand for: next to numbered outputs, 1 and 2 name the "
                "better one and 0 is a tie; next to response_a and response_b, 1 and 0.",
            )


def swapped_label(context: Context) -> Iterator[Finding | str]:
    """Scores or votes that contradict the label, on most rows of a file or on some."""
    evidence = _evidence(context)
    labels = context.preferences.labels
    telling = np.isfinite(evidence) & (evidence != 0) & (labels != 0.5)
    if not telling.any():
        yield (
            "swapped labels: no row has scores or votes beside its label, and without them a "
            "label column that is the wrong way round looks like any other. Read some rows."
        )
        return
    against = telling & ((labels > 0.5) != (evidence > 0))
    swapped = np.zeros(len(labels), dtype=bool)
    for file, positions in context.files.items():
        rows, n = positions[against[positions]], int(telling[positions].sum())
        if n and binomtest(len(rows), n, 0.5, alternative="greater").pvalue < _CHANCE:
            swapped[positions] = True
            yield from context.finding(
                "swapped-label",
                "error",
                rows,
                f"In {file}, scores or votes contradict the label on {len(rows)} of the {n} rows "
                "that have them: the label column (or the scores) is the wrong way round.",
                "Read some rows. If the label is wrong, exchange the columns of the responses.",
            )
    yield from context.finding(
        "label-against-evidence",
        "note",
        against & ~swapped,
        "The scores or votes of these rows contradict their label.",
        "Expected with noisy scores; otherwise see which of the two is right.",
    )


def _evidence(context: Context) -> Floats:
    """What else says that a (positive) or b (negative) is better, shape (N,); NaN for nothing."""
    data = context.preferences
    evidence = data.numbers("score_a") - data.numbers("score_b")
    if data.has("votes"):
        voted = [mean_vote(votes) - 0.5 if votes else np.nan for (votes,) in data.read("votes")]
        evidence = np.where(np.isfinite(evidence), evidence, voted)
    origin = np.array(data.strings("label_from"), dtype=object)
    evidence[(origin == "scores") | (origin == "votes")] = np.nan  # the label itself came of them
    return evidence


CHECKS = (
    check_of(
        "label-out-of-range",
        "error",
        "A label is P(a preferred), in [0, 1]; these are not.",
        "Mend the labels: 1 (a is better), 0 (b is better), 0.5 (a tie) or a probability.",
        lambda context: ~((context.preferences.labels >= 0) & (context.preferences.labels <= 1)),
    ),
    constant_label,
    swapped_label,
)
