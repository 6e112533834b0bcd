"""Responses that a policy writes while it is trained, and what an auxiliary model says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate.utils.memory import should_reduce_batch_size
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from surefoot.arrays import Ints
from surefoot.data.references import against
from surefoot.data.rendering.tokens import TokenReader, last_tokens
from surefoot.data.schema import Preferences
from surefoot.data.text import Message
from surefoot.errors import ConfigurationError, SurefootError
from surefoot.scorers import TrainedScorer
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.generation import continuations, ends_of, response_text
from surefoot.scorers.language.law import SamplingLaw


@dataclass(frozen=True)
class StepResponses:
    """Responses that one process drew in a step, K to each of n prompts."""

    places: Ints  #: (n,) positions in the step
    openings: list[list[int]]  #: token ids before the responses of each prompt
    responses: list[list[list[int]]]  #: token ids, prompt by prompt, K for each
    texts: list[list[str]]  #: the same, decoded
    finished: Tensor  #: (n,) share of the responses that ended by themselves


class Writer:
    """Draws from a policy as it is at that moment: by the law whose log-probabilities are taken.

    A response may be empty, as what the policy writes by itself may be. If samples never were, a
    policy that collapses to empty answers would be judged by answers that it hardly ever gives, and
    its KL, of log-probabilities that count the empty ones, would not show it.

    Prompts are drawn in chunks with a seed each, and a process draws some of the chunks: what is
    written depends on neither the number of processes nor on what was drawn before.
    """

    def __init__(
        self,
        preferences: Preferences,
        tokenizer: PreTrainedTokenizerBase,
        count: int,
        new_tokens: int,
        batch: int,
        room: int,
    ) -> None:
        """Tokenise all prompts, which get `count` (K) responses each, `batch` written at a time.

        A response has `new_tokens` at most, and together with its prompt what there is `room` for.

        Raises:
            ConfigurationError: samples so long that there is no room for a prompt.
        """
        self.tokenizer, self.count = tokenizer, count
        self.law = SamplingLaw(min_new_tokens=0, max_new_tokens=new_tokens)
        self.chunk = max(1, batch // count)
        left = room - new_tokens
        if left < 1:
            raise ConfigurationError(
                f"objective.max_new_tokens ({new_tokens}) leaves no room for a prompt in "
                f"{room} tokens: lower it, or raise scorer.max_length as far as the model goes."
            )
        reader = TokenReader(tokenizer)
        whole = list(map(reader.opening, preferences.prompts()))
        self.cut = sum(len(ids) > left for ids in whole)
        self.openings = [  # as arrays: lists take much memory
            np.array(last_tokens(ids, left, reader.specials.ids), dtype=np.int32) for ids in whole
        ]

    def notes(self, step: int, engine: Engine) -> list[str]:
        """Sentences for the user; `step`: prompts in a step."""
        sentences = []
        if self.cut:
            sentences.append(
                f"the samples of {self.cut} of {len(self.openings)} prompts are written without "
                f"the prompt's start, for {self.law.max_new_tokens} new tokens to fit."
            )
        chunks, k = -(-step // self.chunk), self.count
        if chunks >= min(engine.ranks, step):
            return sentences
        return [
            *sentences,
            f"{engine.ranks - chunks} of {engine.ranks} processes have nothing to do: the samples "
            f"of a step are written in {chunks} batches, each by one process. Lower "
            f"objective.batch to {k * max(1, step // engine.ranks)}.",
        ]

    def draw(self, model: Any, rows: Ints, seed: Sequence[int], engine: Engine) -> StepResponses:
        """Write K responses to the prompts of some rows (N,), those that fall to this process.

        `seed` are numbers that no other step has.
        """
        ends = ends_of(model, self.tokenizer)
        places: list[int] = []
        written: list[list[list[int]]] = []
        process = (engine.rank, engine.ranks)
        for number, chunk in chunks_of(len(rows), self.chunk, process):
            openings = [self.openings[rows[i]].tolist() for i in chunk]
            with drawing((*seed, number), engine.device), engine.autocast():
                written += self._write(model, openings)
            places += chunk
        return StepResponses(
            np.array(places, dtype=np.int64),
            [self.openings[rows[i]].tolist() for i in places],
            written,
            [[response_text(self.tokenizer, ids, ends) for ids in one] for one in written],
            torch.tensor(
                [np.mean([bool(ids) and ids[-1] in ends for ids in one]) for one in written],
                dtype=torch.float64,
            ),
        )

    def _write(self, model: Any, openings: list[list[int]]) -> list[list[list[int]]]:
        try:
            return several(model, self.tokenizer, openings, self.count, self.law)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            raise SurefootError(
                f"out of memory with {self.count * len(openings)} responses written at a time: "
                "lower objective.batch (which draws other responses)."
            ) from error


def chunks_of(count: int, size: int, process: tuple[int, int]) -> list[tuple[int, range]]:
    """Numbers and rows of the chunks that fall to a process: its rank, among so many."""
    rank, ranks = process
    starts = list(enumerate(range(0, count, size)))
    return [(n, range(i, min(i + size, count))) for n, i in starts[rank::ranks]]


@contextmanager
def drawing(seed: Sequence[int], device: torch.device) -> Iterator[None]:
    """Draw by numbers that are nobody else's; the generators are left as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
        yield


def several(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    openings: Sequence[Sequence[int]],
    count: int,
    law: SamplingLaw,
) -> list[list[list[int]]]:
    """Responses to each opening, `count` of them, all written at a time, as the model draws."""
    every = [one for one in openings for _ in range(count)]
    flat = continuations(model, tokenizer, every, law, special=True)
    return [flat[i : i + count] for i in range(0, len(flat), count)]


def judged(
    auxiliary: TrainedScorer, records: Preferences, texts: Sequence[Sequence[str]]
) -> Tensor:
    """g(X, Y*_k, Ya): P(sample preferred to each response of its record), shape (n, K, 2).

    Of n records, with the texts of K samples to each prompt.

    Raises:
        SurefootError: a probability is not finite.
    """
    if not len(records):  # an idle process
        return torch.zeros(0, 1, 2, dtype=torch.float64)
    responses = [[[Message(role="assistant", content=text)] for text in one] for one in texts]
    pairs, _ = against(records, responses)
    found = torch.from_numpy(np.asarray(auxiliary.probabilities(pairs), dtype=np.float64))
    if not bool(found.isfinite().all()):
        text = pairs.dataset[int((~found.isfinite()).nonzero()[0])]["response_a"][0]["content"]
        raise SurefootError(f"the auxiliary model's probability of {text!r} is not finite.")
    return found.view(len(records), 2, -1).transpose(1, 2)
