"""The benchmark of trainers hands its options on to its children whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import embedding, heads, speed, trainer

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["--json", "figures.json", "--bf16", "--task", "reward"],
        ["--reference=live", "--steps=3", "--max-length", "64"],
    ],
    ids=" ".join,
)
def test_a_child_has_the_options_of_its_parent(given):
    options = trainer._options(given)
    python, flag, module, *rest = trainer._command("trl", "a folder", options)
    assert (python, flag, module) == (sys.executable, "-m", "benchmarks.trainer")
    found = vars(trainer._options(rest))
    assert found == vars(options) | {"child": "trl", "folder": "a folder"}


def test_a_benchmark_of_speed_puts_its_figures_beside_the_others(tmp_path, monkeypatch, capsys):
    place = tmp_path / "speed.json"
    speed.keep(place, "another", "2 s", {"seconds": 2.0})
    options = ["--pairs", "60", "--dimension", "4", "--repeats", "1", "--json", str(place)]
    monkeypatch.setattr(sys, "argv", ["heads", *options])
    heads.main()
    found = json.loads(place.read_text())
    name, one = list(found.items())[1]
    assert name.startswith("45 heads, 60 pairs, 4 features")
    assert {"batched", "one at a time", "scikit-learn", "said", "machine"} == set(one)
    assert one["one at a time"]["above_the_batch"] == pytest.approx(0, abs=1e-6)
    assert f"{name}: {one['said']}" in capsys.readouterr().out
    assert place.with_suffix(".md").read_text() == speed.table(found)
    speed.keep(place, "another", "1 s", {"seconds": 1.0})
    assert json.loads(place.read_text())["another"]["seconds"] == 1.0


def test_the_page_on_speed_shows_what_was_kept():
    place = ROOT / "benchmarks" / "results" / "speed.json"
    kept = json.loads(place.read_text())
    assert place.with_suffix(".md").read_text() == speed.table(kept)
    assert speed.table(kept) in (ROOT / "docs" / "speed.md").read_text()


def test_the_benchmark_of_embedding_gives_the_same_vectors_in_every_order(tmp_path, monkeypatch):
    place = tmp_path / "speed.json"
    options = ["--texts", "6", "--repeats", "1", "--json", str(place)]
    monkeypatch.setattr(sys, "argv", ["embedding", *options])
    embedding.main()
    (one,) = json.loads(place.read_text()).values()
    assert one["float32, sorted"]["smallest_cosine"] == pytest.approx(1, abs=1e-5)
    assert one["bfloat16, sorted"]["smallest_cosine"] == pytest.approx(1, abs=1e-2)
