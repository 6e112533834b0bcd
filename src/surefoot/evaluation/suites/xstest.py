"""Over-refusal: answers of five models, labelled (Roettger et al. 2023, arXiv 2308.01263)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import product

from surefoot.data.schema import Fault
from surefoot.evaluation.suite import Part, Record, Row, Suite, numbered, pair

_MODELS = ("gpt4", "llama2new", "llama2orig", "mistralguard", "mistralinstruct")
_ORIGIN = (
    "https://raw.githubusercontent.com/paul-rottger/exaggerated-safety/"
    "d7bb5bd738c1fcbc36edd83d5e7d1b71a3e2d84d/model_completions"
)
_COMPLY, _REFUSE = "1_full_compliance", "2_full_refusal"


def rows(records: Mapping[str, list[Record]]) -> Iterator[Row | Fault]:
    """Every pair of a full compliance and a full refusal for one prompt.

    Safe prompts prefer the compliance, unsafe ones (types that begin with `contrast_`) the
    refusal. Partial refusals are neither, and are left out. Group: type; source: safe or unsafe.
    """
    answers: dict[str, dict[str, list[tuple[str, int, Record]]]] = defaultdict(
        lambda: {_COMPLY: [], _REFUSE: []}
    )
    for model, place, record in numbered(records):
        kind = record["final_label"]
        if kind in (_COMPLY, _REFUSE):
            answers[record["id"]][kind].append((model, place, record))
        else:
            yield Fault(SUITE.parts[model].path, place, "a partial refusal is neither side")
    for key, kinds in answers.items():
        for comply, refuse in product(kinds[_COMPLY], kinds[_REFUSE]):
            unsafe = comply[2]["type"].startswith("contrast_")
            (winner, place, chosen), (loser, _, rejected) = (
                (refuse, comply) if unsafe else (comply, refuse)
            )
            yield pair(
                chosen["prompt"],
                chosen["completion"].strip(),
                rejected["completion"].strip(),
                id=f"{key}/{winner}/{loser}",
                group=chosen["type"],
                source="unsafe" if unsafe else "safe",
                file=SUITE.parts[winner].path,
                row=place,
            )


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
