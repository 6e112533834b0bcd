"""One file on its way into the cache: its form, its labels' codings, its rows, its account."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.data.labels.ballots import Ballots
from surefoot.data.labels.codings import Coding, parse_coding
from surefoot.data.labels.column import decide, sentence
from surefoot.data.options import ReadingOptions
from surefoot.data.readers import Reader
from surefoot.data.readers.numbered import is_response, label_among
from surefoot.data.reading import fields
from surefoot.data.reading.account import Reading, misspelt
from surefoot.data.reading.contract import COMMON, DIALOGUES, PROMPTS, changes_meaning, complete
from surefoot.data.reading.recognition import recognised, require_columns, shown
from surefoot.data.reading.record import Account, ColumnError, NoLabelError
from surefoot.data.schema import declared
from surefoot.data.sources import cache
from surefoot.data.sources.origins import Origin
from surefoot.data.sources.tables import Numbered
from surefoot.data.text import is_empty_prompt
from surefoot.errors import DataError

#: Records looked at to tell the form of the data.
_SAMPLE = 100
#: An optional column that does not fit in more than this share of the rows is left out as a whole;
#: where fewer do not fit, those rows cannot be used.
_MISFITS = 0.05


#: Columns without which another prompt is written: they are not left out unasked.
_OF_THE_TEMPLATE = ("tools", "template_arguments")


class StartAgainError(Exception):
    """What was learnt on the way makes it necessary to take all batches again."""


@dataclass
class Conversion:
    """One origin on its way into the cache.

    It is read until a pass meets nothing that the rows depend on and that was not known before: the
    coding of a label column, other votes on a pair, or a column that is not what its name says.
    """

    origin: Origin
    options: ReadingOptions
    source_name: str | None = None  #: `source` of rows that give none; else the origin's name
    unlabelled: bool = False  #: take pairs without a label too
    progress: Callable[[int], object] | None = None  #: called with records read since the last call
    reader: Reader | None = None  #: of its form, where that is known
    #: rows left out so far: row, reason, whether only a label is missing
    faults: list[tuple[int, str, bool]] = field(default_factory=list)
    _left_out: dict[str, str] = field(default_factory=dict)
    _codings: dict[str, Coding] = field(default_factory=dict)
    _sentences: list[str] = field(default_factory=list)
    _ballots: Ballots | None = None
    _reported: int = 0

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """Checked rows of the contract, some at a time; fills `faults` and `described` as it goes.

        Raises:
            StartAgainError: start over.
            DataError: the form is unknown, a column cannot be read, or no row can be used.
        """
        self.faults.clear()
        self._misfits: dict[str, list[str]] = {}
        self._rows, self._used, self._empty, self._grouped = 0, 0, 0, 0
        records = self.origin.records()
        first = list(itertools.islice(records, _SAMPLE))
        sample = [numbered.record for numbered in first if numbered.record is not None]
        if not sample:
            reasons = [(n.row, n.reason, False) for n in first]
            raise self._failed(reasons, "no row can be read")
        require_columns(self.origin.place, self.options.columns, sample)
        self._form = self.reader or recognised(
            self.origin.place, sample, self.options, self.unlabelled
        )
        theirs = {ours: name for ours, name in self.options.columns.items() if name}
        self.account = Account(theirs, self._codings, self.unlabelled, self.options.no_prompt)
        self._votes = Ballots(self._ballots)
        batch: list[dict[str, Any]] = []
        for numbered in itertools.chain(first, records):
            batch += self._rows_of(numbered)
            if len(batch) >= cache.BATCH:
                yield batch
                batch = []
        self._learn()
        if not self._used:
            kind = "has a label" if all(f[2] for f in self.faults) else "can be used"
            raise self._failed(
                self.faults,
                f"none of its {self._rows} rows {kind} (read as {self._form.name}: "
                f"{self._form.accepts})",
            )
        yield batch

    def described(self) -> dict[str, Any]:
        """What is kept beside the table, once all batches have been taken.

        Rows that were left out, and what was made of the file.
        """
        account = self.account
        taken = sorted(account.used, key=lambda name: "." in name)
        theirs = account.theirs
        used = {theirs.get(n, n): account.became.get(n, n if n in theirs else "") for n in taken}
        left = account.unread.most_common()
        not_read = {name: rows for name, rows in left if name not in account.authors}
        reading = Reading(
            place=self.origin.place,
            form=self._form.name,
            rows=self._rows,
            used=used,
            not_read=not_read,
            labels=(*self._sentences, *account.compared.values()),
            codings={name: coding.name for name, coding in self._codings.items()},
            notes=tuple(self._notes()),
            warnings=tuple(self._warnings(not_read)),
            unusable=sum(1 for fault in self.faults if not fault[2]),
            unlabelled=sum(1 for fault in self.faults if fault[2]),
            empty_prompts=self._empty,
            grouped=self._grouped,
        )
        return {"faults": self.faults, "reading": reading.to_dict()}

    def _notes(self) -> Iterator[str]:
        yield from (line for name, line in self._left_out.items() if not changes_meaning(name))
        yield from (f"{count} {what}" for what, count in self.account.remarks.items())
        for unit, where in self.account.units.items():
            if unit != "seconds":
                sources = self.account.source_of("time")
                name = ", ".join(sources) or self.account.theirs.get("time", "time")
                yield f"{name}: {unit} since 1970, converted to seconds ({where})"
        if self._grouped:
            yield (
                f"{self._grouped} rows are votes on pairs that stand in an earlier row too, and "
                f"were taken together with it (column {self.account.voter!r})"
            )

    def _warnings(self, not_read: Mapping[str, int]) -> Iterator[str]:
        yield from (line for name, line in self._left_out.items() if changes_meaning(name))
        rows, weighted = self._rows - len(self.faults), self.account.used["weight"]
        if 0 < weighted < rows:
            lacking = f"{rows - weighted} of {rows} rows have no weight"
            yield f"{lacking}, and count 1 each beside the others"
        for name in self.account.used if self._grouped else ():
            if name not in self._form.familiar and declared(name) is not None:
                yield f"column {name!r} of votes that were taken together is the first one's alone"
        near = dict(misspelt(not_read, {*self._form.columns, *COMMON} - {*self.account.used}))
        for name in not_read:
            if name in near:
                yield f"column {name!r} was not read: did you mean {near[name]!r}?"
            elif changes_meaning(name) and name not in self._left_out:
                what = "the key" if "." in name else "column"
                taken = ""
                if name in (*PROMPTS, *DIALOGUES):
                    names = ", ".join(self.account.source_of("prompt")) or "what responses share"
                    taken = f" (taken as the prompt: {names})"
                yield f"{what} {name!r} was not read, and may change what is learnt{taken}"
            elif is_response(name):
                yield f"column {name!r} was not read, and may hold another response"
            elif label_among(frozenset((name,))) and name not in self._left_out:
                yield f"column {name!r} was not read, and may say too which response is preferred"

    def _rows_of(self, numbered: Numbered) -> list[dict[str, Any]]:
        """The rows in a record; none while what they depend on is only collected."""
        if self.progress is not None and numbered.row > self._reported:  # once for each record
            self._reported = numbered.row
            self.progress(1)
        self._rows += 1
        try:
            if numbered.record is None:
                raise DataError(numbered.reason)
            record = shown(numbered, self.options, self._left_out, self.account)
            rows = [complete(record, row, self._form.familiar) for row in self._form.rows(record)]
        except DataError as error:
            if not self._is_open():  # else it is met again
                self._fault(numbered.row, error)
            return []
        if self._is_open():
            for row in rows if not self.account.seen else ():
                self._votes.add(row, record.voter)
            return []
        self.account.settle(record)
        kept = [row for row in rows if self._votes.gather(row, record.voter)]
        self._used += len(kept)
        self._grouped += len(rows) - len(kept)
        for row in kept:
            self._empty += is_empty_prompt(row["prompt"]) and row["note"] is None
            row["file"], row["row"] = self.origin.place, record.row
            row["source"] = row["source"] or self.source_name or self.origin.name
        return kept

    def _is_open(self) -> bool:
        """Whether a label without a coding was met, or a vote beside which there may be others."""
        return bool(self.account.seen or (self.account.voter and self._ballots is None))

    def _fault(self, row: int, error: DataError) -> None:
        """Note a row that is left out, or fail."""
        reason = str(error).rstrip(".")
        if isinstance(error, ColumnError):
            raise ColumnError(f"{self.origin.place}: {error}") from None
        if isinstance(error, fields.MisfitError):
            self._misfits.setdefault(error.column, []).append(str(error))
        elif self.options.on_error == "fail" and not isinstance(error, NoLabelError):
            raise DataError(f"{self.origin.place}, row {row}: {reason}.") from None
        self.faults.append((row, reason, isinstance(error, NoLabelError)))

    def _learn(self) -> None:
        """Keep what a pass found out, and start again where the rows depend on it."""
        if self.account.seen:
            self._decide_codings()
        elif self._is_open():
            self._ballots = self._votes
        else:
            self._decide_misfits()
            return
        raise StartAgainError

    def _decide_codings(self) -> None:
        """The codings of the label columns that were met; what needs none is left out."""
        options = self.options.codings.items()
        given = {name: parse_coding(coding, name) for name, coding in options}
        self._ballots = None
        for seen in self.account.seen.values():
            try:
                coding = decide(seen, given, self.origin.place)
            except DataError as error:
                if seen.needed and not self.unlabelled:
                    raise
                why = " ".join(str(error).split())
                for name in sorted(seen.among):
                    self._left_out[name] = f"column {name!r} was left out: {why}"
                continue
            self._codings[seen.column] = coding
            self._sentences.append(sentence(seen, coding))

    def _decide_misfits(self) -> None:
        """Leave out whole columns that do not fit; a few stray values are faults of their rows."""
        place, left_out = self.origin.place, dict[str, str]()
        for column, reasons in self._misfits.items():
            if len(reasons) <= _MISFITS * self._rows:
                continue
            names = [n for n, became in self.account.became.items() if became == column] or [column]
            if any(name in self.options.columns for name in names):
                raise DataError(f"{place}: {reasons[0]}; it was said to hold {column!r}.")
            if self._left_out.keys() >= {*names}:  # it comes from somewhere else
                raise DataError(f"{place}: {reasons[0]}.")
            if column in _OF_THE_TEMPLATE:
                raise DataError(
                    f"{place}: {reasons[0]}. Without it the chat template writes another "
                    f"prompt; where it is another thing, say so: --column {names[0]}="
                )
            for name in names:
                left_out[name] = (
                    f"column {name!r} was left out: it is not what {column!r} stands for here "
                    f"({reasons[0]}); --column {name}= says so without this line"
                )
        if left_out:
            self._left_out |= left_out
            # Rows that were refused for these columns may hold other labels and votes.
            self._codings, self._sentences, self._ballots = {}, [], None
            raise StartAgainError

    def _failed(self, faults: Sequence[tuple[int, str, bool]], failure: str) -> DataError:
        reasons = "\n".join(f"  row {row}: {reason}" for row, reason, _ in faults[:3])
        return DataError(f"{self.origin.place}: {failure}.\n{reasons}")
