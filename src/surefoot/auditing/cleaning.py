"""Data without damage: rows that are kept, mended or left out, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ftfy
import numpy as np

from surefoot.arrays import Ints
from surefoot.data import Preferences
from surefoot.data.checks import DamageReport, check
from surefoot.data.checks.scan import without_controls
from surefoot.data.schema import TURNS
from surefoot.data.writing import written_rows

#: By kind of finding, what mends a text for certain.
MENDED: Mapping[str, Callable[[str], str]] = {
    "mojibake": ftfy.fix_encoding,
    "control-character": without_controls,
}
#: What a row may turn out to be once it is mended, which leaves nothing of its own to train on.
SHOWN = ("empty-response", "empty-prompt", "duplicate")


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
    (warnings) stays. What was mended is looked at again, until nothing changes: it may hold other
    damage by then, have both responses alike, be empty, or repeat another row.
    """
    found, rows = _found(report), preferences
    dropped, mended = _of_errors(report), _reasons(found, MENDED)
    new = {row: kinds for row, kinds in mended.items() if row not in dropped}
    while new:
        before, rows = found, _mended(rows, new)
        again = check(rows)
        found = _found(again)
        shown = {kind: np.setdiff1d(found[kind], before.get(kind, [])) for kind in found}
        for row, kinds in {**_reasons(shown, SHOWN), **_of_errors(again)}.items():
            dropped.setdefault(row, kinds)
        new = {}
        for row, kinds in _reasons(found, MENDED).items():
            others = tuple(kind for kind in kinds if kind not in mended.get(row, ()))
            if others and row not in dropped:
                new[row], mended[row] = others, (*mended.get(row, ()), *others)
    kept = np.setdiff1d(np.arange(len(rows)), list(dropped))
    mended = {row: kinds for row, kinds in mended.items() if row not in dropped}
    return Cleaned(rows.select(kept), preferences, dropped, mended)


def _found(report: DamageReport) -> dict[str, Ints]:
    """Positions of the rows of each kind of finding, the gravest first."""
    found: dict[str, Ints] = {}
    for one in report.findings:
        found[one.kind] = np.union1d(found.get(one.kind, []), one.positions).astype(np.int64)
    return found


def _of_errors(report: DamageReport) -> dict[int, tuple[str, ...]]:
    return _reasons(
        _found(report), {one.kind for one in report.findings if one.severity == "error"}
    )


def _reasons(found: Mapping[str, Ints], kinds: Container[str]) -> dict[int, tuple[str, ...]]:
    """By row, the kinds among these that it was found to be of."""
    reasons: dict[int, tuple[str, ...]] = {}
    for kind, positions in found.items():
        for row in positions.tolist() if kind in kinds else ():
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
