"""Substance against style: 3 x 3 pairs an item (Liu et al. 2024, RM-Bench, arXiv 2410.16184)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from surefoot.data.schema import Preferences
from surefoot.evaluation.suite import Part, Record, Row, Suite, each, pair

#: From the plainest to the fanciest.
STYLES = ("concise", "detailed", "markdown")
#: Title of the breakdown that holds the style matrix.
MATRIX = "chosen style x rejected style"
_ORIGIN = "https://raw.githubusercontent.com/THU-KEG/RM-Bench/73c52d7b27b361621361ec959ac6c0eb9bb7a689/data"
_SUBSETS = {"safety-refuse": "xstest-should-refuse"}  # its public file holds other rows too


def rows(record: Record, part: str, place: int) -> Iterator[Row]:
    """Nine rows an item, every chosen style against every rejected one.

    Group: `hard` where the chosen response is plainer than the rejected one, `easy` where it is
    fancier, `normal` where the styles agree.
    """
    if record.get("subset") != _SUBSETS.get(part, record.get("subset")):
        return
    for (i, chosen), (j, rejected) in product(enumerate(STYLES), repeat=2):
        yield pair(
            record["prompt"],
            record["chosen"][i],
            record["rejected"][j],
            id=f"{part}/{record['id']}/{chosen}/{rejected}",
            group="hard" if i < j else "easy" if i > j else "normal",
            source=part,
        )


def breakdowns(preferences: Preferences) -> dict[str, list[str | None]]:
    """The cell of the style matrix of each row."""
    ids = (name or "" for name in preferences.strings("id"))
    cells: list[str | None] = [" over ".join(name.split("/")[-2:]) for name in ids]
    return {MATRIX: cells}


SUITE = Suite(
    name="rm_bench",
    description="The same contents in three styles: does the model prefer substance or style",
    origin="GitHub THU-KEG/RM-Bench @ 73c52d7b27b3: data/*_filtered.json (chat and safety parts)",
    licence="ODC-BY",
    parts={
        "chat": Part("rm_bench/chat.jsonl.gz", f"{_ORIGIN}/chat_filtered.json"),
        "safety-refuse": Part(
            "rm_bench/safety_xstest_refuse.jsonl.gz", f"{_ORIGIN}/safety-refuse_filtered.json"
        ),
        "safety-response": Part(
            "rm_bench/safety_xstest_respond.jsonl.gz", f"{_ORIGIN}/safety-response_filtered.json"
        ),
    },
    rows=each(rows),
    note="Chat and XSTest safety only (no code, no maths). 37 of the 129 chat prompts also occur "
    "in the helpful half of hh_rlhf.",
    breakdowns=breakdowns,
)
