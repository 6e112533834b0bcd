"""Results of a command: a folder to itself, files in it, and an error where a figure is lost."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from surefoot.cli.arguments import ReportFlags
from surefoot.cli.console import say
from surefoot.errors import DataError, SurefootError

if TYPE_CHECKING:
    from surefoot.data import Preferences
    from surefoot.runs import RunFolder

#: What a file holds: JSON, a text, comparisons, or a text that is made when what stands before it
#: is written; None: what an earlier run left of that name goes.
Content: TypeAlias = "Mapping[str, Any] | str | Preferences | Callable[[], str] | None"


@contextmanager
def reporting(report: ReportFlags, *reads: str | Path | None) -> Iterator[RunFolder | None]:
    """The folder of a report on models, which takes the place of no other kind of folder, or none.

    What the command reads, where it is given, is not overwritten, nor what runs among it were made
    from.
    """
    from surefoot.runs import claim

    if report.output is None:
        yield None
        return
    sources = with_origins(reads)
    with claim(report.output, "evaluate", overwrite=report.overwrite, reads=sources) as folder:
        yield folder


def with_origins(places: Iterable[str | Path | None]) -> list[str | Path]:
    """Places, and what runs there were made from and are read with: base, reference, encoder.

    Nothing more of another place, or of one whose reader will have to complain.
    """
    from surefoot.options import places_of
    from surefoot.scorers import Scorer, storage

    found: list[str | Path] = [place for place in places if place is not None]
    for place in tuple(found):
        for folder in (Path(place), *Path(place).glob("seed-*")):
            if (folder / storage.DESCRIPTION).is_file():
                with suppress(SurefootError):
                    found += places_of(Scorer.parse(storage.read_description(folder)["scorer"]))
    return found


def publish(
    folder: RunFolder | None,
    content: Mapping[str, Any],
    page: Callable[[str], str],
    show: Callable[[], object],
) -> None:
    """Write the figures, then the page (of the command line that made it), then print them.

    Without a folder they are only printed.

    Raises:
        DataError: a figure is not finite, and null is written.
    """
    lost: Sequence[str] = ()
    if folder is not None:
        page_of = {"report.html": lambda: page(invocation())}
        lost = write(folder, {"evaluation.json": content, **page_of})
    show()
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        raise DataError(
            f"{', '.join(lost[:5])}{more} came out infinite or not a number, and null is written. "
            "The model may have diverged: look at what it says of each pair (surefoot score)."
        )


def invocation() -> str:
    """The command as it was typed."""
    return shlex.join(["surefoot", *sys.argv[1:]])


def write(folder: RunFolder, results: Mapping[str, Content]) -> Sequence[str]:
    """Write the results of a command into its folder, by name, and say where they are.

    Returns:
        Where in them numbers are not finite, which JSON cannot hold: they are null there.
    """
    from surefoot.data import Preferences
    from surefoot.data.writing import write_preferences
    from surefoot.statistics.estimate import finite_only

    def clear(path: Path) -> None:
        for name in results:
            (path / name).unlink(missing_ok=True)

    folder.begin(clear)
    lost: list[str] = []
    written = {name: content for name, content in results.items() if content is not None}
    for name, content in written.items():
        if isinstance(content, Preferences):
            write_preferences(content, folder.path / name)
            continue
        kept, odd = finite_only(content() if callable(content) else content)
        folder.write(name, kept)
        lost += [f"{name}: {where}" for where in odd]
    folder.finish(written)
    for name in written:
        say(f"wrote {folder.path / name}")
    return lost
