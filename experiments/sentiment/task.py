"""The task: sentences of film reviews, and preferences whose law is known.

`movie_sentiment` (Pang and Lee 2004, 2005), found through `SUREFOOT_SUITES`. A prompt is the first
words of a clause of a labelled sentence; a response is what a policy makes of the rest.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from surefoot.data.rendering.messages import GAP
from surefoot.errors import DataError
from surefoot.evaluation.suite import FOLDER_VARIABLE
from surefoot.options import Options
from surefoot.scorers.embeddings.encoder import EncoderOptions, load_encoder
from surefoot.worlds.tabular import sigmoid

FOLDER = "movie_sentiment"


class SentenceOptions(Options):
    """Which sentences and prompts."""

    shortest: int = Field(6, ge=2)
    """Words of a clause, at least. Clauses are what punctuation leaves of a sentence."""
    longest: int = Field(12, ge=3)
    """At most: a short clause is one that a small model can finish."""
    prompt_words: int = Field(3, ge=1)
    """First words of a clause that make a prompt."""
    test_prompts: int = Field(300, ge=10)
    """Prompts held out for testing; as many others are held out for the pilot."""
    limit: int | None = None
    """Labelled sentences and reviews that are read, of each label; null for all."""


@dataclass(frozen=True)
class Sentences:
    """What the experiment is made of.

    Attributes:
        texts: labelled sentences.
        positive: (N,) whether each is.
        supervised: clauses for the language model, each as its prompt, a gap and the rest; none
            of them begins with a held-out prompt.
        held_out: the same form, beginning with a held-out prompt.
        prompts: by `train`, `test` and `pilot`; no two share one.
    """

    texts: list[str]
    positive: np.ndarray
    supervised: list[str]
    held_out: list[str]
    prompts: dict[str, list[str]]


def read_sentences(options: SentenceOptions) -> Sentences:
    """Read the sentences and split the prompts, the same way for every seed.

    Raises:
        DataError: the environment variable that names the folder is not set, or files are absent.
    """
    labelled = _records("sentence_polarity", options.limit)
    reviews = _records("movie_reviews", options.limit)
    texts = [one["text"].strip() for one in labelled]
    clauses = [_clauses(texts, options), _clauses([one["text"] for one in reviews], options)]
    openings = sorted({prompt for prompt, _ in clauses[0]})
    order = np.random.default_rng(0).permutation(len(openings))
    names = [openings[i] for i in order]
    n = options.test_prompts
    if len(names) < 3 * n:
        raise DataError(
            f"{len(names)} prompts do not make {n} for testing, {n} for the pilot and as many for "
            "training: lower test_prompts."
        )
    prompts = {"test": names[:n], "pilot": names[n : 2 * n], "train": names[2 * n :]}
    unseen = {*prompts["test"], *prompts["pilot"]}
    sides: tuple[list[str], list[str]] = ([], [])
    for prompt, rest in dict.fromkeys([*clauses[0], *clauses[1]]):
        sides[prompt in unseen].append(prompt + GAP + rest)
    positive = np.array([one["label"] == "pos" for one in labelled])
    return Sentences(texts, positive, *sides, prompts)


#: Whatever stands alone and is no word: the authors put spaces around punctuation.
_PUNCTUATION = re.compile(r"(?<!\S)[^\w\s]+(?!\S)|\n")


def _clauses(texts: Sequence[str], options: SentenceOptions) -> list[tuple[str, str]]:
    """The clauses of texts that are neither short nor long: their first words and the others."""
    found = []
    for text in texts:
        for clause in _PUNCTUATION.split(text):
            words = clause.split()
            if options.shortest <= len(words) <= options.longest:
                k = options.prompt_words
                found.append((" ".join(words[:k]), " ".join(words[k:])))
    return found


def _records(name: str, limit: int | None) -> list[dict[str, Any]]:
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        raise DataError(f"set {FOLDER_VARIABLE} to the folder that holds {FOLDER}/.")
    path = Path(folder) / FOLDER / f"{name}.jsonl.gz"
    if not path.is_file():
        raise DataError(f"no file {path}: {FOLDER_VARIABLE} names a folder that holds {FOLDER}/.")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    if limit is None:
        return records
    return [
        one
        for label in ("neg", "pos")
        for one in [r for r in records if r["label"] == label][:limit]
    ]


class Truth(Options):
    """P(first preferred) of two responses to one prompt, by their attributes (s, t, u).

    Two kinds of annotators, half of them each, agree on the sentiment s and want the opposite of
    the topic t; both have a cyclic part, in which the topics t and u of the two are crossed:

        g = 1/2 sigma(z + b (t1 - t2)) + 1/2 sigma(z - b (t1 - t2)),
        z = a (s1 - s2) + c (t1 u2 - t2 u1).

    With b = c = 0 that is Bradley-Terry with the reward a s. With c > 0 no reward says it.
    """

    sentiment: float = Field(2.0, ge=0)
    """a, by which both kinds want sentiment."""
    taste: float = Field(0.0, ge=0)
    """b, by which one kind wants the topic t and the other does not."""
    cycles: float = Field(0.0, ge=0)
    """c, of the cyclic part."""

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Probabilities (...) from attributes (..., 3) of both responses."""
        s1, t1, u1 = np.moveaxis(first, -1, 0)
        s2, t2, u2 = np.moveaxis(second, -1, 0)
        common = self.sentiment * (s1 - s2) + self.cycles * (t1 * u2 - t2 * u1)
        apart = self.taste * (t1 - t2)
        return (sigmoid(common + apart) + sigmoid(common - apart)) / 2

    def cycles_among(self, responses: np.ndarray) -> float:
        """Share of triples of responses (P, K, 3) to one prompt that beat each other in turn."""
        chances = self(responses[:, :, None], responses[:, None])
        beats = (chances > 0.5).astype(float)
        around = np.einsum("pij,pjk,pki->", beats, beats, beats) / 3  # each has three beginnings
        prompts, k, _ = responses.shape
        return float(around / (prompts * k * (k - 1) * (k - 2) / 6))


