"""Data without damage: rows that are kept, mended or left out, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ftfy
import numpy as np
import numpy.typing as npt

from surefoot.data import Preferences
from surefoot.data.checks import DamageReport, without
from surefoot.data.checks.scan import without_controls
from surefoot.data.schema import TURNS
from surefoot.data.writing import written_rows

#: By kind of finding, what mends a text for certain.
MENDED: Mapping[str, Callable[[str], str]] = {
    "mojibake": ftfy.fix_encoding,
    "control-character": without_controls,
}


@dataclass(frozen=True)
class Cleaned:
    """Comparisons without damage."""

    kept: Preferences  #: rows to train on, mended where that can be done for certain
    original: Preferences  #: all rows, as they were read
    dropped: Mapping[int, tuple[str, ...]]  #: reasons by position in the original
    mended: Mapping[int, tuple[str, ...]]  #: reasons by position in the original

    @property
    def sentence(self) -> str:
        """What became of the rows."""
        return (
            f"{len(self.original):,} rows: {len(self.kept):,} kept, of which {len(self.mended):,} "
            f"mended; {len(self.dropped):,} left out."
        )

    def changes(self) -> Iterator[dict[str, Any]]:
        """Each row that is not kept as it was: what was done, why, where it stands, how it read."""
        for action, reasons in (("dropped", self.dropped), ("mended", self.mended)):
            rows = self.original.select(sorted(reasons))
            places = rows.read("file", "row")
            whole = zip(sorted(reasons), places, written_rows(rows), strict=True)
            for position, (file, row), original in whole:
                place = {"file": file, "row": row, "reasons": list(reasons[position])}
                yield {"action": action, **place, "original": original}


def cleaned(preferences: Preferences, report: DamageReport) -> Cleaned:
    """Leave out what is damaged beyond doubt, and mend texts whose original can be restored.

    Left out are the rows of errors, those that training takes out too; whatever may be wanted
    (warnings) stays.
    """
    errors = [one for one in report.findings if one.severity == "error"]
    dropped = _reasons((one.kind, one.positions) for one in errors)
    mendable = [one for one in report.findings if one.kind in MENDED]
    mended = _reasons((one.kind, one.positions) for one in mendable)
    mended = {row: kinds for row, kinds in mended.items() if row not in dropped}
    sound = without(_mended(preferences, mended) if mended else preferences, errors)
    return Cleaned(sound, preferences, dropped, mended)


def _reasons(found: Iterable[tuple[str, npt.NDArray[np.int64]]]) -> dict[int, tuple[str, ...]]:
    reasons: dict[int, tuple[str, ...]] = {}
    for kind, positions in found:
        for row in positions.tolist():
            reasons[row] = (*reasons.get(row, ()), kind)
    return reasons


def _mended(preferences: Preferences, reasons: Mapping[int, tuple[str, ...]]) -> Preferences:
    """The comparisons with texts of these rows mended."""
    columns: dict[str, list[Any]] = {name: [] for name in TURNS}
    for position, row in enumerate(preferences.read(*TURNS)):
        for name, turns in zip(TURNS, row, strict=True):
            for kind in reasons.get(position, ()):
                turns = [one | {"content": MENDED[kind](one["content"] or "")} for one in turns]
            columns[name].append(turns)
    return preferences.with_columns(**columns)
