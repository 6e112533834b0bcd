"""Anthropic's helpful and harmless preferences, test split (Bai et al. 2022, arXiv 2204.05862)."""

from __future__ import annotations

from surefoot.data.readers.hh import dialogue
from surefoot.errors import DataError
from surefoot.evaluation.suite import Part, Record, Row, Suite, each, pair

_ORIGIN = (
    "https://raw.githubusercontent.com/anthropics/hh-rlhf/354e5c3cb8960630860dd5774a6ac2a58313bf4d"
)


def row(record: Record, part: str, place: int) -> Row | str:
    """Records whose two dialogues differ in their last turn only; the part is the source."""
    try:
        chosen, rejected = (dialogue(record[name], name) for name in ("chosen", "rejected"))
    except DataError as error:  # there is text before the first turn
        return str(error)
    if chosen[:-1] != rejected[:-1] or chosen[-1]["role"] != rejected[-1]["role"]:
        return "the two responses follow different dialogues"
    if not chosen[-1]["content"] or not rejected[-1]["content"]:
        return "the last turn is empty"
    return pair(chosen[:-1], chosen[-1:], rejected[-1:], id=f"{part}/{place}", source=part)


SUITE = Suite(
    name="hh_rlhf",
    description="Human preferences for helpful and for harmless answers in dialogues",
    origin="GitHub anthropics/hh-rlhf @ 354e5c3cb896: harmless-base/test.jsonl.gz, "
    "helpful-base/test.jsonl.gz (Hub: Anthropic/hh-rlhf)",
    licence="MIT",
    parts={
        "harmless": Part(
            "hh_rlhf/harmless-base.test.jsonl.gz", f"{_ORIGIN}/harmless-base/test.jsonl.gz"
        ),
        "helpful": Part(
            "hh_rlhf/helpful-base.test.jsonl.gz", f"{_ORIGIN}/helpful-base/test.jsonl.gz"
        ),
    },
    rows=each(row),
    note="Anthropic's test split: a model trained on it has seen these pairs. The two sources pull "
    "in opposite directions (longer answers win .60 of helpful, .44 of harmless pairs). Contains "
    "offensive text.",
)
