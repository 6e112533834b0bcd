"""Six biases of judges (Park et al. 2024, OffsetBias, arXiv 2407.06551)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from surefoot.evaluation.suite import Part, Record, Row, Suite, numbered, pair


def rows(records: Mapping[str, list[Record]]) -> Iterator[Row]:
    """One row for each record; the bias is its group.

    The public file is {bias: [records]}, ours the records in the same order. The label
    is 1 throughout, so positions are drawn by hash.
    """
    found = [one for _, _, one in numbered(records)]
    flat = [one for r in found for one in ([r] if "bias" in r else chain(*r.values()))]
    for place, record in enumerate(flat):
        sides = record["response1"], record["response2"]
        yield pair(
            record["instruction"],
            *(sides if record["label"] == 1 else sides[::-1]),
            id=f"biasbench/{place}",
            group=record["bias"],
            file="biasbench",
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
