"""HH and a reference policy: what the reference check says of it, and what VRPO then does.

The models that wrote HH's responses are unknown. A small language model that is trained on both
responses of each pair estimates them; responses of HH to other prompts are as wrong, and well
written.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from experiments.common.tables import correct, estimate, marked, remaining, table
from experiments.common.work import Work
from experiments.hh_references.runs import AUXILIARIES, VERSION, Settings, checks, fit_all, prepare
from surefoot.statistics import hierarchical, hierarchical_difference


def run(settings: Settings, work: Work) -> dict[str, Any]:
    """Every check, and every method on every seed."""
    started = time.monotonic()
    parts, described = prepare(settings, work)
    print(f"language model and its draws: {time.monotonic() - started:.0f} s", flush=True)
    given = settings.model_dump(mode="json")
    depends_on = [given[n] for n in ("limit", "pairs", "prompt_characters", "small_model")]
    depends_on += [given["reference"], given["cooler"]]
    found: dict[str, Any] = {"small_model": described, "parts": {}}
    for name, part in parts.items():
        rounds = []
        for k in range(settings.checks):
            rounds.append(work.figures([VERSION, [depends_on, name, k]], partial(checks, part, k)))
            print(f"{name}, check {k}: {time.monotonic() - started:.0f} s", flush=True)
        options = [given[n] for n in ("held_out", "auxiliary", "folds")]
        cells: dict[float, list[Any]] = {rate: [] for rate in settings.flip_rates}
        for seed in range(settings.seeds):
            for rate, by_seed in cells.items():
                cell = {}
                for auxiliary in AUXILIARIES:
                    methods = {n: given["methods"][n] for n in settings.of(auxiliary)}
                    key = [depends_on, options, methods, name, seed, rate]
                    fit = partial(fit_all, settings, part, seed, rate, auxiliary)
                    cell |= work.figures([VERSION, key], fit)
                by_seed.append(cell)
                print(
                    f"{name}, seed {seed}, {rate:.0%} flipped: {time.monotonic() - started:.0f} s",
                    flush=True,
                )
        found["parts"][name] = {
            "pairs": len(part.pairs),
            "unfinished": part.unfinished,
            "checks": rounds,
            "cells": cells,
        }
    return found


def figures(found: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Every figure, JSON-ready; Holm's correction over all differences of accuracy, and of loss."""

    def one(name: str, by_seed: list[Any]) -> dict[str, Any]:
        clusters = [cell["clusters"] for cell in by_seed]
        own = {what: [cell[name][what] for cell in by_seed] for what in ("right", "losses")}
        plain = {what: [cell["plain"][what] for cell in by_seed] for what in own}
        content: dict[str, Any] = {
            "accuracy": hierarchical(own["right"], clusters).to_dict(),
            "log_loss": hierarchical(own["losses"], clusters).to_dict(),
        }
        if name != "plain":
            for title, what in (("accuracy", "right"), ("log_loss", "losses")):
                gap = hierarchical_difference(own[what], plain[what], clusters)
                content[f"{title}_difference"] = gap.to_dict()
        coefficients = [cell[name]["coefficient"] for cell in by_seed]
        if None not in coefficients:
            content["coefficient"] = float(np.mean(coefficients))
        return content

    parts = {
        name: {
            "pairs": part["pairs"],
            "unfinished": part["unfinished"],
            "checks": {t: _check([r[t] for r in part["checks"]]) for t in part["checks"][0]},
            "auxiliary_log_loss_less_bradley_terry": {
                str(rate): _mean(cell["auxiliary"]["difference"]["estimate"] for cell in by_seed)
                for rate, by_seed in part["cells"].items()
            },
            "vrpo": {
                str(rate): {m: one(m, by_seed) for m in settings.methods}
                for rate, by_seed in part["cells"].items()
            },
        }
        for name, part in found["parts"].items()
    }
    content = {"schema_version": 1, "small_model": found["small_model"], "parts": parts}
    for family in families(content).values():
        correct(family)
    return content


