"""Six biases of judges (Park et al. 2024, OffsetBias, arXiv 2407.06551)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from surefoot.data.schema import Fault
from surefoot.evaluation.suite import Part, Record, Row, Suite, numbered, pair


def rows(records: Mapping[str, list[Record]]) -> Iterator[Row | Fault]:
    """One row for each record; the bias is its group.

    The public file is {bias: [records]}, ours the records in the same order. The label
    is 1 throughout, so positions are drawn by hash.
    """
    flat = [
        record
        for _, _, found in numbered(records)
        for record in (
            [found] if "bias" in found else [r for group in found.values() for r in group]
        )
    ]
    for place, record in enumerate(flat):
        first, second = record["response1"], record["response2"]
        chosen, rejected = (first, second) if record["label"] == 1 else (second, first)
        yield pair(
            record["instruction"],
            chosen,
            rejected,
            id=f"biasbench/{place}",
            group=record["bias"],
            file=SUITE.parts["biasbench"].path,
            row=place,
        )


SUITE = Suite(
    name="evalbiasbench",
    description="Pairs whose worse answer is the longer, more concrete or more familiar one",
    origin="GitHub ncsoft/offsetbias @ 0bd16e4ac935: data/evalbiasbench/biasbench.json",
    licence="BSD-3-Clause",
    parts={
        "biasbench": Part(
            "evalbiasbench/biasbench.jsonl.gz",
            "https://raw.githubusercontent.com/ncsoft/offsetbias/"
            "0bd16e4ac935315999ed23480c69673b675884b0/data/evalbiasbench/biasbench.json",
        )
    },
    rows=rows,
    note="80 pairs in 6 groups: intervals are wide. 39 prompts are shared with llmbar.",
)