@dataclass(frozen=True)
class Scorer:
    """From prompt and response to the attributes (s, t, u).

    s is the log-odds of a positive sentence: the mean of two logistic regressions on all labels,
    on the words of prompt and response and on what the default encoder makes of them. The topics t
    and u are the first two principal axes of what it makes of the ends of clauses; of a response
    alone. An auxiliary model on that encoder can learn all but the words.

    Attributes:
        words: from texts to the words that they hold.
        sentiment: the two regressions.
        topics: (D, 2) axes.
        shift: (3,) so that each has mean 0 over the held-out clauses,
        scale: (3,) and deviation 1.
        accuracy: of s on sentences that it has not seen, by five folds.
    """

    words: Any
    sentiment: tuple[Any, Any]
    topics: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    accuracy: float

    @classmethod
    def fit(cls, sentences: Sentences) -> Scorer:
        """On all labels."""
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_predict

        words = CountVectorizer(binary=True, min_df=2, token_pattern=r"[a-z'-]+")
        seen = (words.fit_transform(sentences.texts), _embedded(sentences.texts))
        models = tuple(LogisticRegression(C=c, max_iter=1000) for c in _RIDGES)
        unseen, labels = np.zeros(len(sentences.texts)), sentences.positive
        for model, features in zip(models, seen, strict=True):
            unseen += cross_val_predict(model, features, labels, method="decision_function")
            model.fit(features, labels)
        clauses = [text.split(GAP) for text in sentences.held_out]
        ends = _embedded([rest for _, rest in clauses])
        topics = np.linalg.svd(ends - ends.mean(0), full_matrices=False)[2][:2].T
        accuracy = float(((unseen > 0) == labels).mean())
        raw = cls(words, models, topics, np.zeros(3), np.ones(3), accuracy)
        values = raw(*zip(*clauses, strict=True))
        return replace(raw, shift=values.mean(0), scale=values.std(0))

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """Attributes (N, 3) of N responses."""
        whole = [" ".join(both) for both in zip(prompts, responses, strict=True)]
        seen = (self.words.transform(whole), _embedded(whole))
        log_odds = [m.decision_function(f) for m, f in zip(self.sentiment, seen, strict=True)]
        topics = _embedded(responses) @ self.topics
        values = np.column_stack([np.mean(log_odds, axis=0), topics])
        return (values - self.shift) / self.scale


#: Of the logistic regressions on words and on embeddings: the best of a few, a plateau.
_RIDGES = (0.5, 5.0)


def _embedded(texts: Sequence[str]) -> np.ndarray:
    return load_encoder(EncoderOptions()).embed(list(texts)).astype(np.float64)
