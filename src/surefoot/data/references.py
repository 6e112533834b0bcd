"""Responses drawn from the reference policy, as comparisons of their own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.data.schema import Preferences
from surefoot.data.text import Prompt
from surefoot.errors import DataError

Ints = npt.NDArray[np.int64]

#: What the column `reference_law` says where the references are all there is to draw from.
POOL = "pool"

_COLUMNS = ("references", "reference_auxiliary", "reference_law")
_SHARED = (*Prompt._fields, "source")  # the prompt first


@dataclass(frozen=True)
class References:
    """Pairs of reference responses; rows with the same prompt, references and figures share a set.

    Attributes:
        pairs: P comparisons, in order of their sets; the label is the auxiliary P(a preferred).
        sets: (P,) the set of each, in [0, R).
        of: (N,) the set of each row of the data.
        independent: (R,) how many independent pairs a set is worth: half the number of its
            responses, or infinity for a pool.
        draws: (R,) the draw of responses that each set is of: sets of one prompt whose responses
            are the same in any order, whatever was said of them and whatever their source.
    """

    pairs: Preferences
    sets: Ints
    of: Ints
    independent: npt.NDArray[np.float64]
    draws: Ints


def pair_positions(responses: int, pairs: int) -> tuple[Ints, Ints]:
    """First and second response of each pair: consecutive ones, or all distinct pairs.

    >>> pair_positions(4, 2)
    (array([0, 2]), array([1, 3]))

    Raises:
        DataError: the number of pairs is neither.
    """
    if pairs == responses // 2 and responses % 2 == 0:
        return np.arange(0, responses, 2), np.arange(1, responses, 2)
    first, second = np.triu_indices(responses, k=1)
    if pairs != len(first) or not pairs:
        every = responses * (responses - 1) // 2
        raise DataError(
            f"'reference_auxiliary' holds {pairs} number(s) for {responses} reference(s): it takes "
            f"{responses // 2} (consecutive pairs) or {every} (all pairs)"
        )
    return first, second


def references_of(preferences: Preferences) -> References:
    """The reference pairs of N rows.

    Raises:
        DataError: a row has none, or numbers that do not go with them; the message says which.
    """
    columns = (*_COLUMNS, "file", "row", *_SHARED)
    known: dict[bytes, int] = {}
    of: list[int] = []
    rows: list[dict[str, object]] = []
    sets: list[int] = []
    independent: list[float] = []
    numbers: dict[bytes, int] = {}
    draws: list[int] = []
    for responses, chances, law, file, row, *shared in preferences.read(*columns):
        if not responses or not chances:
            lacks = "references" if not responses else "reference_auxiliary"
            raise DataError(
                f"{file}, row {row}: {lacks!r} is not given; it is needed in every row."
            )
        key = _key(responses, chances, law, *shared)
        if key not in known:
            try:
                first, second = pair_positions(len(responses), len(chances))
            except DataError as error:
                raise DataError(f"{file}, row {row}: {error}.") from None
            known[key] = len(independent)
            independent.append(np.inf if law == POOL else len(responses) / 2)
            drawn = _key(sorted(map(json.dumps, responses)), shared[0])
            draws.append(numbers.setdefault(drawn, len(numbers)))
            for a, b, chance in zip(first.tolist(), second.tolist(), chances, strict=True):
                sets.append(known[key])
                rows.append(
                    {
                        **dict(zip(_SHARED, shared, strict=True)),
                        "response_a": responses[a],
                        "response_b": responses[b],
                        "label": chance,
                    }
                )
        of.append(known[key])
    return References(
        Preferences.from_rows(rows, f"references of {preferences.name}"),
        np.array(sets, dtype=np.int64),
        np.array(of, dtype=np.int64),
        np.array(independent),
        np.array(draws, dtype=np.int64),
    )


def _key(*parts: object) -> bytes:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).digest()
