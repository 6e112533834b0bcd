"""Self-contained HTML pages: one file each, no scripts, nothing fetched."""

from surefoot.report.best_of_n import best_of_n_page
from surefoot.report.damage import damage_page
from surefoot.report.evaluation import evaluation_page
from surefoot.report.policy_value import value_page
from surefoot.report.win_rate import win_rate_page

__all__ = ["best_of_n_page", "damage_page", "evaluation_page", "value_page", "win_rate_page"]
