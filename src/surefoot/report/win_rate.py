"""The page of a win rate: is A preferred to B, and is that length?"""

from __future__ import annotations

from surefoot.evaluation.policies.win_rate import WinRate
from surefoot.report.charts import dot_interval_chart
from surefoot.report.page import render


def win_rate_page(
    rate: WinRate, a: str, b: str, *, judge: str = "the judge", command: str = ""
) -> str:
    """An HTML page of one policy against another.

    Args:
        rate: the figures.
        a: what to call the first policy.
        b: what to call the second.
        judge: what judged.
        command: the command line that made it, shown at the end.
    """
    tone, sentence = _verdict(rate)
    points = [f"{note[0].upper()}{note[1:]}." for note in rate.notes]
    rates = {"raw": rate.win_rate, "at equal length": rate.length_controlled}
    picture = dot_interval_chart(
        list(rates),
        {"win rate of A": list(rates.values())},
        0.5,
        axis="win rate of A",
        reference_label="equal",
    )
    return render(
        "win_rate.html.jinja",
        found=rate,
        a=a,
        b=b,
        judge=judge,
        command=command,
        tone=tone,
        sentence=sentence,
        points=points,
        picture=picture,
    )


def _verdict(rate: WinRate) -> tuple[str, str]:
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
