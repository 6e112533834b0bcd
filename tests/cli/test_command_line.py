"""The command line as a user meets it, with right and wrong input."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from surefoot.cli import main
from surefoot.paths import Place


@pytest.fixture
def surefoot(tmp_path):
    def run(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "surefoot", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert done.returncode == expect, done.stderr + done.stdout
        assert "Traceback" not in done.stderr or "--debug" in arguments
        return done

    return run


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    """The same in this process, which is spared the imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, expect: int = 0) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["surefoot", *arguments])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capfd.readouterr()
        assert code == expect, printed.err + printed.out
        return SimpleNamespace(stdout=printed.out, stderr=printed.err)

    return run


@pytest.fixture
def folder(rows, small_encoder, tmp_path) -> Path:
    for name, n, seed in (("train", 150, 1), ("test", 80, 2)):
        lines = [json.dumps(row) for row in rows(n, seed=seed, source="s")]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    config = {
        "data": {"train": ["train.jsonl"]},
        "scorer": {"kind": "embedding", "encoder": small_encoder},
        "output": "runs/plain",
    }
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_a_typo_is_found_before_anything_heavy_is_imported(tmp_path):
    script = Path(__file__).with_name("typed_wrongly.py")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = json.loads(done.stdout)
    assert len(lines) > 40
    for one in lines:
        line = " ".join(one["typed"])
        assert not one["heavy"], (line, one["heavy"])  # the first that imports is at fault
        if one["typed"][-1] == "--help" and len(one["typed"]) == 2:
            assert f"surefoot {one['typed'][0]}" in one["said"]  # an example
        elif line in ("--help", "--version"):
            assert one["code"] == 0
            assert one["said"].startswith("surefoot " if line == "--version" else "Usage")
        else:
            assert one["code"] == 2, one
            assert one["said"].startswith("error: "), one
            wrong = {"--optoin": "optoin", "levle": "levle", "base_ulr": "base_url"}
            word = next((said for typed, said in wrong.items() if typed in line), "absent")
            assert word in one["said"], one


def test_paths_that_commands_read_are_looked_for_first():
    """Only what is marked is: whoever adds a command cannot forget it."""
    from surefoot.cli.app import app

    for command in app.registered_commands:
        for name, one in inspect.signature(command.callback).parameters.items():
            declared = getattr(one.annotation, "__metadata__", (None,))
            if "Path" in str(getattr(one.annotation, "__origin__", "")) and name != "output":
                marked = any(isinstance(mark, Place) for mark in declared)
                assert marked or declared[0].metavar == "CONFIG", (command.callback.__name__, name)


