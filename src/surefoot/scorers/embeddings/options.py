"""The options of an encoder."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from surefoot.options import READS, Options


class EncoderOptions(Options):
    """Which encoder turns a text into a vector, and how."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, options: Any) -> Any:
        return {"name": options} if isinstance(options, str) else options

    name: Annotated[str, READS] = "default"
    """`default` (all-MiniLM-L6-v2 from the extra `encoder`, no hub), a folder, a hub name, a file
    in GGUF, or `smollm2` (after `surefoot fetch smollm2`)."""
    pooling: Literal["auto", "mean", "first", "last"] = "auto"
    """How token vectors become one: `auto` is the mean for encoders, the last for causal models."""
    max_length: int = Field(256, ge=8)
    """Tokens kept of a text."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 where the processor has it, float32 elsewhere."""
