"""Pages on the demo and on HH: their tables and counts are those of the committed figures."""

from __future__ import annotations

import json

import pytest
from pages import DOCS

from surefoot.report.words import number

EXPERIMENTS = DOCS.parent / "experiments"


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("demo", "demo/results"),
        ("demo", "demo/policies"),
        ("hh", "hh/results"),
        ("hh", "hh_language/results"),
    ],
)
def test_a_page_shows_the_committed_tables(page, name):
    assert (EXPERIMENTS / f"{name}.md").read_text() in (DOCS / f"{page}.md").read_text()


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


def test_the_counts_of_predictions_are_those_of_the_figures():
    found = json.loads((EXPERIMENTS / "demo" / "results.json").read_text())
    text = " ".join((DOCS / "demo.md").read_text().split())
    for part, sentence in (
        (found, "Theory made {} predictions, gains and costs; {} held"),
        (found["policies"], "Of {} predictions {} held"),
    ):
        claims = part["claims"]
        assert sentence.format(len(claims), sum(claim["held"] for claim in claims)) in text
