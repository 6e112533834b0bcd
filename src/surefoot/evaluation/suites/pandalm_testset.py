"""Human comparisons with three annotators each (Wang et al. 2023, PandaLM, arXiv 2306.05087)."""

from __future__ import annotations

from surefoot.evaluation.suite import Part, Record, Row, Suite, each

_ANNOTATORS = ("annotator1", "annotator2", "annotator3")
_VOTES = {0: 0.5, 1: 1.0, 2: 0.0}


def row(record: Record, part: str, place: int) -> Row:
    """The label is the mean of the three votes, a tie counting half."""
    votes = {who: _VOTES[record[who]] for who in _ANNOTATORS}
    return {
        "prompt": "\n\n".join(text for text in (record["instruction"], record["input"]) if text),
        "response_a": str(record["response1"]),  # the public file holds a bare `true`
        "response_b": str(record["response2"]),
        "label": sum(votes.values()) / len(votes),
        "votes": [{"annotator": who, "value": value} for who, value in votes.items()],
        "id": f"pandalm/{record['idx']}",
    }


SUITE = Suite(
    name="pandalm_testset",
    description="Answers of small models, each pair judged by three people",
    origin="GitHub WeOpenML/PandaLM @ 3871806e72b4: data/testset-v1.json",
    licence="Apache-2.0",
    parts={
        "testset": Part(
            "pandalm_testset/testset-v1.jsonl.gz",
            "https://raw.githubusercontent.com/WeOpenML/PandaLM/"
            "3871806e72b4832f815ecafd24d3503c73403f48/data/testset-v1.json",
        )
    },
    rows=each(row),
    note="170 prompts. The authors dropped rows on which annotators diverged strongly, so "
    "agreement is optimistic.",
)
