"""One row for each vote: the votes on one pair, wherever they stand, taken together."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from surefoot.data.reading import fields

Key = bytes


class Ballots:
    """Who judged each pair of a file, in which a row is one vote.

    Holds a hash of each pair and its votes, no texts. Votes are grouped where two annotators or
    more judged a pair; a pair that one of them judged twice stays two rows, as duplicates do.
    """

    def __init__(self) -> None:
        self._votes: dict[Key, list[tuple[str, float]]] = {}
        self._told: set[Key] = set()

    def add(self, row: dict[str, Any], voter: str | None) -> None:
        """Another vote."""
        if voter is not None:
            key, turned = _key(row)
            label = row["label"]
            self._votes.setdefault(key, []).append((voter, 1 - label if turned else label))

    def begin(self) -> None:
        """The rows come again, from the first one."""
        self._told.clear()

    def gather(self, row: dict[str, Any], voter: str | None) -> bool:
        """Give the first row of a pair all its votes; False for the other rows of that pair."""
        if voter is None:
            return True
        key, turned = _key(row)
        votes = self._votes.get(key, [])
        if len({name for name, _ in votes}) < 2:
            return True
        if key in self._told:
            return False
        self._told.add(key)
        row["votes"] = [
            {"annotator": name, "value": 1 - value if turned else value} for name, value in votes
        ]
        row["label"], row["label_from"] = fields.mean_vote(row["votes"]), "votes"
        return True


def _key(row: dict[str, Any]) -> tuple[Key, bool]:
    """A hash of the pair, blind to the order of its responses, and whether they are turned."""
    sides = [json.dumps(row[name], sort_keys=True) for name in ("response_a", "response_b")]
    turned = sides[0] > sides[1]
    shared = [row[name] for name in ("prompt", "tools", "template_arguments")]
    text = json.dumps([shared, *sorted(sides)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest(), turned
