"""Hashes: of texts and prompts, blind to case and spacing, and of values as they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from surefoot.arrays import Ints
from surefoot.data.text import Message, Prompt, normalised


def prompt_key(prompt: Prompt) -> int:
    """A hash of a prompt, blind to case and spacing; what a chat template is given counts."""
    arguments = prompt.template_arguments
    return key_of(prompt.text() + (f"\0{arguments}" if arguments else ""))


def opening_key(prompt: Sequence[Message]) -> int:
    """A hash of what the user says first, which the branches of one dialogue share."""
    return key_of(next((turn["content"] for turn in prompt if turn["role"] == "user"), ""))


def key_of(text: str) -> int:
    """A 64-bit hash of a text, blind to case and spacing."""
    digest = hashlib.blake2b(normalised(text).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def connected(responses: Ints) -> Ints:
    """One key (N,) for all pairs (N, 2) that are connected by responses that they share."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    keys, ids = np.unique(responses, return_inverse=True)
    a, b = ids.reshape(responses.shape).T
    edges = coo_array((np.ones(len(a)), (a, b)), shape=(len(keys), len(keys)))
    _, component = connected_components(edges, directed=False)
    first = np.unique(component, return_index=True)[1]  # keys are in order: the least of each
    return keys[first][component[a]]


def digest_of(*parts: object) -> str:
    """A hash of values as JSON writes them, or as text where it has no form for them."""
    return hashlib.blake2b(json.dumps(parts, default=str).encode(), digest_size=16).hexdigest()
