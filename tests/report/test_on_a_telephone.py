"""Pages of reports on models in Chromium, 400 pixels wide: they fit, scroll, and can be touched."""

import numpy as np
import pytest
from browser import Browser
from evaluation.preference_tables import rewards_for, table

from surefoot.evaluation import compare, evaluate_rewards
from surefoot.evaluation.policies.contests import Contests
from surefoot.evaluation.policies.logged import LoggedValues
from surefoot.evaluation.policies.overoptimisation.choosing import BestOfN
from surefoot.evaluation.policies.overoptimisation.curve import best_of_n_curve, compare_curves
from surefoot.evaluation.policies.value import policy_value
from surefoot.evaluation.policies.win_rate import win_rate
from surefoot.evaluation.run import Evaluation, SetFindings
from surefoot.report import best_of_n_page, evaluation_page, value_page, win_rate_page

pytestmark = pytest.mark.slow

NAME = "a/name/that/is/long/and/has/no/space/to/break/at/" * 2 + "pairs.jsonl"


def evaluated(baseline):
    pairs = table()
    rewards = [rewards_for(pairs, accuracy, 1) for accuracy in (0.9, 0.7)]
    compared = compare(*rewards, pairs) if baseline else None
    sets = {NAME: SetFindings(evaluate_rewards(rewards[0], pairs), compared, None, None)}
    return evaluation_page(Evaluation(NAME, "runs/plain" if baseline else None, 1, sets))


def valued():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).astype(float)
    logs = 0.3 * rng.standard_normal((200, 2)) - 0.045
    value = policy_value(labels, rng.random(200), rng.random((200, 2)), logs)
    return value_page(LoggedValues(NAME, "runs/judge", "written.jsonl", {NAME: value}, ()))


def won():
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.normal(4, 0.5, (300, 2))).round()
    votes = [(rng.random(300) < 0.6).astype(float) for _ in range(2)]
    contests = Contests(*votes, lengths, np.arange(300))
    return win_rate_page(win_rate(contests), NAME, "b.jsonl", judge="runs/judge")


def chosen():
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(30, 16))
    curves = {
        name: best_of_n_curve([gold + noise * rng.normal(size=gold.shape)], gold)
        for name, noise in ((NAME, 0.3), ("runs/two", 3.0))
    }
    return best_of_n_page(BestOfN(curves, compare_curves(*curves.values()), None, ()))


PAGES = {
    "evaluate": lambda: evaluated(False),
    "compare": lambda: evaluated(True),
    "value": valued,
    "winrate": won,
    "best-of-n": chosen,
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_shows_by_touch_what_hovering_shows(browser, tmp_path, name):
    file = tmp_path / "report.html"
    file.write_text(PAGES[name](), encoding="utf-8")
    browser.open(file, 400)
    assert browser.complaints == []
    assert browser.value("document.documentElement.scrollWidth") <= 400
    wide = (
        "[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth + 40)"
    )
    many = f"{wide}.filter(s => s.querySelectorAll('th[scope=col]').length > 3)"
    said = "(s => s.previousElementSibling.matches('.sideways') && "
    said += "getComputedStyle(s.previousElementSibling).display === 'block')"
    assert browser.value(f"{many}.every({said})")
    first = "document.querySelector('.behind')"
    covers = browser.value(f"{first}.title")
    assert covers not in browser.value("document.body.innerText")
    browser.value(f"{first}.querySelector('summary').click()")
    assert covers in browser.value(f"{first}.innerText")
    browser.open(file, 1200)
    assert browser.value("[...document.querySelectorAll('.sideways')].every(s => !s.offsetHeight)")
