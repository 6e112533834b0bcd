"""Tables of experiments, and differences in them, marked after Holm's correction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from surefoot.report.words import outcome
from surefoot.statistics import Comparison, Estimate, holm


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table, line by line.

    >>> table(["", "n"], [["a", "1"]])
    ['| | n |', '|---|---|', '| a | 1 |']
    """
    head = "".join(f"| {one} " if one else "| " for one in heads)
    return [f"{head}|", "|---" * len(heads) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def short(value: float) -> str:
    """Three decimals.

    >>> short(0.0412), short(0.0), short(1.0)
    ('.041', '.000', '1.000')
    """
    return f"{value:.3f}".removeprefix("0")


def percent(share: float) -> str:
    """A share in whole percents.

    >>> percent(0.2)
    '20 %'
    """
    return f"{share:.0%}".replace("%", " %")


def estimate(found: dict[str, Any]) -> Estimate:
    """An estimate, from its JSON form."""
    return Estimate(**found)


def comparison(found: dict[str, Any]) -> Comparison:
    """A comparison, from its JSON form, without its test."""
    return Comparison(estimate(found["difference"]), found["p_value"])


def correct(family: Iterable[dict[str, Any]]) -> None:
    """Give each comparison of a family, in its JSON form, its Holm-adjusted p-value."""
    tested = [one for one in family if one["p_value"] is not None]
    for one, p in zip(tested, holm([one["p_value"] for one in tested]).tolist(), strict=True):
        one["adjusted_p_value"] = p


def marked(found: dict[str, Any], lower_is_better: bool = False) -> str:
    """A difference with its interval, and better or worse where that survives the correction."""
    said = outcome(comparison(found), found.get("adjusted_p_value"), lower_is_better)
    mark = f" **{said}**" if said in ("better", "worse") else ""
    return f"{estimate(found['difference'])}{mark}"


def remaining(family: Iterable[dict[str, Any]]) -> str:
    """How many of a family remain.

    >>> remaining([{"adjusted_p_value": 0.2}, {"adjusted_p_value": 0.01}, {"p_value": None}])
    '1 of 3'
    """
    every = list(family)
    kept = [one for one in every if one.get("adjusted_p_value", 1.0) < 0.05]
    return f"{len(kept)} of {len(every)}"
