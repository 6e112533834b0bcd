"""The tables, from the figures alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.noise_and_shift.hh import hh_markdown


def markdown(content: Mapping[str, Any], settings: Any) -> str:
    """The decision, what a user takes who knows more, regrets, and HH."""
    size = settings.size
    lines = [
        f"{size.repetitions} worlds of each kind, each with {size.pairs:,} training pairs of "
        f"{size.features} features in groups of {_list(size.shares)}. Shortfall: mean regret less "
        "the least of any method in the same world, flips and test; the largest of them. "
        "Intervals hold for all methods at once (95 %). Log-loss: above the truth's at the best "
        "temperature, groups alike, mean of worlds and flips.",
        "",
        *_decision(content, settings.margin),
        *_confirmed(content, settings),
        "",
        f"Recommended: **{content['recommended']}**.",
        "",
        *_known(content, settings.margin),
        "",
        *_regrets(content),
    ]
    if "hh" in content:
        lines += ["", *hh_markdown(content["hh"], settings.hh)]
    return "\n".join(lines) + "\n"


def _decision(content: Mapping[str, Any], margin: float) -> list[str]:
    """Every method, that of least shortfall first."""
    methods = content["methods"]
    first = next(iter(methods.values()))
    flips = [f"{float(f):.0%}".replace("%", " %") for f in first["flips"]]
    lines = [
        f"| method | largest shortfall | margin {_short(margin)} | where it is, and who is best "
        f"there | {' | '.join(flips)} | {' | '.join(first['tests'])} | log-loss |",
        f"|{'---|' * (5 + len(flips) + len(first['tests']))}",
    ]
    for name, row in sorted(methods.items(), key=lambda one: one[1]["estimate"]):
        cell = row["cell"]
        where = f"{cell['world']}, {cell['flips']:.0%}, {cell['test']}: {row['rival']}"
        values = [*row["flips"].values(), *row["tests"].values(), row["log_loss"]]
        interval = f"{_short(row['estimate'])} [{_short(row['low'])}, {_short(row['high'])}]"
        shown = [name, interval, row["verdict"], where.replace("%", " %")]
        lines.append(f"| {' | '.join([*shown, *map(_short, values)])} |")
    return lines


def _confirmed(content: Mapping[str, Any], settings: Any) -> list[str]:
    """The method that was judged on worlds of its own, if one was."""
    if "confirmation" not in content:
        return []
    row, chosen = content["confirmation"], settings.confirmation
    cell = row["cell"]
    ends = ", ".join(f"{row[end]:.4f}" for end in ("low", "high"))
    where = f"{cell['world']}, {cell['flips']:.0%}, {cell['test']}".replace("%", " %")
    by_flips = [f"{float(f):.0%} {_short(v)}" for f, v in row["flips"].items()]
    by_use = [f"{use} {_short(v)}" for use, v in row["tests"].items()]
    return [
        "",
        f"Confirmation, on {chosen.repetitions:,} other worlds of each kind, of one method chosen "
        f"before, **{chosen.method}**. Largest shortfall to the best of {_names(chosen.rivals)}: "
        f"{row['estimate']:.4f} [{ends}], at {where}, where {row['rival']} is best; margin "
        f"{settings.margin:g}: {row['verdict']}. The interval holds for "
        f"{chosen.attempts} such attempt{'s' * (chosen.attempts > 1)}. Largest by flips: "
        f"{', '.join(by_flips).replace('%', ' %')}; by use: {', '.join(by_use)}.",
    ]


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _known(content: Mapping[str, Any], margin: float) -> list[str]:
    """For each flip rate and test the simplest method, by its shortfall over the worlds."""
    rows: dict[float, list[str]] = {}
    tests = list(dict.fromkeys(one["test"] for one in content["known"]))
    for one in content["known"]:
        shown = f"{one['method']} {_short(one['shortfall'])}"
        rows.setdefault(one["flips"], []).append(shown)
    return [
        "Who knows the flips and the shares in use: the first method of the configuration whose "
        f"largest shortfall over the worlds is within {_short(margin / 5)} of the least.",
        "",
        f"| flips | {' | '.join(tests)} |",
        f"|{'---|' * (1 + len(tests))}",
        *(
            f"| {rate:.0%} | {' | '.join(cells)} |".replace("%", " %")
            for rate, cells in rows.items()
        ),
    ]


def _regrets(content: Mapping[str, Any]) -> list[str]:
    """Regrets of plain, of what is recommended and of the best in each cell."""
    rows: dict[tuple[str, float], list[str]] = {}
    tests = list(dict.fromkeys(one["test"] for one in content["regrets"]))
    for one in content["regrets"]:
        values = (one["plain"], one["recommended"], one["best"])
        rows.setdefault((one["world"], one["flips"]), []).append(" / ".join(map(_short, values)))
    return [
        "Mean regret of plain / of what is recommended / of the best method.",
        "",
        f"| world | flips | {' | '.join(tests)} |",
        f"|{'---|' * (2 + len(tests))}",
        *(
            f"| {world} | {rate:.0%} | {' | '.join(cells)} |".replace("%", " %")
            for (world, rate), cells in rows.items()
        ),
    ]


def _short(value: float) -> str:
    """Three decimals.

    >>> _short(0.0412), _short(0.0)
    ('.041', '.000')
    """
    return f"{value:.3f}".removeprefix("0")


def _list(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:.0%}".replace("%", " %") for share in shares)
