"""Responses that policies wrote, as comparisons: of references, or against those of the data."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.data.keys import digest_of
from surefoot.data.schema import Preferences
from surefoot.data.text import Message, Prompt
from surefoot.errors import DataError

#: What the column `reference_law` says where the references are all there is to draw from.
POOL = "pool"

_COLUMNS = ("references", "reference_auxiliary", "reference_law")
_SHARED = (*Prompt._fields, "source")  # the prompt first


@dataclass(frozen=True)
class References:
    """Pairs of reference responses; rows of one prompt, references and figures share a set."""

    pairs: Preferences
    """P comparisons, in order of their sets; the label is the auxiliary P(a preferred)."""
    sets: Ints  #: (P,) the set of each, in [0, R)
    of: Ints  #: (N,) the set of each row of the data
    independent: Floats
    """(R,) How many independent pairs a set is worth: half the number of its responses, or infinity
    for a pool."""
    draws: Ints
    """(R,) The draw of responses that each set is of: sets of one prompt whose responses are the
    same in any order, whatever was said of them and whatever their source."""


def pair_positions(responses: int, pairs: int) -> list[tuple[int, int]]:
    """First and second response of each pair: consecutive ones, or all distinct pairs.

    >>> pair_positions(4, 2)
    [(0, 1), (2, 3)]

    Raises:
        DataError: the number of pairs is neither.
    """
    every = list(itertools.combinations(range(responses), 2))
    if pairs == responses // 2 and responses % 2 == 0:
        return [(i, i + 1) for i in range(0, responses, 2)]
    if pairs and pairs == len(every):
        return every
    raise DataError(
        f"'reference_auxiliary' holds {pairs} number(s) for {responses} reference(s): it takes "
        f"{responses // 2} (consecutive pairs) or {len(every)} (all pairs)"
    )


def references_of(preferences: Preferences) -> References:
    """The reference pairs of N rows.

    Raises:
        DataError: a row has none, or numbers that do not go with them; the message says which.
    """
    columns = (*_COLUMNS, "file", "row", *_SHARED)
    known: dict[str, int] = {}  # number of a set, by its key
    drawn: dict[str, int] = {}  # number of a draw
    rows: list[dict[str, object]] = []
    independent: list[float] = []
    of, sets, draws = list[int](), list[int](), list[int]()
    for responses, chances, law, file, row, *shared in preferences.read(*columns):
        if not responses or not chances:
            lacks = "references" if not responses else "reference_auxiliary"
            raise DataError(
                f"{file}, row {row}: {lacks!r} is not given; it is needed in every row."
            )
        key = digest_of(responses, chances, law, *shared)
        if key not in known:
            try:
                pairs = pair_positions(len(responses), len(chances))
            except DataError as error:
                raise DataError(f"{file}, row {row}: {error}.") from None
            known[key] = len(independent)
            independent.append(np.inf if law == POOL else len(responses) / 2)
            draw = digest_of(sorted(map(json.dumps, responses)), shared[0])
            draws.append(drawn.setdefault(draw, len(drawn)))
            sets += [known[key]] * len(pairs)
            rows += [
                _comparison(shared, responses[a], responses[b], chance)
                for (a, b), chance in zip(pairs, chances, strict=True)
            ]
        of.append(known[key])
    return References(
        Preferences.from_rows(rows, f"references of {preferences.name}"),
        np.array(sets, dtype=np.int64),
        np.array(of, dtype=np.int64),
        np.array(independent),
        np.array(draws, dtype=np.int64),
    )


def against(
    preferences: Preferences, responses: Sequence[Sequence[list[Message]]]
) -> tuple[Preferences, Ints]:
    """Every response of a policy to each of N records (first) against both of the record (second).

    Returns:
        The comparisons, whose labels say nothing, record by record, first all against its response
        a, then all against b; and 2 i + side (0 for a, 1 for b) of each.
    """
    rows, owners = [], []
    for i, (a, b, *shared) in enumerate(preferences.read("response_a", "response_b", *_SHARED)):
        for side, response in enumerate((a, b)):
            rows += [_comparison(shared, written, response, 0.5) for written in responses[i]]
            owners += [2 * i + side] * len(responses[i])
    return Preferences.from_rows(rows, f"samples against {preferences.name}"), np.array(owners)


def _comparison(shared: Sequence[object], a: object, b: object, label: float) -> dict[str, object]:
    columns = dict(zip(_SHARED, shared, strict=True))
    return {**columns, "response_a": a, "response_b": b, "label": label}
