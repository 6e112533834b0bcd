"""From a file of comparisons to a proof that the remedy helped, in three commands."""

from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest
import yaml
from encoders import WORDS

from surefoot.cli import main
from surefoot.data import read_preferences
from surefoot.escaping import visible


def opposed(n):
    """Comparisons of two sources: one prefers the good word, the other the bad one."""
    rng = np.random.default_rng(0)
    for i in range(n):
        first, source = bool(rng.integers(2)), ("one", "other")[i % 2]
        good, bad = (" ".join([*rng.choice(WORDS, 4), word]) for word in ("good", "bad"))
        prefers_a = first if source == "one" else not first
        yield {
            "prompt": f"question {i} " + " ".join(rng.choice(WORDS, 6)),
            "response_a": good if first else bad,
            "response_b": bad if first else good,
            "label": float(prefers_a if rng.random() < 0.9 else not prefers_a),
            "source": source,
        }


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["surefoot", *arguments])
        with suppress(SystemExit):
            main()

    return run


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


@pytest.mark.slow
def test_three_commands_from_data_to_proof(here, tmp_path, capsys):
    damaged = {"prompt": "same?", "response_a": "x", "response_b": "x", "label": 1, "source": "one"}
    broken = {"prompt": "sÃ¼Ã\\u009f?", "response_a": "cafÃ©", "response_b": "y", "label": 1}
    write(tmp_path / "pairs.jsonl", [damaged, broken | {"source": "other"}, *opposed(1000)])
    here("audit", "pairs.jsonl", "--output", "audit")
    said = capsys.readouterr().err
    assert "next: surefoot evaluate runs/remedy audit/held-out.jsonl --baseline runs/plain" in said

    remedy = yaml.safe_load((tmp_path / "audit/remedy.yaml").read_text())
    assert remedy["scorer"]["source_aware"] is True
    assert "# conflict" in (tmp_path / "audit/remedy.yaml").read_text()
    (dropped,) = changed(tmp_path, "dropped")
    assert (dropped["row"], dropped["reasons"]) == (1, ["identical-responses"])
    assert dropped["original"]["response_a"] == "x"
    (mended,) = changed(tmp_path, "mended")
    assert mended["original"]["response_a"] == "cafÃ©"
    both = [read_preferences(tmp_path / f"audit/{one}.jsonl") for one in ("clean", "held-out")]
    assert sum(map(len, both)) == 1001
    assert "café" in {text for data in both for text in data.texts("response")[0]}
    assert not set(both[0].prompt_keys()) & set(both[1].prompt_keys())

    here("train", "audit/remedy.yaml")
    here("train", "audit/plain.yaml")
    here("evaluate", "runs/remedy", "audit/held-out.jsonl", "--baseline", "runs/plain")
    here(
        "evaluate", "runs/remedy", "audit/held-out.jsonl", "--baseline", "runs/plain",
        "--output", "proof",
    )  # fmt: skip
    found = json.loads((tmp_path / "proof/evaluation.json").read_text())
    (found,) = found["results"].values()
    assert found["comparison"]["accuracy"]["difference"]["low"] > 0.1


def changed(folder, action):
    lines = (folder / "audit/changed.jsonl").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["action"] == action]


def test_quick_and_few_rows_end_in_plain_training(here, tmp_path, capsys):
    write(tmp_path / "pairs.jsonl", list(opposed(120)))
    here("audit", "pairs.jsonl", "--quick", "--output", "audit")
    said = capsys.readouterr()
    assert "takes 500 rows or more, of which there are 120" in said.err
    assert "next: surefoot train audit/plain.yaml" in said.err
    assert not (tmp_path / "audit/held-out.jsonl").exists()
    remedy, plain = (
        yaml.safe_load((tmp_path / f"audit/{name}.yaml").read_text())
        for name in ("remedy", "plain")
    )
    assert remedy.pop("output") != plain.pop("output")
    assert remedy == plain
    here("train", "audit/plain.yaml")
    here("audit", "pairs.jsonl", "--quick")
    following = "next: surefoot audit pairs.jsonl --quick --output audit"
    assert capsys.readouterr().err.splitlines()[-1] == following


def test_nothing_comes_next_where_no_row_is_sound(here, tmp_path, capsys):
    same = {"prompt": "same?", "response_a": "x", "response_b": "x", "label": 1}
    write(tmp_path / "pairs.jsonl", [same])
    here("audit", "pairs.jsonl", "--quick", "--output", "audit")
    said = capsys.readouterr()
    assert "pairs: 1 row\n" in said.out
    assert "next:" not in said.err
    assert not (tmp_path / "audit/plain.yaml").exists()


def test_names_in_comments_stay_comments(here, tmp_path):
    rows = [row | {"source": f"{row['source']}\noutput: /x \x1b[31m"} for row in opposed(600)]
    write(tmp_path / "pairs.jsonl", rows)
    here("audit", "pairs.jsonl", "--output", "audit")
    text = (tmp_path / "audit/remedy.yaml").read_text()
    assert yaml.safe_load(text)["output"] == "runs/remedy"
    assert visible(text) == text