def test_reading_a_column_that_nobody_knows_is_light(tmp_path):
    row = {"prompt": "p", "chosen": "x", "rejected": "y", "weird": 3}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    code = (
        "import sys, surefoot.data; "
        f"surefoot.data.read_preferences({str(tmp_path / 'pairs.jsonl')!r}); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"


@pytest.mark.slow
def test_the_loop(surefoot, here, folder):
    """One command in a process of its own, the others here."""
    audit = here("audit", "train.jsonl", "--against", "test.jsonl", "--output", "audit")
    assert "Verdict" in audit.stdout
    assert json.loads((folder / "audit" / "audit.json").read_text())["rows"] == 150
    assert "<html" in (folder / "audit" / "report.html").read_text()

    listed = (folder / "audit" / "rows.jsonl").read_text().splitlines()
    counted = json.loads((folder / "audit" / "audit.json").read_text())["findings"]
    assert len(listed) == sum(finding["count"] for finding in counted)

    plain = surefoot("train", "plain.yaml")
    assert "above the minimum" in plain.stdout
    here(
        "train", "plain.yaml", "--objective.labels", "{kind: smoothed, flip_rate: 0.1}",
        "--output=runs/smoothed",
    )  # fmt: skip

    done = here(
        "evaluate", "runs/smoothed", "test.jsonl", "--baseline", "runs/plain", "--output", "report"
    )
    assert "Against the baseline" in done.stdout
    found = json.loads((folder / "report" / "evaluation.json").read_text())
    figure = found["results"]["test.jsonl"]["accuracy"]
    assert set(figure) >= {"estimate", "low", "high", "level", "n", "covers"}
    assert figure["estimate"] > 0.7
    assert "<html" in (folder / "report" / "report.html").read_text()

    here("score", "runs/plain", "test.jsonl", "--output", "rewards.jsonl")
    scores = [json.loads(line) for line in (folder / "rewards.jsonl").read_text().splitlines()]
    assert len(scores) == 80
    assert all(0 < s["p_a_preferred"] < 1 for s in scores)
    labelled = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    bare = [{k: v for k, v in row.items() if k != "label"} for row in labelled]
    (folder / "bare.jsonl").write_text("".join(json.dumps(row) + "\n" for row in bare))
    here("score", "runs/plain", "bare.jsonl", "--output", "bare-rewards.jsonl")
    again = [json.loads(line) for line in (folder / "bare-rewards.jsonl").read_text().splitlines()]
    assert [s["reward_a"] for s in again] == [s["reward_a"] for s in scores]
    here("train", "plain.yaml", "--data.train", "bare.jsonl", "--output", "x", expect=2)


@pytest.mark.slow
def test_seeds_are_compared_as_methods(here, folder):
    options = ("--training.bootstrap", "true", "--seeds", "3")
    here("train", "plain.yaml", *options)
    here("train", "plain.yaml", *options, "--objective.loss", "hinge", "--output", "runs/hinge")
    done = here(
        "evaluate", "runs/hinge", "test.jsonl", "--baseline", "runs/plain", "--output", "report"
    )
    assert "covers seeds and" in done.stdout
    assert "Over 3 seeds" in done.stdout
    over = json.loads((folder / "report" / "evaluation.json").read_text())["results"]["test.jsonl"]
    assert over["over_seeds"]["accuracy"]["covers"].startswith("seeds and")
    # Other seeds, or seeds of an earlier run, are not mixed in.
    here("train", "plain.yaml", *options, "--training.seed", "5", "--output", "runs/others")
    other = ("--baseline", "runs/others", "--output", "x")
    assert "same seeds" in here("evaluate", "runs/hinge", "test.jsonl", *other, expect=2).stderr
    here("train", "plain.yaml", *options[:-1], "2", "--output", "runs/others", expect=2)
    here("train", "plain.yaml", *options[:-1], "2", "--output", "runs/others", "--overwrite")
    left = sorted(p.name for p in (folder / "runs" / "others").glob("seed-*"))
    assert left == ["seed-0", "seed-1"]
    here("train", "plain.yaml", "--output", "runs/others", "--overwrite")
    assert not list((folder / "runs" / "others").glob("seed-*"))
    one = here("evaluate", "runs/hinge/seed-1", "test.jsonl", "--output", "one")
    assert "seed" not in one.stdout.splitlines()[0]
    wrong = here(
        "evaluate", "runs/hinge", "test.jsonl", "--baseline", "runs/plain/seed-0", "--output", "x",
        expect=2,
    )  # fmt: skip
    assert "same seeds" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit", "nope.jsonl"], "nope.jsonl"),
        (["audit", "trian.jsonl"], "train.jsonl"),
        (["audit", "."], "folder|directory"),
        (["audit", "train.jsonl", "--column", "prompt"], "prompt=question"),
        (["audit", "train.jsonl", "--max-length", "8"], "tokenizer and max_length"),
        (["train", "nope.yaml"], "no configuration at nope.yaml"),
        (["train", "."], r"is a folder, not the configuration: name a file, such as plain\.yaml"),
        (["train", "plain.yaml", "--objective.los", "hinge"], "did you mean 'loss'"),
        (["train", "plain.yaml", "--objective.loss", "hing"], "did you mean 'hinge'"),
        (["train", "plain.yaml", "stray"], "got 'stray'"),
        (["train", "plain.yaml", "--objective.loss"], "needs a value"),
        (["train", "plain.yaml", "--seeds", "3"], "training.bootstrap: true"),
        (["train", "plain.yaml", "--output", "train.jsonl"], "is what this run reads"),
        (["train", "plain.yaml", "--output", "test.jsonl"], "is a file"),
        (["evaluate", "runs/nope", "test.jsonl", "--output", "x"], "does not exist"),
        (["evaluate", ".", "test.jsonl", "--output", "x"], r"no surefoot\.json"),
        (["score", "runs/nope", "test.jsonl", "--output", "x"], "does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_gets_one_message_and_code_2(here, folder, arguments, message):
    done = here(*arguments, expect=2)
    assert "error:" in done.stderr
    assert re.search(message, done.stderr.replace("\n", " ")), done.stderr


def test_a_folder_of_runs_names_those_in_it(here, folder):
    (folder / "runs/one").mkdir(parents=True)
    (folder / "runs/one/surefoot.json").write_text("{}")
    done = here("evaluate", "runs", "test.jsonl", expect=2)
    assert "There are runs in it: runs/one." in done.stderr


def test_an_unknown_suite_is_named_before_the_model_is_used(here, folder):
    here("train", "plain.yaml")
    done = here("evaluate", "runs/plain", "llmbr", "--output", "x", expect=2)
    assert "did you mean 'llmbar'" in done.stderr


@pytest.mark.slow
def test_a_source_aware_model_says_which_sources_it_knows(here, folder):
    here("train", "plain.yaml", "--scorer.source_aware", "true")
    text = (folder / "test.jsonl").read_text()
    (folder / "bare.jsonl").write_text(text.replace(', "source": "s"', ""))
    done = here("evaluate", "runs/plain", "bare.jsonl", "--output", "x")
    assert "source 'bare' was not seen in training (known: s)" in done.stderr.replace("\n", " ")
    done = here("evaluate", "runs/plain", "bare.jsonl", "--source", "s", "--output", "y")
    assert "not seen" not in done.stderr


def test_debug_shows_the_traceback(surefoot, folder):
    done = surefoot("train", "nope.yaml", "--debug", expect=1)
    assert "Traceback" in done.stderr


def test_a_finished_run_is_not_resumed(here, folder):
    here("train", "plain.yaml")
    (folder / "train.jsonl").unlink()  # nothing is read
    done = here("train", "plain.yaml", "--resume")
    assert "runs/plain is finished already" in done.stderr
    done = here("train", "plain.yaml", "--resume", "--objective.loss", "hinge", expect=2)
    assert "run of another configuration" in done.stderr


def test_a_mistake_beside_overwrite_takes_nothing_away(here, folder):
    here("train", "plain.yaml", "--seeds", "2", "--training.bootstrap", "true")
    before = _files(folder / "runs")
    again = ("train", "plain.yaml", "--overwrite")
    by_group = '{"kind": "chi-squared", "unit": "group"}'
    done = here(*again, "--objective.risk", by_group, expect=2)
    assert "the column 'group' is not given" in done.stderr
    no_model = '{"kind": "reward-model", "model": "nowhere"}'
    here(*again, "--scorer", no_model, expect=2)
    assert _files(folder / "runs") == before
    here(*again)
    left = {Path(name).parts[1] for name in _files(folder / "runs")}
    assert not any(name.startswith("seed-") for name in left)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
