"""The pages about policies: what one is worth, a win rate, and choosing the best of n."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from surefoot.report.charts import curve_chart, dot_interval_chart
from surefoot.report.page import render
from surefoot.statistics import Estimate

if TYPE_CHECKING:
    from surefoot.evaluation.policies.logged import LoggedValues
    from surefoot.evaluation.policies.overoptimisation.choosing import BestOfN
    from surefoot.evaluation.policies.win_rate import WinRate


def value_page(values: LoggedValues, command: str = "") -> str:
    """An HTML page: is a policy preferred to its reference, on each set of comparisons?

    The command line that made it is shown at the end.
    """
    from surefoot.evaluation.policies.logged import verdict

    pictures = {
        name: _around_half(
            {
                "direct": one.direct,
                "importance": one.importance,
                "doubly robust": one.doubly_robust,
            },
            "value",
            "preferred to the reference",
            "the reference",
        )
        for name, one in values.sets.items()
    }
    verdicts = {name: verdict(one) for name, one in values.sets.items()}
    return render(
        "policy_value.html.jinja",
        found=values,
        verdicts=verdicts,
        pictures=pictures,
        command=command,
    )


def win_rate_page(
    rate: WinRate, a: str, b: str, *, judge: str = "the judge", command: str = ""
) -> str:
    """An HTML page: is policy A preferred to B, and is that length?

    With what to call both and what judged; the command line that made it is shown at the end.
    """
    tone, sentence = win_rate_headline(rate)
    rates = {"raw": rate.win_rate, "at equal length": rate.length_controlled}
    return render(
        "win_rate.html.jinja",
        found=rate,
        a=a,
        b=b,
        judge=judge,
        command=command,
        tone=tone,
        sentence=sentence,
        points=[f"{note[0].upper()}{note[1:]}." for note in rate.notes],
        picture=_around_half(rates, "win rate of A", "win rate of A", "equal"),
    )


def best_of_n_page(result: BestOfN, command: str = "") -> str:
    """An HTML page: does choosing by this reward model find what is wanted?

    The command line that made it is shown at the end.
    """
    (name, curve), *others = result.curves.items()
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
        result=result,
        name=name,
        found=curve,
        baseline=others[0][0] if others else None,
        verdict=result.verdict,
        picture=picture,
        command=command,
    )


def _around_half(estimates: dict[str, Estimate], name: str, axis: str, half: str) -> Markup:
    return dot_interval_chart(
        list(estimates), {name: list(estimates.values())}, 0.5, axis=axis, reference_label=half
    )


def win_rate_headline(rate: WinRate) -> tuple[str, str]:
    """The raw rate, and whether it stands at equal length."""
    raw, equal = rate.win_rate.side(0.5), rate.length_controlled.side(0.5)
    rates = f"{rate.win_rate} raw, {rate.length_controlled} at equal length"
    if raw == 0:
        return "doubt", f"A and B are not distinguishable: {rates}."
    winner = "A" if raw > 0 else "B"
    if equal == raw:
        return ("good" if raw > 0 else "bad"), f"{winner} wins, at equal length too: {rates}."
    if equal == -raw:
        return "doubt", f"{winner} wins by length: at equal length the other does ({rates})."
    return "doubt", f"{winner} wins; not shown that it would at equal length: {rates}."
