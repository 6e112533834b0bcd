"""The commands; each is in the file of its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.arguments import in_groups
from surefoot.cli.audit import audit
from surefoot.cli.best_of_n import best_of_n
from surefoot.cli.calibrate import calibrate
from surefoot.cli.demo import demo
from surefoot.cli.evaluate import PairsOnly, evaluate
from surefoot.cli.fetch import fetch
from surefoot.cli.init import init
from surefoot.cli.options import options
from surefoot.cli.sample import sample
from surefoot.cli.score import score
from surefoot.cli.train import train
from surefoot.cli.value import value
from surefoot.cli.winrate import winrate

app = typer.Typer(
    name="surefoot",
    help="Robust RLHF: diagnose preferences, train under a robust objective, prove that it helped.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog="Add to any command: --debug for a traceback; --plugin MODULE for losses, risks, "
    "readers, checks or suites of a package of your own.",
)
_OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}

app.command()(in_groups(audit))
app.command()(in_groups(init))
#: Made of the options themselves, by docs/_ext/refresh.py: to import them takes seconds.
_OPTIONS = Path(__file__).with_name("options.md").read_text(encoding="utf-8")
app.command(context_settings=_OVERRIDES, epilog=_OPTIONS.partition("-->")[2].partition("<!--")[0])(
    in_groups(train)
)
app.command(context_settings=_OVERRIDES)(in_groups(sample))
app.command(cls=PairsOnly)(in_groups(evaluate))
for command in (value, winrate, best_of_n, calibrate, score, options, fetch, demo):
    app.command()(in_groups(command))


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"surefoot {version('surefoot')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
