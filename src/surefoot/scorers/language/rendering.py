"""From a comparison's messages to the texts that a language model reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.data.text import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: How conversations are written for a model without a chat template: Anthropic's HH form.
SPEAKERS = {"user": "Human", "assistant": "Assistant", "system": "System", "tool": "Tool"}

#: What stands between prompt and response of plain text.
GAP = "\n\n"


def render(
    tokenizer: PreTrainedTokenizerBase,
    prompt: Sequence[Message],
    response: Sequence[Message],
    conversational: bool,
) -> tuple[str, str, bool]:
    r"""Text of the prompt, text of prompt and response, and whether a template wrote them.

    * Conversations go through the tokenizer's chat template, with the generation prompt.
    * Without a template they are written as ``\n\nHuman: ...\n\nAssistant: ...``.
    * Plain text is put together as it is, with a blank line where they would touch.
    """
    if conversational and tokenizer.chat_template:
        before = tokenizer.apply_chat_template(
            list(prompt), tokenize=False, add_generation_prompt=True
        )
        whole = tokenizer.apply_chat_template([*prompt, *response], tokenize=False)
        return str(before), str(whole), True
    if conversational:
        before = "".join(map(_turn, prompt))
        if response and response[0]["role"] == "assistant":
            before += "\n\nAssistant:"
            first, *rest = response
            return before, f"{before} {first['content']}{''.join(map(_turn, rest))}", False
        return before, before + "".join(map(_turn, response)), False
    before = "".join(turn["content"] for turn in prompt)
    after = "".join(turn["content"] for turn in response)
    touching = before and after and not before[-1].isspace() and not after[0].isspace()
    return before, before + (GAP if touching else "") + after, False


def opening(
    tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message], conversational: bool
) -> tuple[str, bool]:
    """The text after which a response is written, and whether a template wrote it."""
    before, _, templated = render(tokenizer, prompt, [], conversational)
    if templated:
        return before, True
    if conversational:
        return before + _turn(Message(role="assistant", content="")).rstrip(), False
    return before + ("" if not before or before[-1].isspace() else GAP), False


def _turn(message: Message) -> str:
    return f"\n\n{SPEAKERS[message['role']]}: {message['content']}"
