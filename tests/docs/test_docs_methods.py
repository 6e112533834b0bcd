"""Pages of methods: one for each member, complete, and true where that can be computed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sphinx.errors import ExtensionError
from surefoot_docs import methods, numbers
from surefoot_docs.mathml import mathml

from surefoot.demo.methods import CALIBRATED
from surefoot.objectives import Evidence, LabelModel, MarginLoss, Objective, Regulariser, Risk
from surefoot.training import RunConfig

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "methods"
KINDS = sorted(methods.kinds())
_BLOCK = re.compile(r"^```\{?(\w+)\}?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(kind: str, language: str) -> list[str]:
    text = (PAGES / f"{kind}.md").read_text()
    return [block for name, block in _BLOCK.findall(text) if name == language]


def test_every_member_has_a_page_and_every_page_a_member():
    registered = {
        kind for base in (MarginLoss, LabelModel, Risk, Regulariser) for kind in base.registry
    }
    assert registered == set(KINDS)  # no kind is the name of two members
    methods.check(PAGES)


def test_a_member_without_a_page_fails_the_build(tmp_path):
    for path in PAGES.glob("*.md"):
        (tmp_path / path.name).write_text(path.read_text())
    methods.check(tmp_path)
    (tmp_path / "cvar.md").write_text("# CVaR\n\n## Equation\n")
    with pytest.raises(ExtensionError, match="When it fails"):
        methods.check(tmp_path)
    (tmp_path / "cvar.md").rename(tmp_path / "no-such-member.md")
    with pytest.raises(ExtensionError, match=r"'cvar'.*'no-such-member'"):
        methods.check(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_its_configuration_constructs_and_uses_it(kind):
    place, cls = methods.kinds()[kind]
    found = blocks(kind, "yaml")
    assert found
    for block in found:
        given = {"data": {"train": "pairs.jsonl"}, "output": "run"} | yaml.safe_load(block)
        objective = RunConfig(**given).objective
        used = getattr(objective, place)
        assert cls in {type(one) for one in (used if place == "regularisers" else [used])}


@pytest.mark.parametrize("kind", KINDS)
def test_its_equations_can_be_read(kind):
    found = blocks(kind, "math")
    assert found
    assert all("<math" in mathml(block.strip(), block=True) for block in found)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_code_knows_is_on_it(kind):
    _, cls = methods.kinds()[kind]
    page = methods.complete(kind, (PAGES / f"{kind}.md").read_text())
    for option in cls.model_fields:
        assert f"| `{option}` |" in page
    for heading in ("Options", "In numbers", "What it composes with", "Measured here", "Source"):
        assert f"\n## {heading}\n" in page
    assert page.startswith("# ")


def test_an_equation_that_cannot_be_read_fails_the_build():
    with pytest.raises(ExtensionError, match="nosuch"):
        mathml(r"\nosuch{x}")


def test_numbers_are_those_of_another_way_of_computing():
    page = methods.complete("hinge", "# Hinge\n")
    loss = re.search(r"^\| loss \| (.*) \|$", page, re.MULTILINE)[1].split(" | ")
    assert [float(one) for one in loss] == [max(0, 1 - m) for m in numbers.MARGINS]
    page = methods.complete("kl-penalised", "# KL\n")
    weights = re.search(r"weight under `kl-penalised` \| (.*) \|", page)[1].split(" | ")
    expected = np.exp(numbers.LOSSES) / np.exp(numbers.LOSSES).sum()
    assert [float(one) for one in weights] == pytest.approx(expected, abs=6e-4)


def _measured(kind):
    """Tables of a page: the caption of each, and the second half of its rows' names."""
    page = methods.complete(kind, f"# {kind}\n").partition("## Measured here")[2]
    found = {}
    for block in page.partition("## Source")[0].split("\n\n"):
        if block.strip().startswith("**`experiments"):
            caption = block.strip()
        elif block.strip().startswith("|"):
            found[caption] = block.strip().splitlines()[2:]
    return page, found


@pytest.mark.parametrize("kind", KINDS)
def test_measured_rows_are_copied_from_the_results_below_their_own_caption(kind):
    _, found = _measured(kind)
    for caption, rows in found.items():
        path = ROOT / re.search(r"`(experiments/\w+/\w+\.md)`", caption)[1]
        results = {" ".join(line.split()) for line in path.read_text().splitlines()}
        assert rows
        for row in rows:
            assert " ".join(row.split()) in results


@pytest.mark.parametrize(
    ("kind", "experiments"),
    [
        ("soft-minimum", {"demo": 1, "hh": 2, "hh_language": 2}),
        ("kl-penalised", {"demo": 1, "demo/policies": 1, "hh": 2}),
        ("chosen-likelihood", {"demo/policies": 1}),
        ("squared", {"hh_language": 1}),
        ("flip-corrected", {"demo": 1, "demo/policies": 1, "hh": 2, "hh_language": 3}),
    ],
)
def test_every_experiment_that_uses_a_member_is_on_its_page(kind, experiments):
    """How many tables of each of the README's experiments have a row of it."""
    _, found = _measured(kind)
    places = [re.search(r"experiments/(\w+/\w+)\.md", caption)[1] for caption in found]
    places = [place.removesuffix("/results") for place in places]
    counted = {name: places.count(name) for name in set(places)}
    assert {name: counted.get(name, 0) for name in experiments} == experiments
    ours = {"demo", "demo/policies", "hh", "hh_language"}
    assert ours & set(counted) == set(experiments)


