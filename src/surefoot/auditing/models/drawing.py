"""Samples of a policy for an audit: from a file, or drawn from a model and kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surefoot.paths import cache_folder

if TYPE_CHECKING:  # reading samples takes torch
    from surefoot.data import Preferences
    from surefoot.evaluation.policies.samples import Samples

#: Prompts that a model is asked to respond to, and half of the responses to each.
PROMPTS, PAIRS = 100, 4


def samples_of(
    policy: str, preferences: Preferences, seed: int = 0, say: Callable[[str], None] = print
) -> Samples:
    """What a policy wrote.

    Args:
        policy: a file of samples, the folder of a `surefoot sample`, or a language model: a folder,
            a run, or a name on the Hub. Of a model 8 responses to each of 100 prompts of the data
            are drawn by its own law, which are kept in the cache and gone on with.
        preferences: whose prompts are asked.
        seed: of the prompts and the draws.
        say: is called with lines on what is done.

    Raises:
        DataError: the file cannot be read, or prompts leave no room in the model.
    """
    from surefoot.evaluation.policies.samples import read_samples

    if Path(policy).is_file():
        return read_samples(policy)
    from surefoot.nuisance.reference import LanguageModelReference
    from surefoot.nuisance.sampling import REFERENCES, distinct_prompts, draw

    if (Path(policy) / REFERENCES).is_file():
        return read_samples(Path(policy) / REFERENCES)

    source = LanguageModelReference(model=policy, pairs=PAIRS)
    prompts = distinct_prompts(source.usable(preferences, say))
    keys = np.array(sorted(prompts), dtype=np.int64)
    some = np.random.default_rng([seed, 37]).permutation(keys)[:PROMPTS]
    say(f"policy: {2 * PAIRS} responses of {policy} to each of {len(some)} prompts")
    path: list[Path] = []

    def kept(law: Mapping[str, Any]) -> Path:
        text = json.dumps(law, sort_keys=True, default=str)
        name = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
        path.append(cache_folder("policy-samples") / f"{name}.jsonl")
        return path[0]

    drawn = draw(source, {int(key): prompts[int(key)] for key in some}, seed, kept)
    if drawn.unfinished > 0.05:
        limit = source.law.max_new_tokens
        say(f"warning: {drawn.unfinished:.0%} of the policy's responses reached {limit} tokens")
    return read_samples(path[0])
