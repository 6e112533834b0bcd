"""Pages from templates: HTML in one file, every text from data escaped."""

from __future__ import annotations

import functools
import re
from importlib.metadata import version
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from surefoot.escaping import visible
from surefoot.report import words


def render(template: str, **context: Any) -> str:
    """Fill a template of `report/templates/`, such as `audit.html.jinja`.

    Text is escaped whatever its name or origin; only :class:`markupsafe.Markup` (the pictures of
    :mod:`surefoot.report.charts`) is taken as HTML. A name that the template uses and the context
    lacks is an error.
    """
    return environment().get_template(template).render(**context)


def environment_of(package: str) -> Environment:
    """Templates of a package, such as `surefoot.demo`, which extend and import those of reports."""
    shared = environment()
    own = PackageLoader(package, "")
    return shared.overlay(loader=ChoiceLoader([own, *filter(None, [shared.loader])]))


class _Page(Template):
    """A template whose page, pictures and all, shows the characters that would hide something."""

    def render(self, *arguments: Any, **context: Any) -> str:
        return visible(super().render(*arguments, **context))


@functools.cache
def environment() -> Environment:
    """Where the templates are found, with the filters that they use; autoescape is on."""
    templates = Environment(
        loader=PackageLoader("surefoot.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.template_class = _Page
    written = (words.number, words.parts, words.count, words.counted, words.percent, words.p_value)
    templates.filters |= {f.__name__: f for f in (*written, words.interval, words.coverage)}
    templates.filters["basename"] = lambda path: re.split(r"[/\\\\]", path)[-1]
    templates.globals |= {"outcome": words.outcome, "version": version("surefoot")}
    return templates
