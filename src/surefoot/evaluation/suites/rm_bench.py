"""Substance against style: 3 x 3 pairs an item (Liu et al. 2024, RM-Bench, arXiv 2410.16184)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from surefoot.data.schema import Fault, Preferences
from surefoot.evaluation.pairs.result import EvaluationResult
from surefoot.evaluation.suite import Part, Record, Row, Suite, numbered, pair

#: From the plainest to the fanciest.
STYLES = ("concise", "detailed", "markdown")
#: Title of the breakdown that holds the style matrix.
MATRIX = "chosen style x rejected style"
_ORIGIN = "https://raw.githubusercontent.com/THU-KEG/RM-Bench/73c52d7b27b361621361ec959ac6c0eb9bb7a689/data"
_SUBSETS = {"safety-refuse": "xstest-should-refuse"}  # its public file holds other rows too


def rows(records: Mapping[str, list[Record]]) -> Iterator[Row | Fault]:
    """Nine rows an item, every chosen style against every rejected one.

    Group: `hard` where the chosen response is plainer than the rejected one, `easy` where it is
    fancier, `normal` where the styles agree.
    """
    for domain, place, record in numbered(records):
        if record.get("subset") != _SUBSETS.get(domain, record.get("subset")):
            continue
        for i, chosen in enumerate(STYLES):
            for j, rejected in enumerate(STYLES):
                yield pair(
                    record["prompt"],
                    record["chosen"][i],
                    record["rejected"][j],
                    id=f"{domain}/{record['id']}/{chosen}/{rejected}",
                    group="hard" if i < j else "easy" if i > j else "normal",
                    source=domain,
                    file=SUITE.parts[domain].path,
                    row=place,
                )


def breakdowns(preferences: Preferences) -> dict[str, list[str | None]]:
    """The cell of the style matrix of each row."""
    ids = (name or "" for name in preferences.strings("id"))
    cells: list[str | None] = [" over ".join(name.split("/")[-2:]) for name in ids]
    return {MATRIX: cells}


def style_matrix(result: EvaluationResult) -> str:
    """The accuracies of a result as a matrix: rows chosen, columns rejected style.

    Raises:
        KeyError: the result was made without this suite's breakdowns.
    """
    cells = result.breakdowns[MATRIX]
    width = max(len(str(cell)) for cell in cells.values()) + 2
    lines = ["chosen \\ rejected".ljust(18) + "".join(style.ljust(width) for style in STYLES)]
    lines += [
        chosen.ljust(18) + "".join(str(cells[f"{chosen} over {r}"]).ljust(width) for r in STYLES)
        for chosen in STYLES
    ]
    return "\n".join(line.rstrip() for line in lines)


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
    rows=rows,
    note="Chat and XSTest safety only (no code, no maths). 37 of the 129 chat prompts also occur "
    "in the helpful half of hh_rlhf.",
    breakdowns=breakdowns,
)
