"""What a model has seen: keys of training prompts, to find them again in test data."""

from __future__ import annotations

from surefoot.data.schema import Preferences, key_of


def training_prompt_keys(preferences: Preferences) -> set[int]:
    """Keys of all prompts, and of the first user turn of those that are dialogues.

    A test prompt that opens a longer training dialogue was seen too: of 129 chat prompts of
    RM-Bench, 22 are whole prompts of HH helpful, and 37 open one.
    """
    openings = {
        key_of(turn["content"])
        for prompt in preferences.dataset["prompt"]
        for turn in [next((m for m in prompt if m["role"] == "user"), None)]
        if turn is not None
    }
    return openings | set(preferences.prompt_keys().tolist())
