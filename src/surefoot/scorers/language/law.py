"""The law by which responses are drawn from a language model: its options."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from surefoot.options import Options


class SamplingLaw(Options):
    """How responses are drawn; nothing beside it has a say, not the model's own defaults either."""

    title: ClassVar[str] = "the sampling law"

    temperature: float = Field(1.0, gt=0)
    """Temperature of the next token's distribution; 1: the model as it is."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Share of the next token's distribution that is kept, the likeliest tokens first; 1: all."""
    min_new_tokens: int = Field(1, ge=0)
    """Tokens before a response may end; 0: it may be empty, as the model itself may write."""
    max_new_tokens: int = Field(128, ge=1)
    """Tokens at most; a response that reaches them is cut there."""
    banned: tuple[str, ...] = ()
    """Tokens that are never written, beside padding and the beginning of a text."""
