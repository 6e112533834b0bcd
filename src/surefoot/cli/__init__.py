"""The command line: parse, call, print. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from itertools import pairwise


def main() -> None:
    """Run the command line; a user's error is one message and exit code 2, Ctrl-C is 130.

    What ends it politely (SIGTERM: a scheduler, `kill`) is as Ctrl-C, with exit code 143.
    """
    with suppress(ValueError):  # a thread other than the first has no say
        signal.signal(signal.SIGTERM, partial(_terminated, os.getpid()))
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        from surefoot.cli.console import quiet_libraries

        quiet_libraries()
        sys.exit(run_command(_with_plugins(arguments) or ["--help"]))
    except Exception as error:
        from surefoot.cli.console import complain, unexpected
        from surefoot.errors import SurefootError
        from surefoot.runs.atomic import of_the_disk

        usage = getattr(error, "format_message", None)  # of a command that was typed wrongly
        if not debug and (usage or isinstance(error, SurefootError) or of_the_disk(error)):
            # typer shows the words of pydantic before its own
            complain(usage().replace(" Value error, ", " ", 1) if usage else str(error))
            sys.exit(2)
        unexpected()
        sys.exit(1)
    except KeyboardInterrupt as stopped:
        with suppress(ValueError):  # a thread other than the first has no say
            for one in (signal.SIGINT, signal.SIGTERM):
                signal.signal(one, signal.SIG_IGN)  # Ctrl-C twice is as once
        from surefoot.cli.console import say

        say(" ".join(["stopped.", *_notes(stopped)]))
        sys.exit(143 if isinstance(stopped, _TerminatedError) else 130)


class _TerminatedError(KeyboardInterrupt):
    """What SIGTERM raises, so that it ends as Ctrl-C does."""


def _terminated(process: int, number: int, frame: object) -> None:
    """Stop the process of the command; those that it has made, such as workers, just end."""
    del frame
    if os.getpid() == process:
        raise _TerminatedError
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _notes(stopped: BaseException | None) -> list[str]:
    """How to go on: with what stopped it, or with the Ctrl-C before, of which this is a second."""
    while stopped is not None:
        if notes := getattr(stopped, "__notes__", []):
            return list(notes)
        stopped = stopped.__context__
    return []


def _with_plugins(arguments: list[str]) -> list[str]:
    """The arguments without `--plugin MODULE`, wherever it stands, once those are imported."""
    left, rest = [], iter(arguments)
    for argument in rest:
        option, equals, name = argument.partition("=")
        if option != "--plugin":
            left.append(argument)
            continue
        from surefoot import plugins
        from surefoot.errors import ConfigurationError

        name = name if equals else next(rest, "")
        if not name or name.startswith("-"):
            raise ConfigurationError("--plugin needs the name of a module.")
        plugins.load(name)
    return left


def run_command(arguments: list[str]) -> int:
    """The exit code of a command; unlike `app()`, what Ctrl-C raises comes through."""
    import typer

    if arguments[:1] == ["help"]:  # as of git and of cargo
        arguments = [*arguments[1:], "--help"]
    elif arguments[-1:] == ["-h"]:
        arguments = [*arguments[:-1], "--help"]

    from surefoot.cli.app import app
    from surefoot.errors import ConfigurationError

    for before, argument in pairwise(["", *arguments]):
        if not argument and "." not in before:  # `--section.key ""` is a value
            after = f" after {before}" if before else ""
            raise ConfigurationError(
                f"an argument{after} is empty: a variable of the shell may not be set. Leave the "
                "option out, or name something."
            )
    command = typer.main.get_command(app)
    try:
        with command.make_context("surefoot", [_at_home(one) for one in arguments]) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return 1
    except BrokenPipeError:  # whoever read what we print has gone; nothing more is to be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _at_home(argument: str) -> str:
    """`--output=~/runs`, which most shells leave as it is, with the user's own folder."""
    from surefoot.paths import expanded

    name, equals, place = argument.partition("=")
    if not name.startswith("--") or not place.startswith("~/"):
        return argument
    return f"{name}{equals}{expanded(place)}"
