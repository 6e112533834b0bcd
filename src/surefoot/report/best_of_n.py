"""The page of best-of-n: does choosing by this reward model find what is wanted?"""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.evaluation.policies.overoptimisation.choosing import BestOfN
from surefoot.report.charts import curve_chart
from surefoot.report.page import render
from surefoot.statistics import Estimate


def best_of_n_page(result: BestOfN, command: str = "") -> str:
    """An HTML page of one reward model, with a baseline beside it if there is one.

    Args:
        result: the curves, and how they compare.
        command: the command line that made it, shown at the end.
    """
    (name, curve), *others = result.curves.items()
    verdict = result.verdict
    series: dict[str, Sequence[Estimate]] = {"proxy": curve.proxy, "gold": curve.gold}
    series |= {f"gold, by {place}": one.gold for place, one in others}
    picture = curve_chart(
        curve.kl,
        series,
        axis="gain, in deviations",
        along="KL from the policy (nats)",
        reference=0.0,
    )
    return render(
        "best_of_n.html.jinja",
        curves=result.curves,
        name=name,
        found=curve,
        baseline=others[0][0] if others else None,
        compared=result.compared,
        gold=result.gold,
        tone=verdict.tone,
        sentence=verdict.sentence,
        points=[*verdict.points, *result.cautions],
        picture=picture,
        command=command,
    )
