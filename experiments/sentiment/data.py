"""The settings, and its data: prompts, pairs, references, labels; kept."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from experiments.common.hh import flipped
from experiments.common.small_model import SmallModel, make_small_model
from experiments.common.work import Work
from experiments.sentiment.task import Scorer, SentenceOptions, Sentences, Truth, read_sentences
from experiments.sentiment.writing import Written, write
from surefoot.data import Preferences, read_preferences
from surefoot.data.writing import write_preferences
from surefoot.errors import DataError
from surefoot.nuisance import Conditions, SampleConfig, sample
from surefoot.nuisance.reference import LanguageModelReference
from surefoot.options import Options
from surefoot.scorers.language.law import SamplingLaw
from surefoot.training import RunConfig, train

#: Of what is kept: part of its key.
VERSION = 4
#: Where seeds of draws are counted from, so that no two draws share one.
_TEST, _PAIRS, _REFERENCES = 1, 1_000, 2_000


class Method(Options):
    """One row of a table: what differs from the options of all."""

    objective: dict[str, Any] = Field({})
    scorer: dict[str, Any] = Field({})
    training: dict[str, Any] = Field({})


class Settings(Options):
    """The experiment."""

    sentences: SentenceOptions = SentenceOptions()
    small_model: SmallModel = SmallModel()
    tested_on: Literal["test", "pilot"] = "test"
    """Which of the held-out prompts."""
    seeds: int = Field(3, ge=1)
    """Each draws its own prompts, pairs, labels, flips and references; all start from one model."""
    first_seed: int = 0
    pairs: int = Field(1500, ge=10)
    """Comparisons, each of a prompt of its own."""
    flip_rate: float = Field(0.2, ge=0, lt=0.5)
    references: int = Field(4, ge=1)
    """M: pairs of references to each prompt."""
    samples: int = Field(4, ge=2, multiple_of=2)
    """Responses of each policy to each test prompt."""
    law: SamplingLaw = SamplingLaw(max_new_tokens=24)
    batch: int = Field(256, ge=1)
    """Responses written at a time."""
    worlds: dict[str, Truth]
    scorer: dict[str, Any] = Field({})
    """Options of every policy's scorer."""
    training: dict[str, Any] = Field({})
    auxiliary: dict[str, Any] = Field({"kind": "fitted"})
    """As `surefoot sample` takes it."""
    auxiliary_run: dict[str, Any] = Field({"kind": "embedding", "head": "general-preference"})
    """The scorer of the auxiliary model that judges what a policy writes in training."""
    methods: dict[str, Method]


@dataclass(frozen=True)
class Task:
    """What all seeds share.

    Attributes:
        sentences, scorer: of the task.
        small: folder of the language model that every policy starts from, the reference.
        described: how its training went.
        prompts: P prompts for testing.
        texts: (P, K) responses of the reference, the opponents of all.
        opponents: (P, K, 3) their attributes.
        others: (P, K, 3) of as many independent ones.
    """

    sentences: Sentences
    scorer: Scorer
    small: Path
    described: dict[str, Any]
    prompts: list[str]
    texts: np.ndarray
    opponents: np.ndarray
    others: np.ndarray


@dataclass(frozen=True)
class Seed:
    """What one seed draws.

    Attributes:
        number: of the seed.
        pairs: comparisons with references, without labels.
        attributes: (N, 2, 3) of their responses.
        check: whether the reference check tells pairs from references.
    """

    number: int
    pairs: Preferences
    attributes: np.ndarray
    check: dict[str, Any]


@dataclass(frozen=True)
class Labelled:
    """The comparisons of one seed in one world.

    Attributes:
        path: of the file, with flipped labels and auxiliary probabilities.
        described: figures on labels and auxiliary model.
        auxiliary: folder of the auxiliary model's run, which is fitted when a method first asks.
        options: of its scorer.
    """

    path: Path
    described: dict[str, Any]
    auxiliary: Path
    options: dict[str, Any]

    def fitted(self) -> Path:
        """The folder of the auxiliary model's run, on all pairs and their labels as given."""
        if not (self.auxiliary / "config.yaml").is_file():
            data = {"train": str(self.path)}
            config = RunConfig(data=data, scorer=self.options, output=str(self.auxiliary))
            quietly(train, config, overwrite=True)
        return self.auxiliary


def prepare(settings: Settings, work: Work) -> Task:
    """Read the sentences, fit the scorer, train the language model, draw its test responses."""
    sentences = read_sentences(settings.sentences)
    scorer = Scorer.fit(sentences)
    options = settings.small_model
    small = work.model([options.model_dump(), settings.sentences.model_dump()])
    described = make_small_model(sentences.supervised, sentences.held_out, options, 0, small)
    prompts = sentences.prompts[settings.tested_on]
    drawn = written(settings, small, small, prompts, 2 * settings.samples, _TEST)
    found = attributes(scorer, prompts, drawn.texts)
    k = settings.samples
    return Task(
        sentences, scorer, small, described, prompts, drawn.texts[:, :k], found[:, :k], found[:, k:]
    )


