"""The tables, from the figures alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.common.tables import percent, short, table
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
    flips = [percent(float(f)) for f in first["flips"]]
    heads = ["method", "largest shortfall", f"margin {short(margin)}"]
    heads += ["where it is, and who is best there", *flips, *first["tests"], "log-loss"]
    rows = []
    for name, row in sorted(methods.items(), key=lambda one: one[1]["estimate"]):
        cell = row["cell"]
        where = f"{cell['world']}, {percent(cell['flips'])}, {cell['test']}: {row['rival']}"
        values = [*row["flips"].values(), *row["tests"].values(), row["log_loss"]]
        interval = f"{short(row['estimate'])} [{short(row['low'])}, {short(row['high'])}]"
        shown = [name, interval, row["verdict"], where]
        rows.append([*shown, *map(short, values)])
    return table(heads, rows)


def _confirmed(content: Mapping[str, Any], settings: Any) -> list[str]:
    """The method that was judged on worlds of its own, if one was."""
    if "confirmation" not in content:
        return []
    row, chosen = content["confirmation"], settings.confirmation
    cell = row["cell"]
    ends = ", ".join(f"{row[end]:.4f}" for end in ("low", "high"))
    where = f"{cell['world']}, {percent(cell['flips'])}, {cell['test']}"
    by_flips = [f"{percent(float(f))} {short(v)}" for f, v in row["flips"].items()]
    by_use = [f"{use} {short(v)}" for use, v in row["tests"].items()]
    return [
        "",
        f"Confirmation, on {chosen.repetitions:,} other worlds of each kind, of one method chosen "
        f"before, **{chosen.method}**. Largest shortfall to the best of {_names(chosen.rivals)}: "
        f"{row['estimate']:.4f} [{ends}], at {where}, where {row['rival']} is best; margin "
        f"{settings.margin:g}: {row['verdict']}. The interval holds for "
        f"{chosen.attempts} such attempt{'s' * (chosen.attempts > 1)}. Largest by flips: "
        f"{', '.join(by_flips)}; by use: {', '.join(by_use)}.",
    ]


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _known(content: Mapping[str, Any], margin: float) -> list[str]:
    """For each flip rate and test the simplest method, by its shortfall over the worlds."""
    rows: dict[float, list[str]] = {}
    tests = list(dict.fromkeys(one["test"] for one in content["known"]))
    for one in content["known"]:
        shown = f"{one['method']} {short(one['shortfall'])}"
        rows.setdefault(one["flips"], []).append(shown)
    return [
        "Who knows the flips and the shares in use: the first method of the configuration whose "
        f"largest shortfall over the worlds is within {short(margin / 5)} of the least.",
        "",
        *table(["flips", *tests], ([percent(rate), *cells] for rate, cells in rows.items())),
    ]


def _regrets(content: Mapping[str, Any]) -> list[str]:
    """Regrets of plain, of what is recommended and of the best in each cell."""
    rows: dict[tuple[str, float], list[str]] = {}
    tests = list(dict.fromkeys(one["test"] for one in content["regrets"]))
    for one in content["regrets"]:
        values = (one["plain"], one["recommended"], one["best"])
        rows.setdefault((one["world"], one["flips"]), []).append(" / ".join(map(short, values)))
    return [
        "Mean regret of plain / of what is recommended / of the best method.",
        "",
        *table(
            ["world", "flips", *tests],
            ([world, percent(rate), *cells] for (world, rate), cells in rows.items()),
        ),
    ]


def _list(shares: Sequence[float]) -> str:
    return ", ".join(map(percent, shares))
