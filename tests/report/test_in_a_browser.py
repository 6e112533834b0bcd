"""The page of an audit in Chromium: on a telephone, in the dark, on paper, by keyboard."""

import io

import numpy as np
import pytest
from browser import Browser
from matplotlib.image import imread

from surefoot.auditing import audit
from surefoot.data import Preferences
from surefoot.data.checks import check
from surefoot.report import audit_page

pytestmark = pytest.mark.slow

#: Would change the title, ask for a picture, or turn the text round.
HOSTILE = (
    "</p></svg><script>document.title = 'ran'</script><img src='http://localhost:9/x' "
    "onerror=\"document.title = 'ran'\"><style>* { display: none }</style>\u202e{{ 7 * 7 }}\x00"
)


def hostile(n=300):
    """Comparisons in which the longer response wins, with markup in every text and name."""
    rng = np.random.default_rng(0)
    for i in range(n):
        sides = [f"{HOSTILE} {'word ' * k}" for k in (3, 12)]
        turned, longer = rng.random() < 0.5, rng.random() < 0.95
        a, b = sides[::-1] if turned else sides
        yield {
            "prompt": f"{HOSTILE} {i}",
            "response_a": a,
            "response_b": b if i else a,  # one row is damaged
            "label": float(longer == turned),
            "source": f"{HOSTILE} {i % 2}",
            "votes": [{"annotator": f"{HOSTILE} {k}", "value": float(longer)} for k in range(3)],
        }


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    data = Preferences.from_rows(hostile(), name=HOSTILE)
    file = tmp_path_factory.mktemp("page") / "report.html"
    made = audit_page(check(data), audit(data, quick=True), data, command=f"surefoot {HOSTILE}")
    file.write_text(made, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.mark.parametrize("width", [390, 1000])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_asks_for_nothing_complains_of_nothing_and_fits(browser, page, width, dark):
    browser.open(page, width, dark)
    assert browser.requests == []
    assert browser.complaints == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    paper = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper.removeprefix("rgb(").rstrip(")").split(","))) < 300) is dark
    pixels = imread(io.BytesIO(browser.screenshot()))
    assert pixels.shape[1] == width
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 50


def test_text_of_the_data_is_text(browser, page):
    browser.open(page)
    assert browser.value("document.title").startswith("Audit of </p></svg><script>")
    assert browser.value("document.querySelectorAll('script, img, main style').length") == 0
    seen = browser.value("document.body.innerText")
    assert seen.count("</p></svg><script>document.title") >= 5
    assert "<img src='http://localhost:9/x'" in seen
    assert r"\u202e{{ 7 * 7 }}\x00" in seen
    assert "\u202e" not in seen


def test_the_first_screen_of_a_telephone_says_what_to_do(browser, page):
    browser.open(page, 390)
    first = "document.querySelector('.verdict')"
    assert browser.value(f"{first}.getBoundingClientRect().top") < 800
    assert "First:" in browser.value(f"{first}.innerText")


def test_by_keyboard(browser, page):
    """The first key skips to the content; every part that scrolls sideways can be reached."""
    browser.open(page)
    browser.press("Tab")
    assert browser.value("document.activeElement.textContent") == "Skip to the content"
    assert browser.value("document.activeElement.getBoundingClientRect().left") >= 0
    reached, count = set(), browser.value("document.querySelectorAll('.scroll').length")
    for _ in range(80):
        browser.press("Tab")
        here = "[...document.querySelectorAll('.scroll')].indexOf(document.activeElement)"
        reached.add(browser.value(here))
    assert count
    assert reached >= set(range(count))


def test_on_paper_what_is_folded_is_shown(browser, page):
    height = "document.querySelector('details:not(.behind)').getBoundingClientRect().height"
    browser.open(page)
    folded = browser.value(height)
    browser.open(page, media="print")
    assert browser.value(height) > 1.5 * folded
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"
