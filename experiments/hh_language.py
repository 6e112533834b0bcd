"""HH pairs and language models: DPO and reward models, plain and robust, clean and flipped labels.

    python experiments/hh_language.py experiments/hh_language.yaml [--output experiments/results]
                                      [--work experiments/runs/hh_language]

Writes `hh_language.json` (every figure with its interval) and `hh_language.md` (the tables).
What is finished is kept in the work folder: an interrupted experiment goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from datasets import Value, disable_progress_bars
from pydantic import Field
from small_model import SmallModel, make_small_model

from surefoot.data import Preferences
from surefoot.data.checks import check, without
from surefoot.data.splits import folds
from surefoot.data.text import normalised
from surefoot.data.writing import write_preferences
from surefoot.evaluation import ruler_rewards
from surefoot.evaluation.judgments import judge
from surefoot.evaluation.suites import load_suite
from surefoot.options import Options
from surefoot.scorers.language.rendering import SPEAKERS
from surefoot.statistics import (
    Comparison,
    Estimate,
    hierarchical,
    hierarchical_difference,
    holm,
    log_loss,
)
from surefoot.training import RunConfig, train

RULERS = ("longer", "shorter")


class Method(Options):
    """One row of a table: what differs from the part's own options."""

    objective: dict[str, Any] = Field({})
    scorer: dict[str, Any] = Field({})
    training: dict[str, Any] = Field({})


class Part(Options):
    """One kind of model, trained by several methods."""

    seeds: int = Field(5, ge=1)
    """Seed k holds out fold k."""
    flip_rates: tuple[float, ...] = (0.0, 0.2)
    """Shares of the training labels that are flipped."""
    scorer: dict[str, Any]
    """Options of the run; the model `small` is the seed's own."""
    training: dict[str, Any] = Field({})
    methods: dict[str, Method]


class Settings(Options):
    """The experiment."""

    source: str
    """Where pairs come from, for training and for testing."""
    texts: tuple[str, ...]
    """Sources of the chosen dialogues that the small model is trained on."""
    folds: int = Field(5, ge=3)
    first_seed: int = 0
    """Seeds are counted from here; the folds are drawn with it."""
    calibration: float = Field(0.1, gt=0, lt=1)
    """Share of the training pairs that the temperature of the probabilities is fitted on."""
    limit: int | None = None
    """Pairs of each source; null for all."""
    small_model: SmallModel = SmallModel()
    parts: dict[str, Part]


@dataclass
class Outcome:
    """Per-pair outcomes on the held-out pairs, one array for each seed."""

    right: list[np.ndarray] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    chosen: list[np.ndarray] = field(default_factory=list)
    clusters: list[np.ndarray] = field(default_factory=list)

    def add(self, cell: Mapping[str, np.ndarray], test: Preferences, ids: np.ndarray) -> None:
        """One more seed."""
        judged = judge(cell["rewards"], test, cell["probabilities"])
        self.right.append(judged.correct)
        self.losses.append(log_loss(judged.probabilities, test.labels))
        self.clusters.append(ids)
        if len(cell["change"]):
            first = (test.labels > 0.5)[:, None]
            self.chosen.append(np.where(first, cell["change"], cell["change"][:, ::-1])[:, 0])

    def mean(self, what: str) -> Estimate:
        """Over seeds and pairs."""
        return hierarchical(getattr(self, what), self.clusters)

    def against(self, other: Outcome, what: str = "right") -> Comparison:
        """Paired difference to another method on the same seeds and pairs."""
        return hierarchical_difference(getattr(self, what), getattr(other, what), self.clusters)


