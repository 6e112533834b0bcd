"""The page of best-of-n: does choosing by this reward model find what is wanted?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surefoot.evaluation.overoptimisation import Curve
from surefoot.evaluation.overoptimisation_verdict import verdict
from surefoot.report.charts import curve_chart
from surefoot.report.page import render
from surefoot.statistics import Comparison, Estimate


def best_of_n_page(
    curves: Mapping[str, Curve],
    compared: Sequence[Comparison] | None = None,
    *,
    gold: str | None = None,
    notes: Sequence[str] = (),
    command: str = "",
) -> str:
    """An HTML page of one reward model, with a baseline beside it if there is one.

    Args:
        curves: by the name of the model, the one that the page is about first.
        compared: its gold reward less the baseline's, for each n.
        gold: what stands in for the gold reward; None: the data's own.
        notes: cautions.
        command: the command line that made it, shown at the end.
    """
    (name, ours), *others = curves.items()
    said = verdict(ours)
    series: dict[str, Sequence[Estimate]] = {"proxy": ours.proxy, "gold": ours.gold}
    series |= {f"gold, by {place}": one.gold for place, one in others}
    picture = curve_chart(
        ours.kl,
        series,
        axis="gain, in deviations",
        along="KL from the policy (nats)",
        reference=0.0,
    )
    return render(
        "best_of_n.html.jinja",
        curves=curves,
        name=name,
        found=ours,
        baseline=others[0][0] if others else None,
        compared=compared,
        gold=gold,
        tone=said.tone,
        sentence=said.sentence,
        points=[*said.points, *notes],
        picture=picture,
        command=command,
    )
