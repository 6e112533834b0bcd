"""One file on its way into the cache: its form, its labels' codings, its rows, its account."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from surefoot.data.labels.codings import Coding, parse_coding
from surefoot.data.options import ReadingOptions
from surefoot.data.readers import Reader
from surefoot.data.readers.numbered import is_response, label_among
from surefoot.data.reading import fields
from surefoot.data.reading.account import Reading, misspelt
from surefoot.data.reading.contract import COMMON, DIALOGUES, PROMPTS, changes_meaning, complete
from surefoot.data.reading.recognition import recognised, require_columns, shown
from surefoot.data.reading.record import Account, ColumnError, NoLabelError, Record, UndecidedError
from surefoot.data.reading.survey import Ballots, Survey, collect, survey
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
    """What was learnt on the way makes it necessary to read the file again from the start."""


@dataclass
class Conversion:
    """One origin on its way into the cache.

    Attributes:
        origin: the records.
        options: how they are to be read.
        source_name: `source` of the rows that give none; by default the origin's short name.
        unlabelled: take pairs without a label too.
        progress: called with the number of records read since the last call.
        reader: of its form, where that is known.
        faults: rows left out so far (row, reason, whether only a label is missing).
    """

    origin: Origin
    options: ReadingOptions
    source_name: str | None = None
    unlabelled: bool = False
    progress: Callable[[int], object] | None = None
    reader: Reader | None = None
    faults: list[tuple[int, str, bool]] = field(default_factory=list)
    _left_out: dict[str, str] = field(default_factory=dict)
    _survey: Survey | None = None
    _surprised: bool = False
    _reported: int = 0

    @property
    def _ballots(self) -> Ballots | None:
        return None if self._survey is None else self._survey.ballots

    @property
    def place(self) -> str:
        """What messages call the file."""
        return self.origin.place

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """Checked rows of the contract, some at a time; fills `faults` and `reading` as it goes.

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
        self._form = reader = self.reader or recognised(
            self.place, sample, self.options, self.unlabelled
        )
        require_columns(self.place, self.options.columns, sample)
        self._look_over(reader, first)
        assert self._survey is not None
        self.account = self._account(self._survey.codings)
        if self._ballots is not None:
            self._ballots.begin()
        batch: list[dict[str, Any]] = []
        for numbered in itertools.chain(first, records):
            batch += self._rows_of(reader, numbered)
            if len(batch) >= cache.BATCH:
                yield batch
                batch = []
        self._decide_misfits()
        if not self._used:
            kind = "has a label" if all(f[2] for f in self.faults) else "can be used"
            raise self._failed(
                self.faults,
                f"none of its {self._rows} rows {kind} (read as {reader.name}: {reader.accepts})",
            )
        if self.options.on_error == "fail":
            for row, reason, without_label in self.faults:
                if not without_label:
                    raise DataError(f"{self.place}, row {row}: {reason}.")
        yield batch

    def described(self) -> dict[str, Any]:
        """What is kept beside the table: rows left out, and what was made of the file."""
        return {"faults": self.faults, "reading": self.reading().to_dict()}

    def reading(self) -> Reading:
        """What was made of the file, once all batches have been taken."""
        account, survey = self.account, self._survey
        assert survey is not None
        taken = sorted(account.used, key=lambda name: "." in name)
        theirs = account.theirs
        used = {theirs.get(n, n): account.became.get(n, n if n in theirs else "") for n in taken}
        left = account.unread.most_common()
        not_read = {name: rows for name, rows in left if name not in account.authors}
        return Reading(
            place=self.place,
            form=self._form.name,
            rows=self._rows,
            used=used,
            not_read=not_read,
            labels=(*survey.sentences, *account.compared.values()),
            codings={name: coding.name for name, coding in survey.codings.items()},
            notes=tuple(self._notes()),
            warnings=tuple(self._warnings(not_read)),
            unusable=sum(1 for fault in self.faults if not fault[2]),
            unlabelled=sum(1 for fault in self.faults if fault[2]),
            empty_prompts=self._empty,
            grouped=self._grouped,
        )

    def _notes(self) -> Iterator[str]:
        yield from (line for name, line in self._left_out.items() if not changes_meaning(name))
        yield from (f"{count} {what}" for what, count in self.account.remarks.items())
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
        near = dict(misspelt(not_read, self._known()))
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

    def _known(self) -> set[str]:
        return {*self._form.columns, *COMMON} - set(self.account.used)

    def _account(self, codings: Mapping[str, Coding] | None) -> Account:
        theirs = {ours: name for ours, name in self.options.columns.items() if name}
        return Account(theirs, codings, self.unlabelled, self.options.no_prompt)

    def _records(self, among: Iterable[Numbered], account: Account) -> Iterator[Record]:
        """The records that could be parsed."""
        for numbered in among:
            self._report(numbered)
            if numbered.record is not None:
                yield shown(numbered, self.options, self._left_out, account)

    def _look_over(self, reader: Reader, first: Sequence[Numbered]) -> None:
        """Find out what rows depend on, if the first ones tell that the file has such columns."""
        if self._survey is not None:
            return
        begun = collect(reader, partial(self._records, first), self._account(None))
        if not (begun.seen or begun.voter or self._surprised):
            self._survey = Survey({})
            return
        try:
            self._survey = survey(
                reader,
                lambda account: self._records(self.origin.records(), account),
                self._account,
                {name: parse_coding(coding, name) for name, coding in self.options.codings.items()},
                self.place,
                needed=not self.unlabelled,
                left_out=self._left_out,
            )
        except UndecidedError:  # a label that is read since another one was left out
            raise self._surprise() from None

    def _surprise(self) -> StartAgainError:
        """A label or a vote where the first rows had none."""
        self._survey, self._surprised = None, True
        return StartAgainError()

    def _rows_of(self, reader: Reader, numbered: Numbered) -> list[dict[str, Any]]:
        self._report(numbered)
        self._rows += 1
        try:
            if numbered.record is None:
                raise DataError(numbered.reason)
            record = shown(numbered, self.options, self._left_out, self.account)
            rows = [complete(record, row, reader.familiar) for row in reader.rows(record)]
        except UndecidedError:
            raise self._surprise() from None
        except ColumnError as error:
            raise ColumnError(f"{self.place}: {error}") from None
        except DataError as error:
            if isinstance(error, fields.MisfitError):
                self._misfits.setdefault(error.column, []).append(str(error))
            elif self.options.on_error == "fail" and not isinstance(error, NoLabelError):
                reason = str(error).rstrip(".")
                raise DataError(f"{self.place}, row {numbered.row}: {reason}.") from None
            self._fault(numbered.row, error)
            return []
        self.account.settle(record)
        if record.voter is not None and self._ballots is None:
            raise self._surprise()
        return [self._placed(row, record) for row in rows if self._counts(row, record)]

    def _counts(self, row: dict[str, Any], record: Record) -> bool:
        """Whether a row stands for itself; another vote on an earlier pair does not."""
        if self._ballots is None:
            return True
        counts = self._ballots.gather(row, record.voter)
        self._grouped += not counts
        return counts

    def _placed(self, row: dict[str, Any], record: Record) -> dict[str, Any]:
        self._used += 1
        self._empty += is_empty_prompt(row["prompt"]) and row["note"] is None
        row["file"], row["row"] = self.place, record.row
        if row["source"] is None:
            row["source"] = self.source_name or self.origin.name
        return row

    def _fault(self, row: int, error: DataError) -> None:
        self.faults.append((row, str(error).rstrip("."), isinstance(error, NoLabelError)))

    def _report(self, numbered: Numbered) -> None:
        """Progress, once for each record however often the file is read."""
        if self.progress is not None and numbered.row > self._reported:
            self._reported = numbered.row
            self.progress(1)

    def _decide_misfits(self) -> None:
        """Leave out whole columns that do not fit; a few stray values are faults of their rows."""
        for column, reasons in self._misfits.items():
            if len(reasons) <= _MISFITS * self._rows:
                continue
            names = [n for n, became in self.account.became.items() if became == column] or [column]
            if any(name in self.options.columns for name in names):
                raise DataError(f"{self.place}: {reasons[0]}; it was said to hold {column!r}.")
            if self._left_out.keys() >= {*names}:  # it comes from somewhere else
                raise DataError(f"{self.place}: {reasons[0]}.")
            if column in _OF_THE_TEMPLATE:
                raise DataError(
                    f"{self.place}: {reasons[0]}. Without it the chat template writes another "
                    f"prompt; where it is another thing, say so: --column {names[0]}="
                )
            for name in names:
                self._left_out[name] = (
                    f"column {name!r} was left out: it is not what {column!r} stands for here "
                    f"({reasons[0]}); --column {name}= says so without this line"
                )
            self._survey = None  # rows that were refused for this column may hold votes
            raise StartAgainError

    def _failed(self, faults: Sequence[tuple[int, str, bool]], failure: str) -> DataError:
        reasons = "\n".join(f"  row {row}: {reason}" for row, reason, _ in faults[:3])
        return DataError(f"{self.place}: {failure}.\n{reasons}")
