"""The settings of the experiment, its data, and one model of it: trained, scored, kept."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.hh import flipped, load_sources
from experiments.common.small_model import SmallModel, make_small_model
from experiments.common.work import Work, key_of
from surefoot.data import Preferences, read_preferences
from surefoot.data.rendering.messages import SPEAKERS
from surefoot.data.splits import folds
from surefoot.data.writing import write_preferences
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.training import RunConfig, train

#: Of what a cell holds: part of its key.
_VERSION = 2
#: Plain's margins, whose temperature alone knows the flip rate.
CALIBRATED = "plain, calibrated for the flips"


class Method(Options):
    """One row of a table: what differs from the part's own options."""

    objective: dict[str, Any] = Field({})
    scorer: dict[str, Any] = Field({})
    training: dict[str, Any] = Field({})

    @property
    def known_flip_rate(self) -> float:
        """The flip rate that the objective is given."""
        return Objective(**self.objective).labels.known_flip_rate


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

    @property
    def known_flip_rate(self) -> float:
        """The flip rate that any of its objectives is given."""
        return max(method.known_flip_rate for method in self.methods.values())

    @property
    def rows(self) -> tuple[str, ...]:
        """The methods, with plain's calibrated twin behind it where others know the flips."""
        plain, *others = self.methods
        return (plain, CALIBRATED, *others) if self.known_flip_rate else (plain, *others)


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


def load(settings: Settings) -> dict[str, Preferences]:
    """The sources of an experiment."""
    return load_sources({settings.source, *settings.texts}, settings.limit)


def chosen_dialogues(preferences: Preferences) -> list[str]:
    """The preferred dialogue of each pair, as HH writes it."""
    texts = []
    for prompt, a, b, label in preferences.read("prompt", "response_a", "response_b", "label"):
        turns = [*prompt, *(a if label > 0.5 else b)]
        texts.append("".join(f"\n\n{SPEAKERS[t['role']]}: {t['content']}" for t in turns))
    return texts


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
    folder = work.model([options.model_dump(), number, key_of(texts)])
    described = make_small_model(texts, chosen_dialogues(test), options, number, folder)
    return Seed(number, train, test, folder, described)


def run_cell(
    settings: Settings, part: Part, method: Method, rate: float, seed: Seed, work: Work
) -> Mapping[str, np.ndarray]:
    """Train one model, as `surefoot train` does, and score the held-out pairs."""
    scorer = {**part.scorer, **method.scorer}
    training = {**part.training, **method.training, "seed": seed.number}
    key = [_VERSION, scorer, training, method.objective, settings.calibration, rate]
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
        kept = read_preferences(scratch / "run" / "held-out.jsonl")
        margins = model.raw_scores(kept) @ [1.0, -1.0]
    np.savez(
        scratch / "cell.npz",
        rewards=raw,
        change=raw / config.scorer.beta if config.scorer.kind == "policy" else np.empty((0, 2)),
        calibration_margins=margins,
        calibration_labels=kept.labels,
        seconds=time.monotonic() - started,
    )
    (scratch / "cell.npz").replace(path)
    return np.load(path)
