"""Responses drawn by vLLM, where it is installed, from the law that transformers draws from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from surefoot.errors import ConfigurationError
from surefoot.scorers.language.generation import banned_ids
from surefoot.scorers.language.law import SamplingLaw


def continue_by_vllm(
    model: str, tokenizer: Any, ends: Sequence[int], law: SamplingLaw
) -> Callable[[list[list[int]], int], list[list[int]]]:
    """A function from token ids and a seed to new token ids, with the end token.

    Raises:
        ConfigurationError: vLLM is not installed.
    """
    try:
        from vllm import LLM, SamplingParams
    except ImportError:
        raise ConfigurationError(
            "engine: vllm needs vLLM, which is absent. Install it, or use engine: transformers."
        ) from None
    engine = LLM(model=model, generation_config="vllm")  # not the model's own defaults
    never = dict.fromkeys(banned_ids(tokenizer, ends, law), -100.0)

    def write(openings: list[list[int]], seed: int) -> list[list[int]]:
        parameters = [
            SamplingParams(
                temperature=law.temperature,
                top_p=law.top_p,
                top_k=-1,
                min_tokens=law.min_new_tokens,
                max_tokens=law.max_new_tokens,
                stop_token_ids=list(ends),
                logit_bias=never or None,
                seed=seed * 100_003 + place,
                detokenize=False,
            )
            for place in range(len(openings))
        ]
        prompts = [{"prompt_token_ids": ids} for ids in openings]
        found = engine.generate(prompts, parameters, use_tqdm=False)
        return [list(one.outputs[0].token_ids) for one in found]

    return write
