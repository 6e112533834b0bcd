"""The command line: parse, call, print. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; a user's error is one message and exit code 2."""
    from surefoot.cli.app import app
    from surefoot.errors import SurefootError

    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments)
    except SurefootError as error:
        if debug:
            raise
        from surefoot.cli.console import complain

        complain(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
