"""What has to be known of a whole file before its first row: labels' codings, and who voted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass

from surefoot.data.labels.codings import Coding
from surefoot.data.labels.column import decide, sentence
from surefoot.data.readers import Reader
from surefoot.data.reading.contract import complete
from surefoot.data.reading.grouping import Ballots
from surefoot.data.reading.record import Account, Record
from surefoot.errors import DataError


@dataclass(frozen=True)
class Survey:
    """What was found out.

    Attributes:
        codings: of the label columns.
        sentences: on each of them, with an example row.
        ballots: the votes, where a row of the file is one vote.
    """

    codings: Mapping[str, Coding]
    sentences: tuple[str, ...] = ()
    ballots: Ballots | None = None


def survey(
    reader: Reader,
    records: Callable[[Account], Iterable[Record]],
    account: Callable[[Mapping[str, Coding] | None], Account],
    given: Mapping[str, Coding],
    place: str,
    needed: bool,
    left_out: MutableMapping[str, str],
) -> Survey:
    """Read a file once for its label columns, and again for votes where it has some.

    Args:
        reader: of its form.
        records: all of them, that add up in an account.
        account: a new one, with these codings.
        given: codings of the user's.
        place: of the file.
        needed: rows need a label.
        left_out: takes label columns that are not needed and cannot be read, with the reason; the
            records do not show them from then on.

    Raises:
        DataError: a label column that is needed can be read in more than one way, or in none.
    """
    found = collect(reader, records, account(None))
    codings, sentences = {}, []
    for seen in found.seen.values():
        try:
            coding = decide(seen, given, place)
        except DataError as error:
            if seen.needed and needed:
                raise
            for name in sorted(seen.among):
                left_out[name] = f"column {name!r} was left out: {error}"
            continue
        codings[seen.column] = coding
        sentences.append(sentence(seen, coding))
    ballots = None
    if found.voter:
        ballots = Ballots()
        collect(reader, records, account(codings), ballots)
    return Survey(codings, tuple(sentences), ballots)


def collect(
    reader: Reader,
    records: Callable[[Account], Iterable[Record]],
    account: Account,
    ballots: Ballots | None = None,
) -> Account:
    """The account after all these records; their votes go into `ballots`."""
    for record in records(account):
        try:
            for row in reader.rows(record):
                made = complete(record, row, reader.familiar)
                if ballots is not None:
                    ballots.add(made, record.voter)
        except DataError:
            continue  # it is met again when rows are made
    return account
