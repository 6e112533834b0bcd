"""The pictures of an audit: every kind is drawn, with the band of what does not matter."""

import json
import re

import pytest
from html_checks import parsed

from surefoot.auditing import Arrows, Cells, Counts, Curves, Dots, Picture
from surefoot.report.pictures import drawn
from surefoot.statistics import Estimate

GREY = r'<path d="M ([\d.]+) [\d.]+ L ([\d.]+)[^"]*" [^>]*style="fill: var\(--rule'


def one(value, half=0.05):
    return Estimate(value, value - half, value + half, n=99, covers="prompts")


EVERY = [
    Dots(["a", "b"], {"size": [one(0.3), one(-0.2)]}, "log-odds", (-0.1, 0.1), ["a"]),
    Curves(
        [2, 3], {"seen": [one(0.8), one(0.7)]}, "agree", "votes", ([0.9, 0.8], [1, 1]), ["seen"]
    ),
    Arrows(["a", "b"], [one(0.3), one(-0.2)], "log-odds", (-0.1, 0.1)),
    Cells(["a"], ["a", "b"], [[one(0.7), one(0.4)]], "taught by", "tried on"),
    Counts([0, 1, 2], [3, 9], [4, 4], "triads"),
    Counts([0, 1, 2], [], [4, 4], "ratio", value=1.7),
]


@pytest.mark.parametrize("picture", EVERY, ids=lambda one: one.kind)
def test_every_kind_is_drawn_and_is_json(picture):
    assert [tag for tag, _ in parsed(drawn(picture)).tags].count("svg") == 1
    held = json.loads(json.dumps(picture.to_dict()))
    assert held["kind"] == picture.kind


def test_there_is_an_example_of_every_kind():
    assert {type(one) for one in EVERY} == set(Picture.__subclasses__())


@pytest.mark.parametrize("picture", [EVERY[0], EVERY[2]], ids=["dots", "arrows"])
def test_the_band_lies_where_it_says(picture):
    """Against the places of the two estimates: the band is as wide as it should be."""
    svg = drawn(picture)
    left, right = (float(x) for x in re.search(GREY, svg).groups())
    marks = re.findall(r'<text [^>]*x="([\d.]+)"[^>]*>([−\d.]+)</text>', svg)
    ticks = {float(t.replace("−", "-")): float(x) for x, t in marks}
    (a, at_a), (b, at_b) = sorted(ticks.items())[:: len(ticks) - 1]
    per_unit = (at_b - at_a) / (b - a)
    assert left == pytest.approx(at_a + (-0.1 - a) * per_unit, abs=0.5)
    assert right == pytest.approx(at_a + (0.1 - a) * per_unit, abs=0.5)


def test_a_band_without_an_end_reaches_the_edge_of_the_picture():
    held, open_ = (
        drawn(Dots(["a"], {"s": [one(0.3)]}, "x", band)) for band in ((0.0, 0.1), (None, 0.1))
    )
    assert float(re.search(GREY, open_)[1]) < float(re.search(GREY, held)[1])


def test_a_kind_that_nothing_draws_is_an_error():
    with pytest.raises(NotImplementedError, match="nothing draws Picture"):
        drawn(Picture())
