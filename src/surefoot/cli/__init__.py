"""The command line: parse, call, print. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; a user's error is one message and exit code 2."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        sys.exit(_run(arguments or ["--help"]))
    except Exception as error:
        from surefoot.cli.console import complain, unexpected
        from surefoot.errors import SurefootError

        usage = getattr(error, "format_message", None)  # of a command that was typed wrongly
        if not debug and (usage or isinstance(error, SurefootError)):
            complain(usage() if usage else str(error))
            sys.exit(2)
        unexpected()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(arguments: list[str]) -> int:
    """The exit code of a command."""
    import typer

    from surefoot.cli.app import app

    try:
        code = app(args=arguments, standalone_mode=False)
    except typer.Abort:
        return 1
    return code if isinstance(code, int) else 0
