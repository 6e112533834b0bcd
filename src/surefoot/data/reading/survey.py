"""What has to be known of a whole file before its first row: labels' codings, and who voted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from surefoot.data.labels.codings import Coding
from surefoot.data.labels.column import decide, sentence
from surefoot.data.readers import Reader
from surefoot.data.reading import fields
from surefoot.data.reading.contract import complete
from surefoot.data.reading.record import Account, Record
from surefoot.errors import DataError


@dataclass(frozen=True)
class Survey:
    """What a pass over a whole file found.

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
    user_codings: Mapping[str, Coding],
    place: str,
    needed: bool,
    left_out: MutableMapping[str, str],
) -> Survey:
    """Read a file once for its label columns, and again for votes where it has some.

    Args:
        reader: of its form.
        records: all of them, that add up in an account.
        account: a new one, with these codings.
        user_codings: codings of the user's.
        place: of the file.
        needed: rows need a label.
        left_out: takes label columns that are not needed and cannot be read, with the reason; the
            records do not show them from then on.

    Raises:
        DataError: a label column that is needed can be read in more than one way, or in none.
    """
    first_pass = collect(reader, records, account(None))
    codings, sentences = {}, []
    for seen in first_pass.seen.values():
        try:
            coding = decide(seen, user_codings, place)
        except DataError as error:
            if seen.needed and needed:
                raise
            for name in sorted(seen.among):
                left_out[name] = f"column {name!r} was left out: {' '.join(str(error).split())}"
            continue
        codings[seen.column] = coding
        sentences.append(sentence(seen, coding))
    ballots = None
    if first_pass.voter:
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


class Ballots:
    """Who judged each pair of a file, in which a row is one vote.

    Holds a hash of each pair and its votes, no texts. Votes are grouped where two annotators or
    more judged a pair; a pair that one of them judged twice stays two rows, as duplicates do.
    """

    def __init__(self) -> None:
        self._votes: dict[bytes, list[tuple[str, float]]] = {}
        self._gathered: set[bytes] = set()

    def add(self, row: dict[str, Any], voter: str | None) -> None:
        """Note a row, and who voted."""
        if voter is not None:
            key, turned = _key(row)
            label = row["label"]
            self._votes.setdefault(key, []).append((voter, 1 - label if turned else label))

    def begin(self) -> None:
        """The rows come again, from the first one."""
        self._gathered.clear()

    def gather(self, row: dict[str, Any], voter: str | None) -> bool:
        """Give the first row of a pair all its votes; False for the other rows of that pair."""
        if voter is None:
            return True
        key, turned = _key(row)
        votes = self._votes.get(key, [])
        if len({name for name, _ in votes}) < 2:
            return True
        if key in self._gathered:
            return False
        self._gathered.add(key)
        row["votes"] = [
            {"annotator": name, "value": 1 - value if turned else value} for name, value in votes
        ]
        row["label"], row["label_from"] = fields.mean_vote(row["votes"]), "votes"
        return True


def _key(row: dict[str, Any]) -> tuple[bytes, bool]:
    """A hash of the pair, blind to the order of its responses, and whether they are turned."""
    sides = [json.dumps(row[name], sort_keys=True) for name in ("response_a", "response_b")]
    turned = sides[0] > sides[1]
    shared = [row[name] for name in ("prompt", "tools", "template_arguments")]
    text = json.dumps([shared, *sorted(sides)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest(), turned
