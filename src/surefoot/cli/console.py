"""Where messages and tables go."""

from __future__ import annotations

import logging as logging_of_python
import os
import shlex
import sys
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from surefoot.errors import ConfigurationError
from surefoot.escaping import one_line, visible

if TYPE_CHECKING:
    from surefoot.statistics import Estimate


class Terminal(Console):
    """The one place that writes to a terminal: what text from outside holds is shown, not obeyed.

    Neither markup nor emoji codes are read, and no control character but the end of a line leaves.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    @contextmanager
    def into(self, file: IO[str]) -> Iterator[None]:
        """Write into a file meanwhile."""
        before, self._file = self._file, file
        try:
            yield
        finally:
            self._file = before

    def render_str(self, text: str, **options: Any) -> Text:
        """A text as it will be shown, so that tables are measured rightly."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Whatever is printed, piece by piece."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(visible(text), style)


#: Results go to standard output, everything else to standard error.
out = Terminal()
err = Terminal(stderr=True)


#: Seconds that the first of several processes has to tell the error that all of them met.
_FIRST_WORD = 10.0


def complain(message: str) -> None:
    """One clear message about wrong input, from one of several processes.

    The first one speaks, and torchrun ends the others with it. What it does not meet within some
    seconds (a file that is missing on one machine) is reported by whoever met it.
    """
    rank = os.environ.get("RANK", "0")
    if rank != "0":
        time.sleep(_FIRST_WORD)
        message = f"process {rank}: {message}"
    err.print(Text.assemble(("error:", "bold red"), f" {visible(message)}"), soft_wrap=True)


def say(line: str) -> None:
    """A line about what is going on, on standard error; of several processes the first speaks."""
    if os.environ.get("RANK", "0") != "0":
        return
    line = one_line(line)
    kind, _, rest = line.partition("warning: ")
    warned = not kind and bool(rest)
    shown = Text.assemble(("warning:", "yellow"), f" {rest}") if warned else Text(line)
    err.print(shown, soft_wrap=True)


def conclude(sentence: str, *following: object) -> None:
    """The last lines of a command: its verdict, as on its page, and the command to type next.

    Args:
        sentence: the verdict.
        following: words of the next command after `surefoot`; they are quoted where need be.
    """
    out.print(f"\n{sentence}", style="bold", soft_wrap=True)
    say(f"next: {shlex.join(['surefoot', *map(str, following)])}")


def unexpected() -> None:
    """The traceback of an error that should not have come so far."""
    err.print(visible(traceback.format_exc()), soft_wrap=True, end="")


#: What libraries are asked for before they are imported, unless the user asks for something else.
_QUIET = {
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # transformers' own follow it
    "HF_HUB_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCH_CPP_LOG_LEVEL": "ERROR",  # DDP's advice, once a process
}


def quiet_libraries() -> None:
    """Keep the progress bars of libraries from between our lines, and print warnings as lines.

    None of them is imported for it.
    """
    warnings.showwarning = _tell
    logging_of_python.setLogRecordFactory(_logged)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    logging_of_python.getLogger("bitsandbytes").setLevel(logging_of_python.ERROR)  # by PEFT


def _logged(*given: Any, **named: Any) -> logging_of_python.LogRecord:
    """What a library logs, shown like everything else."""
    record = logging_of_python.LogRecord(*given, **named)
    with suppress(Exception):  # a format that its author got wrong: logging says so itself
        record.msg, record.args = visible(record.getMessage()), None
    return record


def _tell(message: Warning | str, category: type[Warning], *where: Any, **named: Any) -> None:
    """A warning as a line, unless it is for the authors of code."""
    if not issubclass(category, FutureWarning | DeprecationWarning):
        say(f"warning: {' '.join(str(message).split())}")


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table under its title: the first column is text, the others are figures.

    Columns without a figure are left out. Where there is little room, an interval stands below its
    estimate; where there is less, the figures of a row stand below its name: no name is cut, nor
    broken, as that of a file would be of no use.
    """
    out.print(f"\n{title}", style="bold", soft_wrap=True)
    kept = [i for i in range(len(columns)) if i == 0 or any(row[i] for row in rows)]
    shown = _made([columns[i] for i in kept], [[row[i] for i in kept] for row in rows])
    if out.measure(shown, options=out.options.update(width=10_000)).maximum > out.width:
        names = [columns[0], *(columns[i].replace(" ", "\n") for i in kept[1:])]
        shown = _made(names, [[row[0], *(_stacked(row[i]) for i in kept[1:])] for row in rows])
        shown.box, shown.padding, shown.show_edge = SIMPLE, 0, False
        if out.measure(shown, options=out.options.update(width=10_000)).maximum > out.width:
            _print_below([columns[i] for i in kept], [[row[i] for i in kept] for row in rows])
            return
    out.print(shown)


def _print_below(columns: list[str], rows: list[list[str]]) -> None:
    """The figures of each row below its name, a line for each."""
    width = max(map(len, columns[1:]), default=0)
    for name, *figures in rows:
        out.print(name or "–", soft_wrap=True)
        for column, value in zip(columns[1:], figures, strict=True):
            if value:
                out.print(f"  {column:<{width}}  {value}", soft_wrap=True)


def _made(columns: list[str], rows: list[list[str]]) -> Table:
    made = Table(header_style="")
    for i, column in enumerate(columns):
        made.add_column(column, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def _stacked(cell: str) -> str:
    """An estimate, its interval and a name, one below the other."""
    return cell.replace(" [", "\n[").replace(" (", "\n(").replace("] ", "]\n")


def figure(estimate: Estimate | None, name: str | None = "") -> str:
    """An estimate for a table; why it has no interval is for a line below the table."""
    if estimate is None or estimate.estimate is None:
        return ""
    from surefoot.statistics.estimate import decimals

    text = str(estimate)
    if estimate.low is None:
        text = f"{estimate.estimate + 0.0:.{decimals([estimate.estimate], 3)}f} (no interval)"
    return f"{text} {name or ''}".rstrip()


def confirmed(cost: object) -> bool:
    """Whether the user agrees to what this costs, and to where it is sent.

    Raises:
        ConfigurationError: nobody is there to ask.
    """
    import typer

    if not sys.stdin.isatty():
        for line in str(cost).splitlines():
            say(line)
        raise ConfigurationError("nobody is here to confirm this: pass --yes to go on.")
    return typer.confirm(visible(f"{cost}\nGo on?"), err=True)
