"""Which rows share the references that chance drew, and the evidence that is made of them."""

from __future__ import annotations

import json

import pytest

from surefoot.data import read_preferences
from surefoot.data.references import references_of
from surefoot.objectives import Objective
from surefoot.scorers.evidence import evidence_of


def _row(prompt: str, references: list[str], chances: list[float], **more) -> dict:
    return {
        "prompt": prompt,
        "chosen": "the one",
        "rejected": "the other",
        "auxiliary": 0.7,
        "references": references,
        "reference_auxiliary": chances,
        **more,
    }


def _read(tmp_path, rows: list[dict]):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_preferences(path)


def test_figures_orders_and_sources_do_not_make_another_draw(tmp_path):
    """An auxiliary model that is fitted by folds of rows says other things of one draw."""
    rows = [
        _row("a", ["x", "y"], [0.2], source="one"),
        _row("a", ["x", "y"], [0.3], source="one"),
        _row("a", ["y", "x"], [0.3], source="two"),
        _row("a", ["x", "z"], [0.2], source="one"),
        _row("b", ["x", "y"], [0.2], source="one"),
    ]
    references = references_of(_read(tmp_path, rows))
    assert references.of.tolist() == [0, 1, 2, 3, 4]
    assert references.draws.tolist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("weights", [None, [1.0, 1.0, 2.0, 1.0]])
def test_the_evidence_knows_how_many_rows_share_a_draw(tmp_path, weights):
    rows = [_row("a", ["x", "y"], [0.2 + 0.1 * k]) for k in range(3)]
    rows.append(_row("b", ["x", "y"], [0.2]))
    for row, weight in zip(rows, weights or [1.0] * 4, strict=True):
        row["weight"] = weight
    objective = Objective(labels={"kind": "control-variate", "coefficient": "shrunk"})
    evidence, pairs = evidence_of(_read(tmp_path, rows), objective)
    assert len(pairs) == 4
    shared = 3.0 if weights is None else 16 / 6
    assert evidence.references.rows.tolist() == pytest.approx([shared] * 3 + [1])
