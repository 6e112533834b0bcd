"""Helpful, honest, harmless and other pairs (Askell et al. 2021, arXiv 2112.00861)."""

from __future__ import annotations

from surefoot.evaluation.suite import Part, Record, Row, Suite, each, pair


def row(record: Record, part: str, place: int) -> Row:
    """The aspect is the source."""
    sides = record["prompt"], record["chosen"], record["rejected"]
    return pair(*sides, id=f"hhh/{place}", source=record["source"])


SUITE = Suite(
    name="hhh_alignment",
    description="Helpful, honest, harmless and other pairs written by the authors",
    origin="GitHub prometheus-eval/prometheus-eval @ dcfb44272d5d: "
    "eval/benchmark/data/hhh_alignment_eval.json (Hub: HuggingFaceH4/hhh_alignment)",
    licence="Apache-2.0",
    parts={"pairs": Part("hhh_alignment/hhh_pairs.jsonl.gz")},
    rows=each(row),
    note="221 pairs on 102 prompts: intervals are wide.",
)
