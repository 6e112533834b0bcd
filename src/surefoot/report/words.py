"""Figures in words: how pages write numbers, intervals and the outcome of a test."""

from __future__ import annotations

import math
from typing import Literal

from surefoot.statistics import Comparison, Estimate
from surefoot.statistics.estimate import LARGEST, MOST_DECIMALS, decimals

Outcome = Literal["better", "worse", "not distinguishable", "not tested"]

MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 3, signed: bool = False) -> str:
    """A figure without its leading zero, with more digits where it would not be seen.

    >>> number(0.6125), number(-0.02, signed=True), number(0.02, 2, signed=True), number(-0.0003)
    ('.613', '−.020', '+.02', '−.0003')
    """
    return _fixed(value, digits if value is None else decimals([value], digits), signed)


def parts(estimate: Estimate, digits: int = 3, signed: bool = False) -> tuple[str, str, str]:
    """A figure and the ends of its interval, in as many digits as show the interval.

    Returns:
        Figure, lower end, upper end; the ends are empty where there is no interval.

    >>> parts(Estimate(0.0, -0.0004, 0.0004, n=9, covers="x"))
    ('.0000', '−.0004', '.0004')
    """
    values = (estimate.estimate, estimate.low, estimate.high)
    digits = decimals([v for v in values if v is not None], digits)
    figure, low, high = (_fixed(v, digits, signed) for v in values)
    return (figure, low, high) if None not in values else (figure, "", "")


def _fixed(value: float | None, digits: int, signed: bool) -> str:
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return f"{MINUS if value < 0 else ''}∞"
    readable = digits <= MOST_DECIMALS and abs(value) < LARGEST
    text = f"{abs(value):,.{digits}f}" if readable else f"{abs(value):.1e}"
    negative = value < 0 and float(text.replace(",", "")) != 0
    sign = MINUS if negative else "+" if signed and value > 0 else ""
    return sign + (text[1:] if readable and text.startswith("0.") else text)


def count(value: int) -> str:
    """A whole number with thousands apart.

    >>> count(12345)
    '12,345'
    """
    return f"{value:,}"


def counted(value: int, noun: str, plural: str = "") -> str:
    """A number of things.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "difference")
    ('1 row', '1,200 rows', '2 differences')
    """
    return f"{count(value)} {noun if value == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """A share of rows, with enough digits not to read as nothing or everything.

    >>> percent(0.5), percent(0.0004), percent(0.00001), percent(0.9999)
    ('50 %', '0.04 %', 'below 0.01 %', '99.99 %')
    """
    if 0 < share < 1e-4:
        return "below 0.01 %"
    digits = 0 if share in (0, 1) else 2 if share < 0.01 or share > 0.99 else 1
    text = f"{100 * share:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if digits else text) + " %"


def p_value(value: float | None) -> str:
    """A p-value, never written as 0.

    >>> p_value(0.0321), p_value(1e-9), p_value(None), p_value(0.6), p_value(1.0)
    ('.032', '<.0001', '–', '.60', '1')
    """
    if value is None:
        return "–"
    if value < 1e-4:
        return "<.0001"
    if value > 0.995:
        return "1"
    return number(value, 4 if value < 0.001 else 3 if value < 0.1 else 2)


def interval(estimate: Estimate, digits: int = 3, signed: bool = False) -> str:
    """Figure and interval in one line, or the reason why there is none.

    >>> interval(Estimate(0.612, 0.59, 0.634, n=1871, covers="test items"))
    '.612 [.590, .634]'
    """
    if estimate.estimate is None:
        return f"no figure ({estimate.note})"
    figure, low, high = parts(estimate, digits, signed)
    return f"{figure} [{low}, {high}]" if low else f"{figure} (no interval: {estimate.note})"


def coverage(figure: Estimate) -> str:
    """What the interval of a figure covers, to stand behind it.

    >>> coverage(Estimate(0.612, 0.59, 0.634, n=1871, covers="test prompts"))
    '95 % interval, covers test prompts; n = 1,871'
    """
    n = count(figure.n)
    if figure.low is None:
        return f"no interval: {figure.note}; n = {n}"
    note = f" ({figure.note})" if figure.note else ""
    return f"{100 * figure.level:g} % interval, covers {figure.covers}; n = {n}{note}"


def outcome(
    comparison: Comparison, adjusted: float | None = None, lower_is_better: bool = False
) -> Outcome:
    """What a comparison says at its level, or by a p-value that was adjusted for several tests."""
    p = comparison.p_value if adjusted is None else adjusted
    difference = comparison.difference
    if p is None or difference.estimate is None:
        return "not tested"
    if p >= 1 - difference.level:
        return "not distinguishable"
    return "better" if (difference.estimate > 0) != lower_is_better else "worse"
