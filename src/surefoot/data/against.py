"""What a policy wrote, put against the responses of the data: comparisons that are to be judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surefoot.data.schema import Preferences
from surefoot.data.steps import Ints
from surefoot.data.text import Message, Prompt


def against(
    preferences: Preferences, responses: Sequence[Sequence[list[Message]]]
) -> tuple[Preferences, Ints]:
    """Every response of a policy (first) against both responses of its record (second).

    Args:
        preferences: N records.
        responses: to the prompt of each record.

    Returns:
        The comparisons, whose labels say nothing, record by record, first all against its response
        a, then all against b; and 2 i + side (0 for a, 1 for b) of each.
    """
    rows, owners = [], []
    columns = (*Prompt._fields, "source")
    rows_of = preferences.read("response_a", "response_b", *columns)
    for i, (a, b, *shared) in enumerate(rows_of):
        for side, response in enumerate((a, b)):
            for written in responses[i]:
                owners.append(2 * i + side)
                rows.append(
                    {
                        **dict(zip(columns, shared, strict=True)),
                        "response_a": written,
                        "response_b": response,
                        "label": 0.5,
                    }
                )
    return Preferences.from_rows(rows, f"samples against {preferences.name}"), np.array(owners)