def prepare_seed(settings: Settings, task: Task, number: int, work: Work) -> Seed:
    """Draw prompts, pairs and references; kept."""
    folder = work.model(["seed", VERSION, number, task.small.name, *_drawn_by(settings)])
    path = folder / "sampling.json"
    if not path.is_file():
        pool = task.sentences.prompts["train"]
        if len(pool) < settings.pairs:
            raise DataError(f"{len(pool)} prompts do not make {settings.pairs} pairs: lower pairs.")
        rng = np.random.default_rng([number, 1])
        prompts = [pool[i] for i in rng.permutation(len(pool))[: settings.pairs]]
        drawn = written(settings, task.small, task.small, prompts, 2, _PAIRS + number)
        blank = work.scratch() / "pairs.jsonl"
        write_preferences(pairs_of(prompts, drawn.texts), blank)
        reference = LanguageModelReference(
            model=str(task.small), pairs=settings.references, law=settings.law, batch=settings.batch
        )
        _sample(blank, folder, _REFERENCES + number, reference=reference)
    pairs = read_preferences(folder / "pairs.jsonl.gz")
    texts = np.stack(pairs.texts("response"), axis=1)
    found = attributes(task.scorer, pairs.texts("prompt")[0], texts)
    return Seed(number, pairs, found, json.loads(path.read_text())["figures"]["reference_check"])


def _drawn_by(settings: Settings) -> list[Any]:
    return [settings.pairs, settings.references, settings.law.model_dump(), settings.batch]


def label(settings: Settings, truth: Truth, seed: Seed, work: Work) -> Labelled:
    """Labels by the world's law, once; flips; what the auxiliary model says of all; kept."""
    chance = truth(seed.attributes[:, 0], seed.attributes[:, 1])
    rng = np.random.default_rng([seed.number, 2])
    clean = (rng.random(len(chance)) < chance).astype(float)
    noisy = flipped(seed.pairs.with_labels(clean), settings.flip_rate, seed.number)
    judges = [settings.auxiliary, settings.auxiliary_run]
    folder = work.model(["labels", VERSION, noisy.fingerprint, *judges])
    if not (folder / "sampling.json").is_file():
        blank = work.scratch() / "pairs.jsonl"
        write_preferences(noisy, blank)
        _sample(blank, folder, seed.number, reference="column", auxiliary=settings.auxiliary)
    judged = read_preferences(folder / "pairs.jsonl.gz")
    shown = settings.flip_rate + (1 - 2 * settings.flip_rate) * chance
    described = {
        "best_possible_agreement": float(np.maximum(chance, 1 - chance).mean()),
        "agreement_with_sentiment": float(
            ((seed.attributes[:, 0, 0] > seed.attributes[:, 1, 0]) == (clean > 0.5)).mean()
        ),
        "flipped": float((noisy.labels != clean).mean()),
        "auxiliary_error": _root_mean_square(judged.numbers("auxiliary") - shown),
        "error_of_one_half": _root_mean_square(0.5 - shown),
    }
    run = folder / "auxiliary-run"
    return Labelled(folder / "pairs.jsonl.gz", described, run, settings.auxiliary_run)


def attributes(scorer: Scorer, prompts: Sequence[str], texts: np.ndarray) -> np.ndarray:
    """Attributes (P, K, 3) of K responses to each of P prompts."""
    repeated = [prompt for prompt in prompts for _ in range(texts.shape[1])]
    return scorer(repeated, texts.ravel().tolist()).reshape(*texts.shape, 3)


def written(
    settings: Settings, small: Path, place: Path, prompts: Sequence[str], count: int, seed: int
) -> Written:
    """What the model in a folder writes."""
    return write(str(place), str(small), prompts, count, settings.law, settings.batch, seed)


def pairs_of(prompts: Sequence[str], texts: np.ndarray) -> Preferences:
    """Unlabelled pairs: the 2 m-th and the next response to each prompt."""
    return Preferences.from_rows(
        {"prompt": prompt, "response_a": a, "response_b": b, "label": 0.5}
        for prompt, row in zip(prompts, texts.tolist(), strict=True)
        for a, b in zip(row[::2], row[1::2], strict=True)
    )


def _sample(path: Path, folder: Path, seed: int, **options: Any) -> None:
    """As `surefoot sample` does."""
    data = {"train": str(path), "damaged": "keep"}
    check = "auxiliary" not in options
    config = SampleConfig(data=data, check=check, seed=seed, output=str(folder), **options)
    quietly(sample, config, Conditions(), overwrite=True)


def quietly(function: Any, *arguments: Any, **options: Any) -> Any:
    """Without warnings: of cuts and joined tokens, the same in every cell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))
