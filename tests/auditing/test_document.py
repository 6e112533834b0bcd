"""The form of `audit.json`: what is shipped is what is written."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

import surefoot.auditing
from surefoot.auditing import Audit, Lacking, Measurement, diagnoses, diagnostics
from surefoot.auditing.document import AuditDocument, LabelsDocument, schema
from surefoot.statistics.estimate import finite_only
from surefoot.worlds.planted.material import KINDS, clean


def test_the_schema_that_is_shipped_is_that_of_the_document():
    file = Path(surefoot.auditing.__file__).parent / "audit.schema.json"
    again = "python -m surefoot.auditing.document"
    assert file.read_text("utf-8") == schema(), f"make it again: {again}"


@pytest.fixture(scope="module")
def written():
    """What an audit writes of labels: of every diagnostic, in a world of each kind."""
    found = []
    for kind in KINDS:
        world = clean(kind, 600, np.random.default_rng(0))
        results = [(one, r) for one in diagnostics().values() for r in one.measure(world)]
        measured = diagnoses([(one, r) for one, r in results if isinstance(r, Measurement)])
        lacking = tuple(r.reason for _, r in results if isinstance(r, Lacking))
        found.append(finite_only(Audit("world", 600, measured, lacking).to_dict())[0])
    return found


def test_every_diagnosis_is_of_that_form(written):
    names = set()
    for labels in written:
        held = LabelsDocument.model_validate_json(json.dumps(labels))
        names |= {one.diagnostic for one in held.diagnoses}
    assert len(names) >= 8


def test_another_form_is_refused(written):
    labels = written[0]
    one = labels["diagnoses"][0]
    for change in ({"verdict": "perhaps"}, {"severity": 2.0}, {"more": 1}):
        wrong = labels | {"diagnoses": [one | change]}
        with pytest.raises(ValidationError):
            LabelsDocument.model_validate_json(json.dumps(wrong))


def test_a_document_needs_its_parts():
    with pytest.raises(ValidationError, match="findings"):
        AuditDocument.model_validate_json('{"schema_version": 1, "name": "x", "rows": 1}')
