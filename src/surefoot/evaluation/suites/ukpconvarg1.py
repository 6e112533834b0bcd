"""Which argument convinces more (Habernal and Gurevych, ACL 2016, UKPConvArg1)."""

from __future__ import annotations

from surefoot.evaluation.suite import Part, Record, Row, Suite, each

_VALUES = {"a1": 1.0, "a2": 0.0, "equal": 0.5}


def row(record: Record, part: str, place: int) -> Row | str:
    """Pairs with a gold label; group: the debate, source: the stance topic."""
    if record["gold"] is None:
        return "the authors gave no gold label"
    return {
        "prompt": f"{record['debate']}\n\n{record['description']}\n\nArgue for: {record['stance']}",
        "response_a": record["a1"],
        "response_b": record["a2"],
        "label": _VALUES[record["gold"]],
        "votes": [
            {"annotator": str(vote["worker"]), "value": _VALUES[vote["value"]]}
            for vote in record["votes"]
        ],
        "id": f"{record['topic']}/{record['id']}",
        "group": record["debate"],
        "source": record["topic"],
    }


SUITE = Suite(
    name="ukpconvarg1",
    description="Convincingness of arguments in 16 debates, about five votes a pair",
    origin="GitHub UKPLab/acl2016-convincing-arguments @ ca9d24e41b88: "
    "data/UKPConvArg1-full-XML, data/UKPConvArg1Strict-XML",
    licence="CC BY 4.0 (debates CC BY 3.0 or public domain)",
    parts={"pairs": Part("ukpconvarg1/pairs_with_annotators.jsonl.gz")},
    rows=each(row),
    note="A tournament in each of 32 topics: intervals cover the arguments, not the topics. "
    "The longer argument wins .77 of the strict pairs.",
)
