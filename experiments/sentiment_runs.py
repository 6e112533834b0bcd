"""The settings of `sentiment.py`, its data, and one policy: trained, sampled, judged, kept."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from hh_language_runs import Work, flipped
from pydantic import Field
from sentiment_task import Scorer, SentenceOptions, Sentences, Truth, read_sentences
from sentiment_writing import Written, write
from small_model import SmallModel, make_small_model

from surefoot.auxiliary import Conditions, SampleConfig, sample
from surefoot.auxiliary.sampling import LanguageModelReference
from surefoot.data import Preferences, read_preferences
from surefoot.data.writing import write_preferences
from surefoot.errors import DataError
from surefoot.options import Options
from surefoot.scorers.language.generation import SamplingLaw
from surefoot.training import RunConfig, train

#: Of what a cell holds: part of its key.
_VERSION = 4
#: Where seeds of draws are counted from, so that no two draws share one.
_TEST, _PAIRS, _REFERENCES, _POLICY = 1, 1_000, 2_000, 1_000_000
#: Stands for the folder of the auxiliary model that was fitted on this seed's labels.
FITTED = "fitted"


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
        opponents: (P, K, 3) attributes of responses of the reference.
        others: (P, K, 3) of as many independent ones.
    """

    sentences: Sentences
    scorer: Scorer
    small: Path
    described: dict[str, Any]
    prompts: list[str]
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
            _quietly(train, config, overwrite=True)
        return self.auxiliary


def prepare(settings: Settings, work: Work) -> Task:
    """Read the sentences, fit the scorer, train the language model, draw its test responses."""
    sentences = read_sentences(settings.sentences)
    scorer = Scorer.fit(sentences)
    options = settings.small_model
    small = work.model([options.model_dump(), settings.sentences.model_dump()])
    described = make_small_model(sentences.supervised, sentences.held_out, options, 0, small)
    prompts = sentences.prompts[settings.tested_on]
    drawn = _write(settings, small, small, prompts, 2 * settings.samples, _TEST)
    found = attributes(scorer, prompts, drawn.texts)
    k = settings.samples
    return Task(sentences, scorer, small, described, prompts, found[:, :k], found[:, k:])


def prepare_seed(settings: Settings, task: Task, number: int, work: Work) -> Seed:
    """Draw prompts, pairs and references; kept."""
    folder = work.model(["seed", _VERSION, number, task.small.name, *_drawn_by(settings)])
    path = folder / "sampling.json"
    if not path.is_file():
        pool = task.sentences.prompts["train"]
        if len(pool) < settings.pairs:
            raise DataError(f"{len(pool)} prompts do not make {settings.pairs} pairs: lower pairs.")
        rng = np.random.default_rng([number, 1])
        prompts = [pool[i] for i in rng.permutation(len(pool))[: settings.pairs]]
        drawn = _write(settings, task.small, task.small, prompts, 2, _PAIRS + number)
        blank = work.scratch() / "pairs.jsonl"
        write_preferences(_pairs(prompts, drawn.texts), blank)
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
    folder = work.model(["labels", _VERSION, noisy.fingerprint, *judges])
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


def run_cell(
    settings: Settings, method: Method, task: Task, data: Labelled, number: int, work: Work
) -> Mapping[str, np.ndarray]:
    """Train one policy, as `surefoot train` does, let it write, and judge what it wrote; kept."""
    scorer = {"kind": "policy", **settings.scorer, **method.scorer}
    training = {**settings.training, **method.training, "seed": number}
    key = [_VERSION, scorer, training, method.objective, task.small.name, data.path.parent.name]
    path = work.cell([*key, settings.tested_on, len(task.prompts), settings.samples])
    if path.is_file():
        return np.load(path)
    started, cpu = time.monotonic(), time.process_time()
    objective = dict(method.objective)
    if objective.get("auxiliary") == FITTED:
        objective["auxiliary"] = str(data.fitted())
    scratch = work.scratch()
    config = RunConfig(
        data={"train": str(data.path)},
        scorer={**scorer, "model": str(task.small)},
        objective=objective,
        training=training,
        output=str(scratch / "run"),
    )
    run = _quietly(train, config)
    trained = time.process_time() - cpu
    own = _POLICY + int(path.stem[:6], 16)
    drawn = _write(settings, task.small, run.folder, task.prompts, settings.samples, own)
    coefficient = run.report.coefficient
    np.savez(
        scratch / "cell.npz",
        attributes=attributes(task.scorer, task.prompts, drawn.texts),
        log_ratios=drawn.log_ratios,
        words=np.vectorize(lambda text: len(text.split()))(drawn.texts),
        cut=drawn.cut,
        coefficient=np.nan if coefficient is None else coefficient.value,
        training_seconds=trained,
        seconds=time.monotonic() - started,
        texts=drawn.texts,
    )
    (scratch / "cell.npz").replace(path)
    return np.load(path)


def attributes(scorer: Scorer, prompts: Sequence[str], texts: np.ndarray) -> np.ndarray:
    """Attributes (P, K, 3) of K responses to each of P prompts."""
    repeated = [prompt for prompt in prompts for _ in range(texts.shape[1])]
    return scorer(repeated, texts.ravel().tolist()).reshape(*texts.shape, 3)


def _write(
    settings: Settings, small: Path, place: Path, prompts: Sequence[str], count: int, seed: int
) -> Written:
    """What the model in a folder writes."""
    return write(str(place), str(small), prompts, count, settings.law, settings.batch, seed)


def _pairs(prompts: Sequence[str], texts: np.ndarray) -> Preferences:
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
    _quietly(sample, config, Conditions(), overwrite=True)


def _quietly(function: Any, *arguments: Any, **options: Any) -> Any:
    """Without warnings: of cuts and joined tokens, the same in every cell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))
