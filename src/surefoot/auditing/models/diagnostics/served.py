"""Is it less right on some part: a source, a group, long responses, close pairs?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.diagnostics.worst_part import FEWEST, parts_served
from surefoot.auditing.material import Names
from surefoot.auditing.models.material import RewardMaterial
from surefoot.auditing.picture import Dots
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import credit, side_of_half, side_of_margins

MATTERS = 0.1


def worst(material: RewardMaterial) -> Iterator[Measurement | Lacking]:
    """Accuracy on the worst part against that on all others, for each column and by length."""
    decided = (side_of_half(material.labels) != 0) & (material.weights > 0)
    weights = np.where(decided, material.weights, 0.0)
    margins = material.rewards[:, 0] - material.rewards[:, 1]
    right = credit(side_of_margins(margins), material.labels)
    columns: dict[str, Names] = dict(material.groupings)
    if (lengths := material.contrasts.get("length")) is not None:
        longer = lengths * np.sign(material.labels - 0.5)
        named = np.array(["better is shorter", "of one length", "better is longer"], dtype=object)
        columns["length"] = named[np.sign(longer).astype(np.int64) + 1]
    asked = False
    for column, names in columns.items():
        found = list(parts_served(weights, material.prompts, right, names))
        if len(found) < 2:
            continue
        asked = True
        last = max(found, key=lambda one: (one.less - MATTERS) / one.error)
        tests = {
            one.name: MinimumEffect(one.less, one.error, one.freedom, MATTERS, picked=len(found))
            for one in found
        }
        sizes: list[Estimate] = [
            tests[one.name].estimate(one.rows, "prompts")
            for one in sorted(found, key=lambda one: -one.less)
        ]
        size = tests[last.name].estimate(int(decided.sum()), "prompts")
        # A sound model, too, is less right where what goes with quality speaks against it.
        given = column == "length"
        yield Measurement(
            of=column,
            size=size,
            test=None if given else tests[last.name],
            seen=f"It is right on {last.accuracy:.3f} of the pairs whose {column} is "
            f"{last.name!r}, {size} less than on the others.",
            advice="Train with more pairs of this part, or with risk unit "
            f"{column if not given else 'group'}; report the worst part beside the mean.",
            assumption="labels go with length as quality does; where they do not, see form rewarded"
            if given
            else "",
            picture=Dots(
                [one.name for one in sorted(found, key=lambda one: -one.less)],
                {"part": sizes},
                "accuracy less than on the others",
                (None, MATTERS),
                [last.name],
            ),
            details={one.name: {"accuracy": one.accuracy, "rows": one.rows} for one in found},
        )
    if not asked:
        yield Lacking(
            f"{DIAGNOSTIC.name}: a column source or group with two names of {FEWEST} rows each, on "
            "enough prompts."
        )


DIAGNOSTIC = Diagnostic(
    name="worst part of the model",
    threat="reward model",
    question="Is the model less right on some part?",
    unit="of accuracy less than on all other parts",
    matters=MATTERS,
    reference=0.2,
    null="no part has an accuracy that is lower by more than this than that of the others",
    measure=worst,
)