def _check(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """What the first round of a check says, and how often the two were distinguishable."""
    distinguishable = sum((one["auc"]["low"] or 0) > 0.5 for one in rounds)
    return {key: rounds[0][key] for key in ("verdict", "auc", "longer")} | {
        "distinguishable": distinguishable
    }


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def families(content: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The differences that are tested together."""
    cells = [
        cell
        for part in content["parts"].values()
        for methods in part["vrpo"].values()
        for cell in methods.values()
    ]
    return {
        what: [cell[what] for cell in cells if what in cell]
        for what in ("accuracy_difference", "log_loss_difference")
    }


def markdown(content: Mapping[str, Any], settings: Settings) -> str:
    """The tables, from the figures."""
    small, parts = content["small_model"], content["parts"]
    pairs = ", ".join(f"{part['pairs']} {name}" for name, part in parts.items())
    cut = ", ".join(f"{part['unfinished']:.0%} ({name})" for name, part in parts.items())
    lines = [
        f"{pairs} pairs. The language model has {small['parameters'] / 1e6:.1f} million parameters,"
        f" was trained on {small['texts']:,} dialogues of other pairs, and has a loss of "
        f"{small['held_out_loss']:.2f} nats a token on these ({small['chance_loss']:.2f} is "
        f"chance). Of its responses {cut} were cut at the largest number of tokens.",
        "",
        f"The check, on {settings.checks} draws of the references: the first one's AUC with its "
        "interval, how often the two were distinguishable, how often the data's response is the "
        "longer one, and what the check says.",
        "",
    ]
    heads = ["part", "data", "references", "AUC", "distinguishable", "longer", "it says"]
    rows: list[list[str]] = []
    verdicts: dict[str, int] = {}
    for name, part in parts.items():
        for title, one in part["checks"].items():
            number = verdicts.setdefault(_general(one["verdict"]), len(verdicts) + 1)
            seen = f"{one['distinguishable']} of {settings.checks}"
            auc, longer = estimate(one["auc"]), estimate(one["longer"])
            rows.append([name, title, str(auc), seen, str(longer), f"({number})"])
    lines += [*table(heads, rows), "", *(f"({n}) {said}\n" for said, n in verdicts.items())]
    lines += [
        f"VRPO and plain, linear rewards on frozen embeddings, {settings.seeds} seeds (a new split "
        "and new flips each), tested on the labels as given. Differences are to plain; marks after "
        "Holm's correction over all of a kind. `c`: the mean coefficient.",
        "",
        *table(
            ["part", "flipped", "method", *_MEASURED],
            [
                [name, f"{float(rate):.0%}", title, *_row(cell)]
                for name, part in parts.items()
                for rate, methods in part["vrpo"].items()
                for title, cell in methods.items()
            ],
        ),
    ]
    left = {what: remaining(family) for what, family in families(content).items()}
    better = [
        f"{mean:+.3f} ({name}, {float(rate):.0%} flipped)"
        for name, part in parts.items()
        for rate, mean in part["auxiliary_log_loss_less_bradley_terry"].items()
    ]
    lines += [
        "",
        f"Distinguishable from 0: {left['accuracy_difference']} differences of accuracy, "
        f"{left['log_loss_difference']} of log-loss. The auxiliary model's log-loss on the "
        "training labels, out of fold, less that of Bradley-Terry, mean over seeds: "
        f"{', '.join(better)}.",
    ]
    return "\n".join(lines) + "\n"


def _general(verdict: str) -> str:
    """A verdict without its own figure."""
    head, found, _ = verdict.partition(", but the interval reaches")
    return f"{head}, but the interval reaches further than .55: more prompts." if found else verdict


#: What a row of VRPO's table shows of a method.
_MEASURED = ("accuracy", "minus plain", "log-loss", "minus plain", "c")


def _row(cell: Mapping[str, Any]) -> list[str]:
    gaps = ["", ""]
    if "accuracy_difference" in cell:
        gaps = [marked(cell["accuracy_difference"]), marked(cell["log_loss_difference"], True)]
    c = f"{cell['coefficient']:.2f}" if "coefficient" in cell else ""
    accuracy, loss = estimate(cell["accuracy"]), estimate(cell["log_loss"])
    return [str(accuracy), gaps[0], str(loss), gaps[1], c]


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(run(settings, work), settings)
