import re

import matplotlib
import numpy as np
import pytest
from html_checks import parsed

from surefoot.errors import ConfigurationError
from surefoot.report import charts
from surefoot.report.matrix import matrix_chart
from surefoot.report.svg import clean
from surefoot.statistics import Estimate, calibration, mean

HOSTILE = '</svg><script>"1"</script>$x_1$ _b -- #010101 \x00\u202e & "q"'
RNG = np.random.default_rng(0)


def estimate(share=0.6, n=200):
    return mean((RNG.random(n) < share).astype(float))


REFUSED = Estimate(0.7, None, None, n=5, covers="test items", note="5 clusters are too few")
NOTHING = Estimate(None, None, None, n=0, covers="test items", note="there are no values")


def every_chart(name):
    p = RNG.uniform(0.05, 0.95, 300)
    found = calibration(p, (RNG.random(300) < p).astype(float))
    one, other = [estimate(), REFUSED, None], [estimate(), NOTHING, estimate()]
    return {
        "dots": charts.dot_interval_chart(
            [name, "b", "c"], {name: one, "_other": other}, 0.5, axis=name, reference_label=name
        ),
        "curve": charts.curve_chart([0, 0.1, 0.2], {name: one, "x": other}, axis=name, along=name),
        "reliability": charts.reliability_chart({name: found, "y": found}),
        "bars": charts.bar_chart([name, "b"], [1, 2.5], axis=name),
        "counts": charts.count_chart([0, 1, 2], [3, 4], [2, 5], axis=name, names=(name, "x")),
        "arrows": charts.dot_interval_chart(
            [name, "b"],
            {"size": [estimate(), estimate()]},
            axis=name,
            arrows=True,
            band=(-0.1, 0.1),
        ),
        "matrix": matrix_chart(
            [name, "b"], ["c", name, "d"], [one, other], row_title=name, column_title=name
        ),
    }


KINDS = ["dots", "curve", "reliability", "bars", "counts", "arrows", "matrix"]


@pytest.mark.parametrize("kind", KINDS)
def test_text_from_data_stays_text(kind):
    svg = every_chart(HOSTILE)[kind]
    page = parsed(svg)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("svg") == 1
    assert "script" not in tags
    assert '</svg><script>"1"</script>$x_1' in " ".join(page.text)  # no mathtext
    assert "\x00" not in svg
    assert "\u202e" not in svg
    assert "#010101" not in re.sub(r">[^<]*<|aria-label=\"[^\"]*\"", "", svg)  # only in the text


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_follow_the_page_and_hold_no_dates(kind):
    svg = every_chart("name")[kind]
    assert "currentColor" in svg
    assert "var(--series-1" in svg
    for absent in ("<style", "metadata", "<?xml", "<!DOCTYPE", "DejaVu", "Matplotlib", "#04010"):
        assert absent not in svg
    assert re.search(r'aria-label="[^"]{20,}"', svg)


def test_the_same_figures_give_the_same_picture_and_ids_do_not_meet():
    one = [Estimate(0.5, 0.4, 0.6, n=10, covers="x")]
    first = charts.dot_interval_chart(["a"], {"s": one})
    assert first == charts.dot_interval_chart(["a"], {"s": one})
    other = charts.dot_interval_chart(["b"], {"s": one})
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (first, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_settings_of_matplotlib_are_left_alone(monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 17.0)
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "path")
    before = dict(matplotlib.rcParams)
    svg = charts.bar_chart(["a"], [1])
    assert dict(matplotlib.rcParams) == before
    assert "<text" in svg
    assert "17px" not in svg


def test_a_refused_interval_is_hollow_and_its_reason_is_said():
    known = charts.dot_interval_chart(["a"], {"s": [Estimate(0.5, 0.4, 0.6, n=9, covers="x")]})
    hollow = charts.dot_interval_chart(["a"], {"s": [REFUSED]})
    point = r'<use [^>]*style="(fill[^;]*); stroke: var\(--series-1'
    assert re.findall(point, known) == ["fill: var(--series-1, #0063a6)"]
    assert re.findall(point, hollow) == ["fill-opacity: 0"]
    assert "no interval: 5 clusters are too few" in hollow


def test_figures_are_in_the_description_and_in_their_place():
    svg = charts.dot_interval_chart(
        ["low", "high"],
        {"s": [Estimate(v, v - 0.05, v + 0.05, n=9, covers="x") for v in (0.2, 0.8)]},
        axis="accuracy",
    )
    assert "accuracy. low: s .200 [.150, .250]; high: s .800 [.750, .850]." in svg
    points = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*fill: var\(--series-1', svg)
    (x0, y0), (x1, y1) = [tuple(map(float, point)) for point in points]
    assert x0 < x1
    assert y0 < y1  # the first label is at the top


def test_legend_only_for_several_series_and_with_any_name():
    one = [Estimate(0.5, 0.4, 0.6, n=9, covers="x")]
    single = charts.dot_interval_chart(["a"], {"_s": one})
    both = charts.dot_interval_chart(["a"], {"_s": one, "t": one})
    assert ">_s<" not in single
    assert ">_s<" in both


def test_names_of_another_script_do_not_warn(recwarn):
    assert "偏好" in charts.bar_chart(["偏好 🙂"], [1])
    assert not recwarn.list


def test_lengths_must_agree():
    with pytest.raises(ConfigurationError, match="'s' has 1 values for 2 labels"):
        charts.dot_interval_chart(["a", "b"], {"s": [REFUSED]})
    with pytest.raises(ConfigurationError, match="1 labels for 2 values"):
        charts.bar_chart(["a"], [1, 2])


def test_empty_pictures_are_drawn():
    assert "<svg" in charts.dot_interval_chart([], {})
    assert "<svg" in charts.reliability_chart({"a": calibration([], [])})
    assert "<svg" in charts.bar_chart([], [])


def test_clean():
    assert clean("a\n\tb\x07c\u202ed") == r"a b\x07c\u202ed"
    assert clean("abcdef", 4) == "abc…"
