"""What a language model writes, and how far that is from its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from surefoot.data.rendering.tokens import TokenReader
from surefoot.data.text import Message, Prompt
from surefoot.scorers.language.batch import lay_out
from surefoot.scorers.language.generation import continuations, ends_of, response_text
from surefoot.scorers.language.law import SamplingLaw
from surefoot.scorers.language.loading import load_model, load_tokenizer
from surefoot.scorers.language.scores import log_probs


@dataclass(frozen=True)
class Written:
    """K responses to each of P prompts.

    Attributes:
        texts: (P, K).
        log_ratios: (P, K) log pi - log pi_ref of the tokens as drawn, in nats; their mean is the KL
            divergence. (A text read again may be other tokens, and one that was cut has no end.)
        cut: (P, K) whether each reached the largest number of tokens.
    """

    texts: np.ndarray
    log_ratios: np.ndarray
    cut: np.ndarray


def write(
    place: str,
    reference: str,
    prompts: Sequence[str],
    count: int,
    law: SamplingLaw,
    batch: int,
    seed: int,
) -> Written:
    """Draw from the model in one folder, and score by it and by the one in another.

    Args:
        place: folder of the model.
        reference: folder of its reference.
        prompts: P of them.
        count: K, an even number.
        law: how responses are drawn.
        batch: responses at a time.
        seed: of the draws.
    """
    tokenizer, model = load_tokenizer(place), load_model(place, "policy").eval()
    other = model if place == reference else load_model(reference, "policy").eval()
    ends = ends_of(model, tokenizer)
    texts: list[str] = []
    ratios, cut = [], []
    reader = TokenReader(tokenizer)
    openings = [reader.opening(Prompt([Message(role="user", content=p)])) for p in prompts]
    given = [ids for ids in openings for _ in range(count)]
    torch.manual_seed(seed)
    for start in range(0, len(given), batch):
        before = given[start : start + batch]
        drawn = continuations(model, tokenizer, before, law)
        pairs = zip(before[::2], drawn[::2], drawn[1::2], strict=True)
        tokens = lay_out(list(pairs), tokenizer.pad_token_id)
        with torch.no_grad():
            found = log_probs(model, tokens) - log_probs(other, tokens)
        ratios.append(found.double().numpy().ravel())
        cut += [ids[-1] not in ends for ids in drawn]
        texts += [response_text(tokenizer, ids, ends) for ids in drawn]
    shape = (len(prompts), count)
    return Written(
        np.array(texts).reshape(shape),
        np.concatenate(ratios).reshape(shape),
        np.array(cut).reshape(shape),
    )
