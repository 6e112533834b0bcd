"""Any trained scorer as a reward function of TRL's trainers, and what the reference gets by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from surefoot.data.schema import Preferences
from surefoot.data.text import Message
from surefoot.errors import ConfigurationError, DataError
from surefoot.online.config import Model
from surefoot.online.prompts import PromptSet
from surefoot.scorers import EnsembleOptions, TrainedScorer, load_scorer
from surefoot.scorers.ensemble import load_ensemble
from surefoot.scorers.language.generation import ends_of, response_text
from surefoot.scorers.language.law import SamplingLaw
from surefoot.scorers.trained import rewards_of
from surefoot.training.drpo.on_policy import chunks_of, drawing, several


@dataclass
class Reward:
    """Rewards of what a policy wrote, in the form in which TRL asks for them."""

    model: TrainedScorer
    preferences: Preferences  #: where the prompts are; TRL passes their places in the column `row`
    name: str = "reward"  #: in TRL's logs

    def __post_init__(self) -> None:
        self.__name__ = self.name
        self._prompts = list(self.preferences.prompts())
        self._sources = self.preferences.strings("source")

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], row: Sequence[int], **_: Any
    ) -> list[float]:
        """A reward for each completion; `row` says to which prompt.

        Raises:
            DataError: a reward is not finite; the message names the prompt.
        """
        del prompts
        places, own = np.unique(row, return_inverse=True)
        texts: list[list[list[Message]]] = [[] for _ in places]
        for place, said in zip(own, completions, strict=True):
            texts[place].append([Message(role="assistant", content=said.strip())])
        found = [iter(rewards) for rewards in self.of(places.tolist(), texts)]
        return [float(next(found[place])) for place in own]

    def of(
        self, rows: Sequence[int], responses: Sequence[Sequence[list[Message]]]
    ) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
        """Rewards of several responses to each of some prompts."""
        prompts, sources = [self._prompts[i] for i in rows], [self._sources[i] for i in rows]
        return rewards_of(self.model, prompts, responses, sources, "responses")


def load_reward(model: Model) -> TrainedScorer:
    """A run folder, the file of an ensemble, or an ensemble that is written out.

    Raises:
        ConfigurationError: it judges pairs, and has no rewards.
    """
    if isinstance(model, EnsembleOptions):
        scorer: TrainedScorer = load_ensemble(model, load_scorer)
    else:
        scorer = load_scorer(model)
    if scorer.pairwise:
        raise ConfigurationError(
            f"{model} judges pairs: online training needs rewards of single responses. DRPO "
            "(objective: {kind: doubly-robust}) trains a policy on what such a model says."
        )
    return scorer


def reference_returns(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: PromptSet,
    rewards: Sequence[Reward],
    law: SamplingLaw,
    samples: int,
    batch: int,
    seed: int,
    process: tuple[int, int] = (0, 1),
) -> Tensor:
    """Mean reward (R, P) of what a policy writes to each of P prompts, by R reward models.

    It writes `samples` responses to each, `batch` at a time, in chunks with a seed each that are
    shared over processes (the number of this one, and how many there are); the generator of the run
    is left as it was.
    """
    ends = ends_of(model, tokenizer)
    chunks = chunks_of(len(prompts), max(1, batch // samples), process)
    scored: list[tuple[list[int], list[list[float]]]] = []
    for number, rows in tqdm(chunks, desc="reference", disable=None, leave=False):
        openings = [prompts.ids[row] for row in rows]
        with drawing((seed, number, 1), model.device):
            # As TRL lets the policy write: it may end at once, and no token is banned.
            written = several(model, tokenizer, openings, samples, law)
        texts = [[response_text(tokenizer, ids, ends) for ids in one] for one in written]
        said = [[[Message(role="assistant", content=t.strip())] for t in one] for one in texts]
        means = [[float(r.mean()) for r in one.of(list(rows), said)] for one in rewards]
        scored.append((list(rows), means))
    whole = gather_object(scored) if process[1] > 1 else scored
    returns = torch.zeros(len(rewards), len(prompts), dtype=torch.float64)
    for places, means in whole:
        returns[:, places] = torch.tensor(means, dtype=torch.float64)
    return returns


def data_returns(prompts: PromptSet, comparisons: Preferences, rewards: Sequence[Reward]) -> Tensor:
    """Mean reward (R, P) of the data's own responses to each of P prompts, by R reward models.

    Several of the `comparisons` may share a prompt.

    Raises:
        DataError: the data have prompts alone.
    """
    if prompts.alone:
        raise DataError(
            f"{prompts.preferences.name} has prompts alone: there are no responses for objective."
            "baseline: data. Take baseline: reference."
        )
    place = {key: i for i, key in enumerate(prompts.preferences.prompt_keys().tolist())}
    owners = np.array([place.get(key, -1) for key in comparisons.prompt_keys().tolist()])
    kept = comparisons.select(np.flatnonzero(owners >= 0))
    owners = owners[owners >= 0]
    returns = torch.zeros(len(rewards), len(prompts), dtype=torch.float64)
    for k, one in enumerate(rewards):
        scored = np.asarray(one.model.rewards(kept)).mean(1)
        if not np.isfinite(scored).all():
            row = kept.dataset[int((~np.isfinite(scored)).argmax())]
            raise DataError(f"a reward of {row['file']}, row {row['row']} is not finite.")
        sums = np.bincount(owners, scored, minlength=len(prompts))
        returns[k] = torch.from_numpy(sums / np.bincount(owners, minlength=len(prompts)))
    return returns
