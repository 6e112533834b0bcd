"""Every command says what it read, what it did not, and what it left out; too much is an error."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import get_args, get_type_hints

import pytest
import yaml

from surefoot.cli import main
from surefoot.cli.arguments import ReadingFlags
from surefoot.data.options import ReadingOptions


@pytest.fixture(scope="module")
def made(tmp_path_factory, rows, small_encoder):
    """A trained head, and data of which some rows are unusable, unlabelled, or hold more."""
    folder = tmp_path_factory.mktemp("commands")
    pairs = rows(60, seed=1, source="s")
    text = "".join(json.dumps(row | {"margin": 2}) + "\n" for row in pairs)
    (folder / "train.jsonl").write_text(text)
    test = [json.dumps(row | {"margin": 2}) for row in pairs[:40]]
    test[3], test[7] = "not json", json.dumps(pairs[7] | {"response_a": 12})
    test[9] = json.dumps(pairs[9] | {"label": None})
    (folder / "test.jsonl").write_text("\n".join(test) + "\n")
    (folder / "half.jsonl").write_text("\n".join([*test[:2], "not json", "{}"]) + "\n")
    config = {
        "data": {"train": ["train.jsonl"]},
        "scorer": {"kind": "embedding", "encoder": small_encoder},
        "output": "run",
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture
def surefoot(made, monkeypatch, capfd):
    monkeypatch.chdir(made)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, expect=0):
        monkeypatch.setattr(sys, "argv", ["surefoot", *arguments])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capfd.readouterr()
        assert code == expect, printed.err + printed.out
        return SimpleNamespace(out=printed.out, err=" ".join(printed.err.split()))

    return run


def test_every_command_says_what_it_read(surefoot, made):
    """One test, because each command needs what the one before it made."""
    done = surefoot("train", "run.yaml", "--overwrite")
    assert "used (contract): prompt, response_a, response_b, label, source" in done.err
    assert "not read: margin" in done.err
    assert "label: 1 = response_a preferred, 0 = response_b preferred" in done.err
    assert "column 'margin' was not read, and may change what is learnt" in done.err
    for name, place in (("manifest.json", ("data", "readings")), ("damage.json", ("readings",))):
        found = json.loads((made / "run" / name).read_text())
        for key in place:
            found = found[key]
        assert found[0]["not_read"] == {"margin": 60}

    told = (
        "2 of 40 rows (5.0%) could not be used and were left out, the first in test.jsonl, row 4: "
        "not valid JSON"
    )
    unlabelled = "1 of 40 rows (2.5%) have no label and were left out"
    for command in (
        ("audit", "test.jsonl", "--output", "audit"),
        ("evaluate", "run", "test.jsonl", "--output", "report"),
        ("score", "run", "test.jsonl", "--output", "scores.jsonl"),
    ):
        done = surefoot(*command, "--overwrite")
        assert told in done.err, command
        assert "not read: margin" in done.err, command
        assert (unlabelled in done.err) == (command[0] != "score"), command
    audit = json.loads((made / "audit" / "audit.json").read_text())
    assert audit["readings"][0]["unusable"] == 2
    shares = {one["kind"]: one["share"] for one in audit["findings"]}
    assert shares["unusable-row"] == pytest.approx(0.05)
    assert shares["no-label"] == pytest.approx(0.025)
    report = json.loads((made / "report" / "evaluation.json").read_text())
    assert report["results"]["test.jsonl"]["readings"][0]["unlabelled"] == 1
    scored = [json.loads(line)["row"] for line in (made / "scores.jsonl").read_text().splitlines()]
    assert scored == [row for row in range(1, 41) if row not in (4, 8)]

    for command in (
        ("audit", "half.jsonl"),
        ("evaluate", "run", "half.jsonl", "--output", "other"),
        ("score", "run", "half.jsonl", "--output", "other.jsonl"),
        ("train", "run.yaml", "--data.train", "half.jsonl", "--output", "other"),
    ):
        done = surefoot(*command, expect=2)
        assert "2 of 4 rows (50.0%) cannot be used" in done.err, command
        assert not (made / "other.jsonl").exists()
    done = surefoot("audit", "half.jsonl", "--max-unusable", "0.5")
    assert "2 of 4 rows (50.0%) could not be used" in done.err


def test_a_label_that_can_be_read_two_ways_is_refused_with_both_commands(surefoot, made):
    rows = [
        {"prompt": f"p{i}", "response_a": f"x{i}", "response_b": f"y{i}", "label": i % 3}
        for i in range(9)
    ]
    (made / "codes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    refused = surefoot("audit", "codes.jsonl", expect=2)
    for coding in ("first-is-0", "first-is-1"):
        assert f"--coding label={coding}" in refused.err
        done = surefoot("audit", "codes.jsonl", "--coding", f"label={coding}")
        first = "0 = response_a" if coding == "first-is-0" else "1 = response_a"
        assert f"label: {first} preferred" in done.err
    wrong = surefoot("audit", "codes.jsonl", "--coding", "label=first-is-one", expect=2)
    assert "did you mean 'first-is-1'" in wrong.err or "did you mean 'first-is-0'" in wrong.err
    assert (
        "--coding is a name = a value"
        in surefoot("audit", "codes.jsonl", "--coding", "label", expect=2).err
    )


def test_data_without_a_prompt(surefoot, made):
    (made / "poems.csv").write_text("poem1,poem2,liking\n" + "by the sea,in the rain,1\n" * 3)
    columns = [
        part
        for pair in ("output_1=poem1", "output_2=poem2", "preference=liking")
        for part in ("--column", pair)
    ]
    assert "--no-prompt" in surefoot("audit", "poems.csv", *columns, expect=2).err
    assert "3 rows" in surefoot("audit", "poems.csv", *columns, "--no-prompt").out


def test_the_help_states_the_default():
    hints = get_type_hints(ReadingFlags, include_extras=True)
    stated = get_args(hints["max_unusable"])[1].help
    assert f"[{ReadingOptions.model_fields['max_unusable'].default}]" in stated


def test_suites_are_audited_by_their_names(surefoot, made):
    folder = made / "suites" / "pandalm_testset"
    folder.mkdir(parents=True, exist_ok=True)
    voted = {"instruction": "Name a tree.", "input": "", "response1": "Oak", "response2": "Rose"}
    voted |= {f"annotator{i}": 1 for i in (1, 2, 3)}
    lines = (json.dumps({**voted, "idx": i, "instruction": f"Name tree {i}."}) for i in range(5))
    (folder / "testset-v1.jsonl").write_text("\n".join(lines))
    alone = surefoot("audit", "pandalm_testset", "--suites", "suites", "--quick")
    assert "WeOpenML/PandaLM" in alone.err
    assert "in 5 rows" in alone.out
    both = surefoot("audit", "train.jsonl", "pandalm_testset", "--suites", "suites", "--quick")
    assert "in 65 rows" in both.out
    leaked = ("audit", "pandalm_testset", "--against", "pandalm_testset", "--suites", "suites")
    assert "leaked-prompt" in surefoot(*leaked, "--quick").out
