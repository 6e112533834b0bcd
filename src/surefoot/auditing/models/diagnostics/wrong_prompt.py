"""Does the reward know what was asked, or would a good response to another prompt do?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Each, Lacking, Measurement, RowScores
from surefoot.auditing.models.changes import mean_beyond, too_few
from surefoot.auditing.models.material import RewardMaterial

#: One in ten may be a response that fits many prompts ("Could you say more?").
MATTERS = 0.1


def elsewhere(material: RewardMaterial) -> Iterator[Measurement | Lacking]:
    """Share of prompts at which another prompt's preferred response is rewarded above their own."""
    change = material.elsewhere
    lacking = too_few(DIAGNOSTIC, "another prompt's response", change, material)
    if lacking:
        yield lacking
        return
    above = (change.after > change.before) + 0.5 * (change.after == change.before)
    test = mean_beyond(above, change, material, MATTERS)
    size = test.estimate(len(above), "prompts")
    rows = np.unique(change.rows[above > 0])
    yield Measurement(
        size=size,
        test=test,
        seen=f"Another prompt's preferred response is rewarded above the prompt's own in {size} of "
        f"{len(above)} cases (0.5: the model does not read prompts).",
        rows=RowScores(rows, np.full(len(rows), 0.5)),
        each=Each(change.rows, change.side, np.asarray(above)),
        advice="Add preferred responses of other prompts as rejected ones to the training pairs "
        "(RRM); keep prompts whole where the model cuts them.",
    )


DIAGNOSTIC = Diagnostic(
    name="wrong prompt",
    threat="reward model",
    question="Would a response to another prompt be rewarded as well?",
    unit="of prompts at which another's response is rewarded above their own",
    matters=MATTERS,
    reference=0.2,
    null="at most this share of prompts rewards another prompt's response above their own",
    measure=elsewhere,
    source="RRM (arXiv 2409.13156)",
)
