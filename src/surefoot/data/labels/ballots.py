"""Votes on a pair: a list of them, how many there were for either, and who gave one."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.labels.codings import word
from surefoot.data.reading import fields
from surefoot.data.reading.record import Record
from surefoot.data.schema import ORDER, Preferences
from surefoot.errors import DataError

_PEOPLE = (
    *("annotator", "worker", "rater", "evaluator", "voter", "labeler", "labeller", "judge"),
    *("participant", "reviewer", "assessor", "grader", "coder", "respondent"),
)
#: Columns, and keys of a vote, that say who judged.
ANNOTATORS = tuple(f"{who}{end}" for who in _PEOPLE for end in ("", "_id", "_name", "_model"))
_ANNOTATORS = frozenset(ANNOTATORS)
_VALUE = ("value", "vote", "label", "preference", "score", "winner", "overall_pref")

#: Columns that count the votes for either response: `votes_a` and `votes_b`, `wins_1`, ...
COUNTED = ("votes", "wins", "num_votes", "n_votes", "vote_count")
_TIES = (*(f"{stem}_tie" for stem in COUNTED), "ties", "n_ties", "num_ties", "tie_votes")

#: Counts above this are not written out vote by vote.
_MOST = 1000

_SIDES = ("response_a", "response_b")


def votes_of(
    record: Record,
    sides: tuple[str, str] = _SIDES,
    usual: str = "probability",
    name: str = "votes",
    optional: bool = False,
) -> list[dict[str, Any]]:
    """Votes as a list of annotator and value; each a number, a word, or a mapping with either.

    `usual` is the coding that the form documents for them. They are `optional` where the row has a
    label of its own, so that the column may be left out.

    Raises:
        DataError: the column holds something else.
    """
    cell = record.look(name)
    if isinstance(cell, Mapping):
        counts = record.inside(name, "votes")
        return _written_out(name, [(_meant(key, name, sides), counts[key], key) for key in counts])
    try:
        entries = fields.listed(record.inside(name, "votes"), name)
    except DataError as error:
        raise fields.MisfitError(name, error) from None
    votes = []
    for vote in entries:
        one: Mapping[str, Any] = vote if isinstance(vote, Mapping) else {"value": vote}
        who = next((one[key] for key in ANNOTATORS if key in one), None)
        value = next((one[key] for key in _VALUE if one.get(key) is not None), None)
        if value is None:
            continue
        chance = record.preference(name, sides, value=value, usual=usual, optional=optional)
        votes.append({"annotator": fields.name_or_none(who, "annotator"), "value": chance})
    return votes


def is_vote(value: object) -> bool:
    """Whether this is a mapping of who judged and what they said."""
    keys = value.keys() if isinstance(value, Mapping) else frozenset()
    return not keys.isdisjoint(_ANNOTATORS) and not keys.isdisjoint(_VALUE)


def voter_of(record: Record) -> str | None:
    """Who judged, where a column of the record says so."""
    for name in ANNOTATORS if record.has_any(_ANNOTATORS) else ():
        if isinstance(record.look(name), str | int | float) and record.given(name):
            record.account.voter = name
            return fields.name_of(record.use(name, "votes"), name)
    return None


def counted_votes(record: Record, sides: tuple[str, str]) -> list[dict[str, Any]] | None:
    """Votes from columns that count those for either response; None where there are none."""
    pair = twins(record, sides, COUNTED)
    if pair is None:
        return None
    names = (*pair, *(name for name in _TIES if record.given(name)))
    counts = [(p, record.use(n, "votes"), n) for p, n in zip((1.0, 0.0, 0.5), names, strict=False)]
    return _written_out(" and ".join(map(repr, names)), counts)


def _meant(key: object, name: str, sides: tuple[str, str]) -> float:
    """P(first preferred) that the key of a count says: `a`, `response_b`, `tie`."""
    found = word(str(key), sides)
    if found is None:
        misfit = f"{name!r} counts {str(key)!r}, which names neither response nor a tie"
        raise fields.MisfitError(name, misfit)
    return found


def _written_out(noun: str, counts: Sequence[tuple[float, object, object]]) -> list[dict[str, Any]]:
    """Votes one by one, from how many there were of each value, with the name of that number."""
    numbers = [
        (value, fields.number(count, str(name), low=0.0))
        for value, count, name in counts
        if count is not None
    ]
    if any(number != int(number) for _, number in numbers):
        raise DataError(f"{noun} should be whole numbers of votes")
    if sum(number for _, number in numbers) > _MOST:
        raise DataError(f"{noun} count more than {_MOST} votes for a pair")
    return [
        {"annotator": None, "value": value} for value, number in numbers for _ in range(int(number))
    ]


def twins(record: Record, sides: tuple[str, str], stems: tuple[str, ...]) -> tuple[str, str] | None:
    """A pair of columns, one for each response, that are both given: `score_a` and `score_b`."""
    pairs = twins_among(frozenset(record), sides, stems)
    return next((pair for pair in pairs if all(map(record.given, pair))), None)


@functools.lru_cache(maxsize=256)
def twins_among(
    columns: frozenset[str], sides: tuple[str, str], stems: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Pairs of columns with these stems, one column for each response.

    They end like the columns of the responses, or in `a` and `b`, `1` and `2`.
    """
    own = (sides[0][-1:], sides[1][-1:])
    ends = dict.fromkeys((own, ("a", "b"), ("A", "B"), ("1", "2")))
    starts = [f"{stem}{between}" for stem in stems for between in ("_", "", " ")]
    pairs = ((start + one, start + other) for one, other in ends for start in starts)
    return tuple(pair for pair in pairs if columns.issuperset(pair))


class Ballots:
    """Who judged each pair of a file, in which a row is one vote.

    Holds a hash of each pair and its votes, no texts. Votes are grouped where two annotators or
    more judged a pair; a pair that one of them judged twice stays two rows, as duplicates do. Where
    the votes are `known`, the rows come again from the first one.
    """

    def __init__(self, known: Ballots | None = None) -> None:
        self._votes: dict[bytes, list[tuple[str, float]]] = known._votes if known else {}
        self._gathered: set[bytes] = set()

    def add(self, row: dict[str, Any], voter: str | None) -> None:
        """Note a row, and who voted."""
        if voter is not None:
            key, turned = _key(row)
            label = row["label"]
            self._votes.setdefault(key, []).append((voter, 1 - label if turned else label))

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
        row["label"] = fields.mean_vote(row["votes"])
        if row["label_from"] != ORDER:  # else which response is the first is the first vote itself
            row["label_from"] = "votes"
        return True


def _key(row: dict[str, Any]) -> tuple[bytes, bool]:
    """A hash of the pair, blind to the order of its responses, and whether they are turned."""
    sides = [json.dumps(row[name], sort_keys=True) for name in ("response_a", "response_b")]
    turned = sides[0] > sides[1]
    shared = [row[name] for name in ("prompt", "tools", "template_arguments")]
    text = json.dumps([shared, *sorted(sides)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest(), turned


def vote_counts(preferences: Preferences) -> Floats:
    """Votes for the first response and for either, shape (N, 2); ties are left out."""
    counts = np.zeros((len(preferences), 2))
    for row, (votes,) in enumerate(preferences.read("votes") if preferences.has("votes") else ()):
        decided = [vote["value"] for vote in votes or () if vote["value"] in (0, 1)]
        counts[row] = sum(decided), len(decided)
    return counts
