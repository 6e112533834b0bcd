"""Clusters of prompts: k-means on their embeddings, kept with the run that uses them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.cluster import vq

from surefoot.arrays import Floats, Ints
from surefoot.data.schema import Preferences
from surefoot.data.text import last_turn, start_of
from surefoot.errors import ConfigurationError, DataError
from surefoot.objectives import Risk
from surefoot.runs.atomic import appearing
from surefoot.scorers.embeddings.encoder import Encoder, load_encoder
from surefoot.scorers.embeddings.options import EncoderOptions
from surefoot.scorers.storage import explained

FILE = "clusters.safetensors"
#: Starts of k-means, iterations of each at most, and after how many it is asked whether it moves.
_STARTS, _ITERATIONS, _AT_ONCE = 10, 100, 5


@dataclass(frozen=True)
class PromptClusters:
    """C clusters of prompts. A prompt belongs to the nearest centroid, whenever it is asked."""

    centroids: Floats  #: (C, D) of the embeddings of the prompts' last turns
    names: tuple[str, ...]  #: of the clusters: a number, and the prompt nearest to the centroid
    encoder_key: str  #: hash of the encoder that the embeddings are of
    encoder_options: EncoderOptions  #: with which that is loaded

    @classmethod
    def fit(cls, preferences: Preferences, encoder: Encoder, count: int, seed: int = 0) -> Self:
        """Clusters of the distinct prompts, whatever the order of the rows.

        There are `count`, or fewer where some stay empty; `seed` draws the starts.

        Raises:
            DataError: fewer distinct prompts than clusters.
        """
        texts = sorted(set(_prompts(preferences)))  # the starts are drawn by place
        if len(texts) < count:
            raise DataError(
                f"{preferences.name}: {count} clusters of {len(texts)} distinct prompts. Ask for "
                "fewer (risk.clusters, --clusters)."
            )
        x = _embedded(texts, encoder)
        best = k_means(x, count, seed)
        nearest = vq.vq(best, x)[0].tolist()
        width = len(str(len(best) - 1))
        names = (f"{k:0{width}d}: {start_of(texts[i], 40)}" for k, i in enumerate(nearest))
        return cls(best, tuple(names), encoder.key, encoder.options)

    @classmethod
    def for_risk(
        cls,
        risk: Risk,
        preferences: Preferences,
        options: EncoderOptions,
        seed: int,
        folder: Path | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> Self | None:
        """The clusters that a risk is over; None where it is over none, or the data name them.

        A `folder` is that of a run that is resumed, whose clusters are taken if it has them
        already. Where the data name them, `say` is called with a line.

        Raises:
            DataError: fewer distinct prompts than clusters.
            ConfigurationError: the clusters in the folder are damaged.
        """
        if risk.unit != "cluster":
            return None
        if preferences.has("cluster"):
            say(
                f"{preferences.name} has the column 'cluster', which is taken as it is: "
                f"risk.clusters ({risk.clusters}) has no part in it."
            )
            return None
        if folder is not None and cls.has(folder):
            return cls.load(folder)
        return cls.fit(preferences, load_encoder(options), risk.clusters, seed)

    def of(self, preferences: Preferences, encoder: Encoder | None = None) -> Ints:
        """The cluster (N,) of each row's prompt; raises what :meth:`of_texts` does."""
        return self.of_texts(_prompts(preferences), encoder)

    def of_texts(self, texts: list[str], encoder: Encoder | None = None) -> Ints:
        """Clusters (N,) of last turns as they are; without an encoder, theirs is loaded.

        Raises:
            ConfigurationError: another encoder than the clusters are of.
        """
        encoder = encoder or load_encoder(self.encoder_options)
        if encoder.key != self.encoder_key:
            raise ConfigurationError(
                f"the clusters of prompts are of another encoder than {encoder.options.name!r}, or "
                "of it in another precision (auto is bfloat16 where the processor has it)."
            )
        return vq.vq(_embedded(texts, encoder), self.centroids)[0].astype(np.int64)

    def names_of(self, preferences: Preferences, encoder: Encoder | None = None) -> list[str]:
        """The name of the cluster of each row's prompt."""
        return [self.names[k] for k in self.of(preferences, encoder)]

    def beside(self, preferences: Preferences, encoder: Encoder | None = None) -> Preferences:
        """The comparisons with the column `cluster`: the name of each prompt's cluster."""
        return preferences.with_columns(cluster=self.names_of(preferences, encoder))

    def save(self, folder: str | Path) -> None:
        """Write `clusters.safetensors` into a folder."""
        metadata = {
            "names": json.dumps(self.names),
            "encoder_key": self.encoder_key,
            "encoder": self.encoder_options.model_dump_json(),
        }
        with appearing(Path(folder) / FILE) as part:
            save_file({"centroids": np.ascontiguousarray(self.centroids)}, part, metadata)

    @classmethod
    def has(cls, folder: str | Path) -> bool:
        """Whether the folder of a run holds clusters."""
        return (Path(folder) / FILE).is_file()

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read them from the folder of a run.

        Raises:
            ConfigurationError: there are none.
        """
        path = Path(folder) / FILE
        if not path.is_file():
            raise ConfigurationError(f"{folder} holds no clusters of prompts ({FILE}).")
        with explained(path):
            with safe_open(path, "np") as file:
                metadata = file.metadata() or {}
                centroids = file.get_tensor("centroids")
            if "encoder" not in metadata:
                raise ConfigurationError(
                    f"{path} was written by an earlier surefoot and does not name its encoder: "
                    "train anew."
                )
            options = EncoderOptions(**json.loads(metadata["encoder"]))
            names = tuple(json.loads(metadata["names"]))
            return cls(centroids, names, metadata["encoder_key"], options)


def k_means(x: Floats, count: int, seed: int, starts: int = _STARTS) -> Floats:
    """Centroids (C, D) of rows x (n, D): the best of some starts at rows drawn at random.

    Clusters that end empty are left out, so that C may be below `count`.
    """
    rng = np.random.default_rng(seed)
    best, lowest = x[:0], np.inf
    for _ in range(starts):
        with warnings.catch_warnings():  # of clusters that stay empty
            warnings.simplefilter("ignore", UserWarning)
            means = x[rng.choice(len(x), count, replace=False)]
            for _ in range(_ITERATIONS // _AT_ONCE):
                before, (means, _) = means, vq.kmeans2(x, means, iter=_AT_ONCE, minit="matrix")
                if np.array_equal(means, before):
                    break
        own, distances = vq.vq(x, means)
        if (spread := float((distances**2).sum())) < lowest:
            best, lowest = means[np.unique(own)], spread
    return best


def clusters_of_texts(
    texts: list[str], encoder: Encoder, count: int, seed: int, starts: int = _STARTS
) -> tuple[Ints, int]:
    """The cluster (N,) of each text among clusters of all of them, and how many there are.

    Their order, and which is given twice, do not matter: swapping texts swaps their clusters.
    """
    centroids = k_means(_embedded(sorted(set(texts)), encoder), count, seed, starts)
    return vq.vq(_embedded(texts, encoder), centroids)[0].astype(np.int64), len(centroids)


def _prompts(preferences: Preferences) -> list[str]:
    return [last_turn(prompt) for (prompt,) in preferences.read("prompt")]


def _embedded(texts: list[str], encoder: Encoder) -> Floats:
    return encoder.embed(texts, keep="right").astype(np.float64)
