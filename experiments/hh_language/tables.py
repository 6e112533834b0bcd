"""The tables, from the figures alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from experiments.common.tables import correct, estimate, marked, remaining, table
from experiments.hh_language.runs import CALIBRATED, Part, Settings
from surefoot.statistics.estimate import written

KINDS = ("accuracy_difference", "log_loss_difference")

Figures = Mapping[str, Any]


def correct_all(found: Figures) -> None:
    """Holm-adjusted p-values in each family of comparisons."""
    for family in families(found).values():
        correct(family)


def families(found: Figures) -> dict[str, list[dict[str, Any]]]:
    """The comparisons that are marked together."""

    def every(kind: str) -> Iterator[dict[str, Any]]:
        for rates in found["parts"].values():
            for cells in rates.values():
                yield from (cell[kind] for cell in cells.values() if kind in cell)

    of_plain = [one for made in found["plain_against"].values() for one in made.values()]
    return {kind: list(every(kind)) for kind in KINDS} | {"plain_against": of_plain}


def markdown(found: Figures, settings: Settings) -> str:
    """All of them."""
    lines = _introduction(found, settings)
    for name in found["parts"]:
        lines += ["", *_table(name, found, settings.parts[name])]
    names = list(found["plain_against"])
    titles = dict.fromkeys(t for made in found["plain_against"].values() for t in made)
    rows = [
        [title, *(_difference(found["plain_against"][name].get(title)) for name in names)]
        for title in titles
    ]
    lines += ["", *table(["plain against", *names], rows)]
    accuracy, loss, plain = (remaining(family) for family in families(found).values())
    lines += [
        "",
        "Distinguishable from 0 after Holm's correction within each kind: "
        f"{accuracy} differences of accuracy, {loss} of log-loss, {plain} of plain's.",
    ]
    return "\n".join(lines) + "\n"


def _introduction(found: Figures, settings: Settings) -> list[str]:
    small = found["small_model"]
    loss = np.mean([one["held_out_loss"] for one in small])
    return [
        f"HH {settings.source}, {found['pairs']} pairs. Seed k holds out fold k of "
        f"{settings.folds} (no opening turn on two sides; the training sides of two folds "
        "overlap, which intervals over seeds do not know) and draws everything else anew. Small "
        f"model: a Llama of {small[0]['parameters'] / 1e6:.2f}M parameters, trained on the chosen "
        f"dialogues of training pairs ({' and '.join(settings.texts)}, {small[0]['texts']}); "
        f"{loss:.2f} nats a token on held-out ones (chance: {small[0]['chance_loss']:.2f}).",
        "",
        "Held-out pairs with their labels as given. Intervals cover seeds and pairs. Log-loss is "
        f"of probabilities whose temperature was fitted on {settings.calibration:.0%} of the "
        "training pairs (with their flips). Rows that say so know a flip rate, at "
        f"{_rates(found)} alike, and so is the temperature of their probabilities. *Detects*: the "
        "true difference that would be found with 80 % chance. *Chosen*: change of the preferred "
        "response's log-probability.",
    ]


def _rates(found: Figures) -> str:
    rates = dict.fromkeys(rate for part in found["parts"].values() for rate in part)
    return " and ".join(f"{float(rate):.0%}" for rate in rates)


def _table(name: str, found: Figures, part: Part) -> list[str]:
    policy = part.scorer["kind"] == "policy"
    titles = ["flipped", "objective", "accuracy", "difference", "log-loss", "difference"]
    titles += ["chosen, nats"] if policy else []
    compared = (
        "to plain (of log-loss, where a row knows the flips: objective and calibration in one)"
    )
    if any(CALIBRATED in cells for cells in found["parts"][name].values()):
        compared = "to plain, of what knows the flips to plain calibrated for them"
    lines = [
        f"**{name}**, {part.seeds} seed{'s' * (part.seeds > 1)}; differences {compared}",
        "",
    ]
    rows = []
    for rate, cells in found["parts"][name].items():
        for title, cell in cells.items():
            row = [
                f"{float(rate):.0%}",
                title + _given(title, part),
                str(estimate(cell["accuracy"])),
            ]
            row += [_difference(cell.get(KINDS[0])), str(estimate(cell["log_loss"]))]
            row += [_difference(cell.get(KINDS[1]), lower_is_better=True)]
            row += [f"{estimate(cell['chosen_change']):.1f}"] if policy else []
            rows.append(row)
    for ruler, found_by in found["rulers"][name].items():
        row = ["", f"*ruler: {ruler} wins*", str(estimate(found_by))]
        rows.append(row + [""] * (len(titles) - 3))
    return lines + table(titles, rows)


def _given(title: str, part: Part) -> str:
    """The flip rate that a row is given."""
    labels = part.methods[title].objective.get("labels", {}) if title in part.methods else {}
    rate = labels.get("flip_rate") if isinstance(labels, Mapping) else None
    return f", given {rate:.0%}" if rate else ""


def _difference(found: dict[str, Any] | None, lower_is_better: bool = False) -> str:
    """A difference, marked where it survives the correction, and what would have been found."""
    if found is None:
        return ""
    detects = found["minimum_detectable"]
    if detects is None:
        return marked(found, lower_is_better)
    return f"{marked(found, lower_is_better)}; detects {written(detects)}"