@dataclass
class Work:
    """What is finished, by what it depends on."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("cells", "models"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def cell(self, depends_on: Any) -> Path:
        return self.folder / "cells" / f"{_key(depends_on)}.npz"

    def model(self, depends_on: Any) -> Path:
        return self.folder / "models" / _key(depends_on)

    def scratch(self) -> Path:
        """An empty place for one run."""
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        (self.folder / "scratch").mkdir()
        return self.folder / "scratch"


def _key(depends_on: Any) -> str:
    text = json.dumps(depends_on, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def load(settings: Settings) -> dict[str, Preferences]:
    """Each source, without what the damage report calls errors; `group` is the opening turn.

    Some dialogues of HH occur again with more turns. They share their opening turn, so one side
    of a split holds all of them.
    """
    everything = load_suite("hh_rlhf")
    sound = without(everything, [f for f in check(everything).findings if f.severity == "error"])
    opening = [normalised(prompt[0]["content"]) for (prompt,) in sound.read("prompt")]
    dataset = sound.dataset.remove_columns("group")
    dataset = dataset.add_column("group", opening, feature=Value("string"))
    sound, named = replace(sound, dataset=dataset), np.array(sound.strings("source"))
    parts = {}
    for name in {settings.source, *settings.texts}:
        rows = np.flatnonzero(named == name)
        parts[name] = sound.select(rows[: settings.limit] if settings.limit else rows)
    return parts


def chosen_dialogues(preferences: Preferences) -> list[str]:
    """The preferred dialogue of each pair, as HH writes it."""
    texts = []
    for prompt, a, b, label in preferences.read("prompt", "response_a", "response_b", "label"):
        turns = [*prompt, *(a if label > 0.5 else b)]
        texts.append("".join(f"\n\n{SPEAKERS[t['role']]}: {t['content']}" for t in turns))
    return texts


def flipped(preferences: Preferences, rate: float, seed: int) -> Preferences:
    """The same pairs, each label flipped with this probability; the same ones for every method."""
    flips = np.random.default_rng(seed).random(len(preferences)) < rate
    return preferences.with_labels(np.where(flips, 1 - preferences.labels, preferences.labels))


@dataclass(frozen=True)
class Seed:
    """Everything that one seed draws.

    Attributes:
        number: of the seed.
        train, test: pairs of the source.
        small: folder of the small model.
        described: how its training went.
    """

    number: int
    train: Preferences
    test: Preferences
    small: Path
    described: dict[str, Any]


def prepare(settings: Settings, parts: Mapping[str, Preferences], k: int, work: Work) -> Seed:
    """Split, and train the small model of this seed on training text alone."""
    pairs, number = parts[settings.source], settings.first_seed + k
    fold = folds(pairs, settings.folds, by="group", seed=settings.first_seed)
    train = pairs.select(np.flatnonzero(fold != k % settings.folds))
    test = pairs.select(np.flatnonzero(fold == k % settings.folds))
    unseen = set(test.strings("group"))
    texts = []
    for name in settings.texts:
        part = train if name == settings.source else parts[name]
        rows = [i for i, one in enumerate(part.strings("group")) if one not in unseen]
        texts += chosen_dialogues(part.select(rows))
    options = settings.small_model
    folder = work.model([options.model_dump(), number, _key(texts)])
    described = make_small_model(texts, chosen_dialogues(test), options, number, folder)
    return Seed(number, train, test, folder, described)


def run_cell(
    settings: Settings, part: Part, method: Method, rate: float, seed: Seed, work: Work
) -> Mapping[str, np.ndarray]:
    """Train one model, as `surefoot train` does, and score the held-out pairs."""
    scorer = {**part.scorer, **method.scorer}
    training = {**part.training, **method.training, "seed": seed.number}
    key = [scorer, training, method.objective, settings.calibration, rate]
    start = seed.small.name if scorer["model"] == "small" else ""
    path = work.cell([*key, start, seed.train.fingerprint, seed.test.fingerprint])
    if path.is_file():
        return np.load(path)
    started = time.monotonic()
    scratch = work.scratch()
    noisy = flipped(seed.train, rate, seed.number)
    write_preferences(noisy, scratch / "train.jsonl")
    if scorer["model"] == "small":
        scorer["model"] = str(seed.small)
    config = RunConfig(
        data={
            "train": str(scratch / "train.jsonl"),
            "held_out": settings.calibration,
            "split_by": "group",
        },
        scorer=scorer,
        objective=method.objective,
        training=training,
        output=str(scratch / "run"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cuts and joined tokens: the same in every cell
        model = train(config).model
        raw = model.raw_scores(seed.test)
    rewards = (raw - model.mean_) / model.std_
    np.savez(
        scratch / "cell.npz",
        rewards=raw,
        probabilities=model.to_probabilities(rewards[:, 0] - rewards[:, 1]),
        change=raw / config.scorer.beta if config.scorer.kind == "policy" else np.empty((0, 2)),
        seconds=time.monotonic() - started,
    )
    (scratch / "cell.npz").replace(path)
    return np.load(path)


def run(settings: Settings, work: Work) -> dict[str, Any]:
    """Every cell; all methods of a seed before the next seed."""
    parts = load(settings)
    found: dict[str, Any] = {
        name: {rate: {m: Outcome() for m in part.methods} for rate in part.flip_rates}
        for name, part in settings.parts.items()
    }
    rulers = {name: {ruler: Outcome() for ruler in RULERS} for name in settings.parts}
    small = []
    names = sorted(set(parts[settings.source].strings("group")))
    number = {name: i for i, name in enumerate(names)}
    for k in range(max(part.seeds for part in settings.parts.values())):
        started = time.monotonic()
        seed = prepare(settings, parts, k, work)
        small.append(seed.described)
        print(f"seed {seed.number}: small model {time.monotonic() - started:.0f} s", flush=True)
        ids = np.array([number[one] for one in seed.test.strings("group")])
        for name, part in settings.parts.items():
            if k >= part.seeds:
                continue
            for ruler, rewards in ruler_rewards(seed.test).items():
                if ruler in RULERS:
                    rulers[name][ruler].add(_of_ruler(rewards), seed.test, ids)
            for rate in part.flip_rates:
                for title, method in part.methods.items():
                    outcome = found[name][rate][title]
                    cell = run_cell(settings, part, method, rate, seed, work)
                    outcome.add(cell, seed.test, ids)
                    print(
                        f"seed {seed.number}, {name}, {rate:.0%} flipped, {title}: "
                        f"accuracy {outcome.right[-1].mean():.3f}, "
                        f"log-loss {outcome.losses[-1].mean():.3f}, "
                        f"{cell['seconds']:.0f} s",
                        flush=True,
                    )
    pairs = len(parts[settings.source])
    return {"pairs": pairs, "small": small, "parts": found, "rulers": rulers}


def _of_ruler(rewards: np.ndarray) -> dict[str, Any]:
    """A ruler as a cell; it has no probabilities."""
    nothing = np.empty((0, 2))
    even = np.full(len(rewards), 0.5)
    return {"rewards": rewards, "probabilities": even, "change": nothing, "seconds": 0.0}


def verdict(found: Comparison, better_if: int = 1) -> str:
    """A paired difference, whether it is better or worse, and what would have been found."""
    gap = found.difference
    if gap.low is None or gap.high is None or found.minimum_detectable is None:
        return str(gap)
    sign = better_if * (1 if gap.low > 0 else -1 if gap.high < 0 else 0)
    mark = {1: " **better**", -1: " **worse**", 0: ""}[sign]
    return f"{gap}{mark}; detects {found.minimum_detectable:.3f}".replace("detects 0.", "detects .")


def comparisons(found: dict[str, Any]) -> dict[tuple[str, float, str], Comparison]:
    """Accuracy of every robust method against plain."""
    return {
        (name, rate, title): outcome.against(cells["plain"])
        for name, rates in found["parts"].items()
        for rate, cells in rates.items()
        for title, outcome in cells.items()
        if title != "plain"
    }


def markdown(found: dict[str, Any], settings: Settings) -> str:
    """The tables."""
    lines = _introduction(found, settings)
    for name in found["parts"]:
        lines += ["", *_table(name, found, settings.parts[name])]
    names = list(found["parts"])
    lines += ["", f"| plain against | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    for title, gap in _plain_rows(found).items():
        lines.append(f"| {title} | " + " | ".join(gap[name] for name in names) + " |")
    return "\n".join(lines + _corrected(found)) + "\n"


def _introduction(found: dict[str, Any], settings: Settings) -> list[str]:
    small = found["small"]
    loss = np.mean([one["held_out_loss"] for one in small])
    return [
        f"HH {settings.source}, {found['pairs']} pairs. Seed k holds out fold k of "
        f"{settings.folds} (no opening turn on two sides) and draws everything else anew. Small "
        f"model: a Llama of {small[0]['parameters'] / 1e6:.2f}M parameters, trained on the chosen "
        f"dialogues of training pairs ({' and '.join(settings.texts)}, {small[0]['texts']}); "
        f"{loss:.2f} nats a token on held-out ones (chance: {small[0]['chance_loss']:.2f}).",
        "",
        "Held-out pairs with their labels as given. Intervals cover seeds and pairs. Log-loss is "
        f"of probabilities whose temperature was fitted on {settings.calibration:.0%} of the "
        "training pairs (with their flips). *Detects*: the true difference that would be found "
        "with 80 % chance. *Chosen*: change of the preferred response's log-probability.",
    ]


def _table(name: str, found: dict[str, Any], part: Part) -> list[str]:
    policy = part.scorer["kind"] == "policy"
    titles = ["flipped", "objective", "accuracy", "minus plain", "log-loss", "minus plain"]
    titles += ["chosen, nats"] if policy else []
    lines = [
        f"**{name}**, {part.seeds} seed{'s' * (part.seeds > 1)}",
        "",
        f"| {' | '.join(titles)} |",
        "|---" * len(titles) + "|",
    ]
    for rate, cells in found["parts"][name].items():
        for title, outcome in cells.items():
            accuracy = loss = ""
            if title != "plain":
                accuracy = verdict(outcome.against(cells["plain"]))
                loss = verdict(outcome.against(cells["plain"], "losses"), -1)
            row = [f"{rate:.0%}", title, str(outcome.mean("right")), accuracy]
            row += [str(outcome.mean("losses")), loss]
            row += [f"{outcome.mean('chosen'):.1f}"] if policy else []
            lines.append(f"| {' | '.join(row)} |")
    for ruler, outcome in found["rulers"][name].items():
        row = ["", f"*ruler: {ruler} wins*", str(outcome.mean("right"))]
        lines.append(f"| {' | '.join(row + [''] * (len(titles) - 3))} |")
    return lines


def _corrected(found: dict[str, Any]) -> list[str]:
    """Which differences of accuracy to plain remain when all of them are counted."""
    tests = {key: c.p_value for key, c in comparisons(found).items() if c.p_value is not None}
    if not tests:
        return []
    adjusted = holm(list(tests.values()))
    kept = [key for key, p in zip(tests, adjusted, strict=True) if p < 0.05]
    told = [f"{title} ({name}, {rate:.0%} flipped)" for name, rate, title in kept]
    return [
        "",
        f"Of {len(tests)} differences of accuracy to plain, {len(kept)} "
        f"{'is' if len(kept) == 1 else 'are'} told apart from 0 after Holm's correction"
        + (f": {'; '.join(told)}." if told else "."),
    ]


def _plain_rows(found: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What plain training gains over the better ruler, and loses by flips, in each part."""
    rows: dict[str, dict[str, str]] = {}
    for name, comparison in of_plain(found).items():
        for title, one in comparison.items():
            rows.setdefault(title, dict.fromkeys(found["parts"], ""))[name] = verdict(one)
    return rows