def test_rows_of_a_member_and_plain_ones_and_no_others():
    _, found = _measured("chosen-likelihood")
    (rows,) = (rows for caption, rows in found.items() if "demo/policies" in caption)
    names = [row.split("|")[1].strip() for row in rows]
    assert names == ["plain (DPO)", "with chosen likelihood (RPO)"]
    _, found = _measured("squared")
    (rows,) = (rows for caption, rows in found.items() if "hh_language" in caption)
    names = {row.split("|")[2].strip() for row in rows}
    assert {"plain", "squared (IPO, not length-normalised)"} <= names
    assert names <= {"plain", CALIBRATED, "squared (IPO, not length-normalised)"}
    assert "No experiment" in _measured("probit")[0]


def test_compositions_are_what_happens():
    page = methods.complete("flip-corrected", "# Flip-corrected\n")
    allowed = re.search(r"^- \*\*Allowed\*\*: (.*)$", page, re.MULTILINE)[1]
    assert "`risk: cvar` over groups" in allowed
    assert "`risk: cvar` over pairs" not in allowed
    refused = " ".join(re.findall(r"^- \*\*Refused\*\*: (.*)$", page, re.MULTILINE))
    assert "`risk: cvar` over pairs" in refused
    assert "`loss: probit`" in refused
    Objective(labels="flip-corrected", risk={"kind": "cvar", "unit": "group"})


def test_prose_links_go_somewhere():
    for path in [*PAGES.glob("*.md"), *Path(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+\.md)\)", path.read_text()):
            assert (path.parent / target).is_file(), (path.name, target)


def flipped(rate: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Margins of clean labels, normal around 1.5, and which labels are flipped."""
    rng = np.random.default_rng(0)
    clean = torch.from_numpy(rng.normal(1.5, 1.0, 200_000))
    return clean, torch.from_numpy(rng.random(len(clean)) < rate)


@pytest.mark.parametrize("labels", ["observed", {"kind": "flip-corrected", "flip_rate": 0.2}])
def test_the_worst_fifth_is_mostly_flipped_labels(labels):
    """The figure on the page of flip-corrected labels."""
    clean, wrong = flipped(0.2)
    evidence = Evidence((~wrong).double())  # the margin is that of the truly preferred response
    losses = Objective(labels=labels).pair_losses(clean, evidence)
    weights = Risk.parse({"kind": "cvar", "level": 0.2})(losses).weights
    # Exactly: the share below t, where .8 Phi(t - 1.5) + .2 Phi(t + 1.5) = .2, is .8734.
    assert float(weights[wrong].sum()) == pytest.approx(0.8734, abs=0.005)
    assert "to 87 %" in (PAGES / "flip-corrected.md").read_text()


def test_kl_over_pairs_gives_flipped_labels_the_weight():
    """The figure on the page of the KL-penalised risk."""
    clean, wrong = flipped(0.1)
    losses = Objective().pair_losses(clean, Evidence((~wrong).double()))
    weights = Risk.parse({"kind": "kl-penalised", "temperature": 1.0})(losses).weights
    assert float(weights[wrong].sum()) == pytest.approx(0.41, abs=0.005)
    assert "41 % of the weight" in (PAGES / "kl-penalised.md").read_text()


def test_balls_over_pairs_give_flipped_labels_the_weight():
    """The figures on the pages of the chi-squared ball and of the choice of a risk."""
    clean, wrong = flipped(0.2)
    losses = Objective().pair_losses(clean, Evidence((~wrong).double()))
    on_flips = {
        (kind, radius): float(
            Risk.parse({"kind": kind, "radius": radius})(losses).weights[wrong].sum()
        )
        for kind, radius in (("chi-squared", 0.1), ("chi-squared", 1.0), ("kl", 0.1))
    }
    assert on_flips["chi-squared", 0.1] == pytest.approx(0.35, abs=0.005)
    assert on_flips["chi-squared", 1.0] == pytest.approx(0.67, abs=0.005)
    assert on_flips["kl", 0.1] == pytest.approx(0.36, abs=0.005)
    page = (PAGES / "chi-squared.md").read_text()
    assert "35 % of the weight on them, a radius of 1 67 %" in page
    risks = (ROOT / "docs" / "risks.md").read_text()
    assert "35 % of the weight on them, a KL radius of .1 36 %" in " ".join(risks.split())


def test_distances_of_ten_equal_groups_on_the_page_of_risks():
    risks = (ROOT / "docs" / "risks.md").read_text()
    p = np.full(10, 0.1)
    for kind in ("tv", "chi-squared", "kl"):
        row = re.search(rf"^\| `{kind}` \| 0 \| (.*) \|$", risks, re.MULTILINE)[1].split(" | ")
        for share, told in zip((0.2, 0.5, 1.0), row, strict=True):
            q = np.array([share] + [(1 - share) / 9] * 9)
            away = {
                "tv": np.abs(q - p).sum() / 2,
                "chi-squared": ((q - p) ** 2 / p).sum() / 2,
                "kl": (q * np.log(np.maximum(q, 1e-300) / p)).sum(),
            }[kind]
            assert float(told) == pytest.approx(away, abs=6e-4)
        assert Risk.parse(kind).largest_radius(0.1) == pytest.approx(float(row[-1]), abs=6e-4)
