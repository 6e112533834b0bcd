"""The demo from end to end, on the quick world: files, figures, and what theory says."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from typer.main import get_command

from surefoot.cli.app import app
from surefoot.data import read_preferences
from surefoot.data.checks import ExampleRow
from surefoot.demo import DemoResult, print_table
from surefoot.demo.files import commands
from surefoot.demo.methods import CALIBRATED, COLUMNS, methods
from surefoot.demo.page import demo_page, verdict
from surefoot.objectives import Objective
from surefoot.worlds import TextWorld


def test_every_method_is_a_valid_objective_and_predicts_columns_that_exist() -> None:
    compared = methods(TextWorld())
    assert compared[0].name == "plain"
    assert len({m.name for m in compared}) == len(compared)
    for method in compared:
        Objective(**(method.objective or {}))
        assert set(method.predicted) <= set(COLUMNS)
        assert method.against in {"", *(m.name for m in compared)}
        told = "flip_rate" in (method.objective or {}).get("labels", ())
        assert (method.against == CALIBRATED) == told  # else calibration's gain would be its own


def test_the_commands_on_the_page_exist() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    for line in commands("a folder"):
        _, verb, *words = shlex.split(line)
        known = {option for p in verbs[verb].params for option in p.opts}
        assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.slow
def test_what_is_written_can_be_read(result: DemoResult, folder: Path) -> None:
    written = json.loads((folder / "demo.json").read_text())
    assert written == json.loads(json.dumps(result.to_dict()))
    assert written["schema_version"] == 2
    for row in written["rows"]:
        for cell in row["cells"].values():
            assert {"estimate", "low", "high", "level", "n", "covers"} <= set(cell["value"])
    train = read_preferences(str(folder / "train.jsonl"))
    assert len(train) == result.damage.rows
    assert not train.faults
    for name in ("test", "deployment"):
        assert len(read_preferences(str(folder / f"{name}.jsonl"))) == result.world.test_pairs
    for name in ("model.safetensors", "tokenizer.json"):
        assert (folder / "language-model" / name).is_file()
    for name in ("plain", "robust"):
        config = yaml.safe_load((folder / f"{name}.yaml").read_text())
        Objective(**config["objective"])
        assert config["data"]["train"] == [str(folder / "train.jsonl")]


@pytest.mark.slow
def test_the_headline_says_what_to_use(result: DemoResult) -> None:
    """What is marked as better where it counts, and plain where nothing is."""
    _, sentence, _ = verdict(result)
    marked = {
        key: {c.method for c in result.claims if c.column == key and c.found == "better"}
        for key in ("rare", "shifted", "clean")
    }
    assert not marked["clean"]
    assert "where all stays as trained: plain." in sentence
    first = sentence.partition(";")[0]
    for name in ("CVaR over groups", "KL over pairs (KLDPO)", "smoothed labels"):
        assert (name in first) == (name in marked["rare"] & marked["shifted"])


@pytest.mark.slow
def test_all_planted_damage_is_found(result: DemoResult) -> None:
    assert {f.kind: f.count for f in result.damage.findings} == result.planted


@pytest.mark.slow
def test_a_temperature_that_knows_the_flip_rate_gives_better_probabilities(
    result: DemoResult,
) -> None:
    plain, told = result.row("plain"), result.row(CALIBRATED)
    found = told.cells["log-loss"].difference
    assert found is not None
    assert found.difference.high is not None
    assert found.difference.high < -0.005
    before, after = (r.details["calibration"].overconfidence.estimate for r in (plain, told))
    assert before is not None
    assert after is not None
    assert before < -0.05 < after  # plain takes flips for doubt
    for key in ("clean", "noisy", "shifted", "rare"):  # the same margins
        assert plain.cells[key].value == told.cells[key].value


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smoothed labels", "flip-corrected labels"])
def test_labels_that_know_the_flip_rate_are_compared_with_a_temperature_that_does(
    result: DemoResult, name: str
) -> None:
    against, own = (result.row(n).cells["log-loss"] for n in (CALIBRATED, name))
    gap = (own.value.estimate or 0) - (against.value.estimate or 0)
    assert _difference(result, name, "log-loss") == pytest.approx(gap, abs=1e-9)
    assert abs(gap) < 0.2 * abs(_difference(result, CALIBRATED, "log-loss"))


@pytest.mark.slow
def test_the_warnings_of_fits_are_on_the_page(result: DemoResult, folder: Path) -> None:
    page = unescape((folder / "report.html").read_text())
    assert any("KL over pairs (KLDPO)" in given for given in result.notes.values())
    for note, given in result.notes.items():
        assert note in page
        assert "; ".join(given) in page


@pytest.mark.slow
def test_a_risk_over_groups_serves_the_rare_group_and_pays_in_the_mean(result: DemoResult) -> None:
    row = result.row("CVaR over groups")
    gains = {key: _difference(result, "CVaR over groups", key) for key in COLUMNS}
    assert gains["rare"] > 0.01
    assert gains["shifted"] > 0.01
    assert gains["clean"] < 0.0
    assert (row.details["weight_on_rare_group"].estimate or 0) > 1.3 * result.world.rare_share


@pytest.mark.slow
def test_a_risk_over_pairs_gives_its_weight_to_flipped_labels(result: DemoResult) -> None:
    assert _difference(result, "CVaR over pairs", "clean") < -0.1
    flipped = result.world.flip_rate
    weights = {
        name: result.row(name).details["weight_on_flipped_labels"].estimate
        for name in ("CVaR over pairs", "KL over pairs (KLDPO)", "soft minimum (Dr. DPO)")
    }
    assert weights["CVaR over pairs"] > flipped + 0.03
    assert weights["KL over pairs (KLDPO)"] > flipped
    assert weights["soft minimum (Dr. DPO)"] < flipped


@pytest.mark.slow
def test_every_prediction_is_told_with_its_outcome(result: DemoResult) -> None:
    predicted = sum(len(m.predicted) for m in methods(result.world))
    assert len(result.claims) == predicted
    for claim in result.claims:
        alone = claim.difference.p_value
        assert (alone is None) == (claim.adjusted is None)
        assert alone is None or claim.adjusted is None or claim.adjusted >= alone


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 160])
def test_the_table_shows_every_method(result: DemoResult, width: int) -> None:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_table(result, console)
    text = console.export_text()
    assert f"Theory made {len(result.claims)} predictions" in text
    for row in result.rows:
        assert row.method.name.split()[0] in text


@pytest.mark.slow
def test_the_page_needs_nothing_from_elsewhere(result: DemoResult, folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", page)
    assert not re.search(r"@import|url\(\s*['\"]?\s*(https?:)?//", page)
    assert "<script" not in page
    assert page.count("<svg") == len(COLUMNS) + 3
    for row in result.rows:
        assert row.method.name in page


@pytest.mark.slow
def test_text_from_data_is_escaped(result: DemoResult) -> None:
    bad = "<script>alert(1)</script>"
    finding = result.damage.findings[0]
    hostile = replace(finding, examples=(ExampleRow(bad, 0, bad),), meaning=bad)
    damage = replace(result.damage, findings=(hostile,), name=bad)
    page = demo_page(replace(result, damage=damage), output=bad)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def _difference(result: DemoResult, method: str, column: str) -> float:
    found = next(c for key, c in result.row(method).cells.items() if key == column).difference
    assert found is not None
    assert found.difference.estimate is not None
    return found.difference.estimate
