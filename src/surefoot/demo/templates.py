"""The templates of the demo's page, beside those of the reports."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader

from surefoot.report import page as report_page


def environment() -> Environment:
    """The report's templates, with the demo's beside them."""
    own = PackageLoader("surefoot.demo", "")
    shared = report_page.environment()
    return shared.overlay(loader=ChoiceLoader([own, *filter(None, [shared.loader])]))
