"""Helpful, honest, harmless and other pairs (Askell et al. 2021, arXiv 2112.00861)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from surefoot.data.schema import Fault
from surefoot.evaluation.suite import Part, Record, Row, Suite, numbered, pair


def rows(records: Mapping[str, list[Record]]) -> Iterator[Row | Fault]:
    """One row for each record; the aspect is its source."""
    for _, place, record in numbered(records):
        yield pair(
            record["prompt"],
            record["chosen"],
            record["rejected"],
            id=f"hhh/{place}",
            source=record["source"],
            file=SUITE.parts["pairs"].path,
            row=place,
        )


SUITE = Suite(
    name="hhh_alignment",
    description="Helpful, honest, harmless and other pairs written by the authors",
    origin="GitHub prometheus-eval/prometheus-eval @ dcfb44272d5d: "
    "eval/benchmark/data/hhh_alignment_eval.json (Hub: HuggingFaceH4/hhh_alignment)",
    licence="Apache-2.0",
    parts={"pairs": Part("hhh_alignment/hhh_pairs.jsonl.gz")},
    rows=rows,
    note="221 pairs on 102 prompts: intervals are wide.",
)
