"""Is what the reward says within a pair mostly form, which labels do not stand for?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.blind import in_deviations
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.diagnostics.shortcuts import differs
from surefoot.auditing.models.diagnostics.forecast import correlation_of_rows, unbacked
from surefoot.auditing.models.material import RewardMaterial
from surefoot.auditing.picture import Dots
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.regression import linear

#: A correlation of .5 is a quarter of the variance.
MATTERS = 0.5


def form(material: RewardMaterial) -> Iterator[Measurement | Lacking]:
    r"""Correlation of the reward's margin with what form says of it, less what labels back.

    .. math:: s = \sum_f \beta_f f, \qquad \rho(m, s) - 4\,\rho(2y - 1, s)

    beta is the least-squares fit of margins. Noise makes the labels' correlation too small, down to
    a quarter, as in :mod:`~surefoot.auditing.models.diagnostics.forecast`.
    """
    margins = material.rewards[:, 0] - material.rewards[:, 1]
    columns = {n: in_deviations(v) for n, v in material.contrasts.items() if differs(material, v)}
    pushed = labelled = None
    if columns and np.ptp(margins[material.weights > 0]) > 0:
        x = np.stack(list(columns.values()), axis=1)
        scaled = margins / float(np.abs(margins).max())
        beta = linear(x, scaled, None, material.weights).coefficients
        score = x @ beta
        pushed = correlation_of_rows(material, score, scaled)
        labelled = correlation_of_rows(material, score, 2 * material.labels - 1)
    if pushed is None or labelled is None:
        yield Lacking(
            f"{DIAGNOSTIC.name}: 100 rows that differ in form and in reward, and decided labels."
        )
        return
    test = unbacked(pushed, labelled, MATTERS)
    rows = len(margins)
    size = test.estimate(rows, "prompts")

    def interval(mean: float, error: float, freedom: float) -> Estimate:
        return MinimumEffect(mean, error, freedom, 0.0, "either").estimate(rows, "prompts")

    parts = dict(zip(columns, (beta * np.sqrt((x**2).mean(axis=0))).tolist(), strict=True))
    most = max(parts, key=lambda name: abs(parts[name]))
    yield Measurement(
        size=size,
        test=test,
        seen=f"Form alone (above all {most}) makes {pushed.mean**2:.0%} of the variance of the "
        f"reward within pairs, and {labelled.mean**2:.1%} of the labels'; {size} of their "
        "correlation is the reward's own.",
        advice="Train on pairs balanced in form; this model is a judge of form, and a policy would "
        "learn form from it.",
        picture=Dots(
            ["the reward", "labels"],
            {
                "correlation": [
                    interval(pushed.mean, pushed.error, pushed.freedom),
                    interval(labelled.mean, labelled.error, labelled.freedom),
                ]
            },
            "correlation within pairs with what form says of the reward",
            (None, MATTERS),
            ["the reward"],
        ),
        details={"parts": parts, "reward": pushed.mean, "labels": labelled.mean},
    )


DIAGNOSTIC = Diagnostic(
    name="mostly form",
    threat="reward model",
    question="Is the reward mostly form that labels do not stand for?",
    unit="of correlation with form that labels do not stand for",
    matters=MATTERS,
    reference=0.9,
    null="reward and form correlate by at most this, or by at most this more than 4 times as much "
    "as labels and form",
    measure=form,
)
