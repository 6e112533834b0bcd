"""Self-contained HTML pages: one file each, no scripts, nothing fetched."""

from surefoot.report.audit import audit_page
from surefoot.report.evaluation import evaluation_page
from surefoot.report.policies import best_of_n_page, value_page, win_rate_page

__all__ = ["audit_page", "best_of_n_page", "evaluation_page", "value_page", "win_rate_page"]