def of_plain(found: dict[str, Any]) -> dict[str, dict[str, Comparison]]:
    """Plain of each part against the better ruler, and flipped against clean labels."""
    made: dict[str, dict[str, Comparison]] = {}
    for name, rates in found["parts"].items():
        made[name] = {}
        best = max(RULERS, key=lambda r: found["rulers"][name][r].mean("right").estimate)
        for rate, cells in rates.items():
            title = f"{best} wins ({rate:.0%} flipped)"
            made[name][title] = cells["plain"].against(found["rulers"][name][best])
        for rate in rates:
            if rate and 0.0 in rates:
                cost = rates[rate]["plain"].against(rates[0.0]["plain"])
                made[name][f"itself ({rate:.0%} flipped less clean)"] = cost
    return made


def figures(found: dict[str, Any]) -> dict[str, Any]:
    """Every figure, JSON-ready."""

    def one(outcome: Outcome, plain: Outcome | None = None) -> dict[str, Any]:
        content = {
            "accuracy": outcome.mean("right").to_dict(),
            "accuracy_by_seed": [float(v.mean()) for v in outcome.right],
            "log_loss": outcome.mean("losses").to_dict(),
        }
        if outcome.chosen:
            content["chosen_change"] = outcome.mean("chosen").to_dict()
        if plain is not None and plain is not outcome:
            content["accuracy_against_plain"] = outcome.against(plain).to_dict()
            content["log_loss_against_plain"] = outcome.against(plain, "losses").to_dict()
        return content

    return {
        "schema_version": 1,
        "pairs": found["pairs"],
        "small_model": found["small"],
        "parts": {
            name: {
                str(rate): {title: one(o, cells["plain"]) for title, o in cells.items()}
                for rate, cells in rates.items()
            }
            for name, rates in found["parts"].items()
        },
        "plain_against": {
            name: {title: c.to_dict() for title, c in made.items()}
            for name, made in of_plain(found).items()
        },
        "rulers": {
            name: {r: o.mean("right").to_dict() for r, o in rulers.items()}
            for name, rulers in found["rulers"].items()
        },
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--output", type=Path, default=Path("experiments/results"))
    parser.add_argument("--work", type=Path, default=None)
    arguments = parser.parse_args()
    disable_progress_bars()
    name = arguments.config.stem
    settings = Settings(**yaml.safe_load(arguments.config.read_text()))
    found = run(settings, Work(arguments.work or Path("experiments/runs") / name))
    arguments.output.mkdir(parents=True, exist_ok=True)
    content = {"settings": settings.model_dump(mode="json"), **figures(found)}
    (arguments.output / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    table = markdown(found, settings)
    (arguments.output / f"{name}.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
