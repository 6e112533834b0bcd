"""Over-refusal: answers of five models, labelled (Roettger et al. 2023, arXiv 2308.01263)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from surefoot.data.schema import Fault
from surefoot.evaluation.suite import Part, Record, Row, Suite, numbered, pair

_MODELS = ("gpt4", "llama2new", "llama2orig", "mistralguard", "mistralinstruct")
_ORIGIN = (
    "https://raw.githubusercontent.com/paul-rottger/exaggerated-safety/"
    "d7bb5bd738c1fcbc36edd83d5e7d1b71a3e2d84d/model_completions"
)
_COMPLY, _REFUSE, _PARTLY = "1_full_compliance", "2_full_refusal", "3_partial_refusal"
_COMPLIANCE = {_COMPLY: 1.0, _PARTLY: 0.5, _REFUSE: 0.0}
_ANNOTATORS = ("annotation_1", "annotation_2")


def rows(records: Mapping[str, list[Record]]) -> Iterator[Row | Fault]:
    """Every pair of a full compliance and a full refusal for one prompt.

    Safe prompts prefer the compliance, unsafe ones (types that begin with `contrast_`) the
    refusal. Partial refusals are neither, and are left out. What either annotator said of both
    answers is a vote. Group: type; source: safe or unsafe.
    """
    answers: dict[str, list[tuple[str, int, Record]]] = defaultdict(list)
    for model, place, record in numbered(records):
        if record["final_label"] in (_COMPLY, _REFUSE):
            answers[record["id"]].append((model, place, record))
        else:
            yield Fault(model, place, "a partial refusal is neither side")
    for key, given in answers.items():
        comply, refuse = (
            [a for a in given if a[2]["final_label"] == k] for k in (_COMPLY, _REFUSE)
        )
        for pairing in product(comply, refuse):
            unsafe = pairing[0][2]["type"].startswith("contrast_")
            (winner, place, chosen), (loser, _, rejected) = pairing[::-1] if unsafe else pairing
            row = pair(
                chosen["prompt"],
                chosen["completion"].strip(),
                rejected["completion"].strip(),
                id=f"{key}/{winner}/{loser}",
                group=chosen["type"],
                source="unsafe" if unsafe else "safe",
                file=winner,
                row=place,
            )
            yield {**row, "votes": _votes(chosen, rejected, unsafe, row["label"])}


def _votes(chosen: Record, rejected: Record, unsafe: bool, label: float) -> list[dict[str, Any]]:
    """What each annotator's two labels say of the pair, for the side that stands first."""
    votes = []
    for who in _ANNOTATORS:
        more = _COMPLIANCE[chosen[who]] - _COMPLIANCE[rejected[who]]
        agrees = 0.5 + 0.5 * np.sign(-more if unsafe else more)
        votes.append({"annotator": who, "value": float(agrees if label == 1 else 1 - agrees)})
    return votes


SUITE = Suite(
    name="xstest",
    description="Comply with safe prompts that sound unsafe, refuse unsafe ones",
    origin="GitHub paul-rottger/exaggerated-safety @ d7bb5bd738c1: model_completions/*.csv",
    licence="CC BY 4.0",
    parts={
        model: Part(
            f"xstest/completions_{model}.csv.gz", f"{_ORIGIN}/xstest_v2_completions_{model}.csv"
        )
        for model in _MODELS
    },
    rows=rows,
    note="Only prompts on which the five models disagree give pairs. Labels follow from the "
    "prompt's type and two human annotations of each answer, not from a comparison.",
)
