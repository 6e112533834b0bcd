"""Hashes of texts and prompts, blind to case and spacing: whether two rows share one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

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
