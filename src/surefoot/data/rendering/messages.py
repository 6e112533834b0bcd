"""From a comparison's messages to the texts that a language model reads."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from surefoot.data.text import Message, Prompt, mapping_in, said, shared_start, with_extra
from surefoot.errors import DataError
from surefoot.pretrained import Tokenizer

#: How conversations are written for a model without a chat template: Anthropic's HH form.
SPEAKERS = {"user": "Human", "assistant": "Assistant", "system": "System", "tool": "Tool"}

#: What stands between prompt and response of plain text.
GAP = "\n\n"

#: Two answers without a common start: what a template writes before both stands before any answer.
_ANSWERS = ("a", "b")

#: What HH's form has a response begin after.
_ASSISTANT = f"\n\n{SPEAKERS['assistant']}:"


@dataclass(frozen=True)
class Rendered:
    """The texts of a comparison."""

    prompt: Prompt
    sides: tuple[Sequence[Message], Sequence[Message]]  #: responses a and b
    before: str  #: of the prompt, up to where a response is written
    wholes: tuple[str, str]  #: of prompt and response, for a and for b
    by_template: bool  #: a chat template wrote them, with their special tokens


def render(
    tokenizer: Tokenizer, prompt: Prompt, a: Sequence[Message], b: Sequence[Message]
) -> Rendered:
    r"""The texts of a comparison as a model with this tokenizer reads them.

    * Conversations go through the tokenizer's chat template, with tools and all that their turns
      carry; what a response is written after is the template's generation prompt.
    * Without a template they are written as ``\n\nHuman: ...\n\nAssistant: ...``.
    * Plain text is put together as it is, with a blank line where they would touch.

    Raises:
        DataError: the chat template refuses the turns, or there is no place for what is given.
    """
    if _by_template(tokenizer, prompt):
        wholes = whole_text(tokenizer, prompt, a), whole_text(tokenizer, prompt, b)
        roles = {side[0]["role"] for side in (a, b) if side}
        if prompt.prompt:
            before = opening(tokenizer, prompt)[0]
        elif len(roles) == 1:
            before = _beginning(tokenizer, prompt, roles.pop())
        else:
            before = common_start(*wholes)
        return Rendered(prompt, (a, b), before, wholes, True)
    before = _untemplated(prompt)
    if not prompt.conversational:  # what begins with space stands where the prompt ends
        text, written = _joined(prompt.prompt), [_joined(a), _joined(b)]
        befores = [text if side[:1].isspace() else before for side in written]
        wholes = befores[0] + written[0], befores[1] + written[1]
        return Rendered(prompt, (a, b), min(befores, key=len), wholes, False)
    written = ["".join(map(_turn, side)) for side in (a, b)]
    if all(side and side[0]["role"] == "assistant" for side in (a, b)):
        written = [side.removeprefix(_ASSISTANT) for side in written]
    else:
        before = before.removesuffix(_ASSISTANT)
    return Rendered(prompt, (a, b), before, (before + written[0], before + written[1]), False)


def opening(tokenizer: Tokenizer, prompt: Prompt) -> tuple[str, bool]:
    """The text after which a response is written, and whether a template wrote it.

    Raises:
        DataError: the chat template refuses the turns, or there is no place for what is given.
    """
    if not _by_template(tokenizer, prompt):
        return _untemplated(prompt), False
    if prompt.prompt:
        return _template(tokenizer, prompt, prompt.prompt, add_generation_prompt=True), True
    return _beginning(tokenizer, prompt, "assistant"), True


def whole_text(tokenizer: Tokenizer, prompt: Prompt, response: Sequence[Message]) -> str:
    """A conversation as the chat template writes it.

    Raises:
        DataError: the chat template refuses it.
    """
    return _template(tokenizer, prompt, [*prompt.prompt, *response])


def common_start(one: str, other: str) -> str:
    """What two texts begin with.

    >>> common_start("assistant: yes", "assistant: no")
    'assistant: '
    """
    return one[: shared_start(one, other)]


def _beginning(tokenizer: Tokenizer, prompt: Prompt, role: str) -> str:
    """What a template writes before whatever is said first, without any turn before."""
    first = ([Message(role=role, content=text)] for text in _ANSWERS)
    return common_start(*(_template(tokenizer, prompt, turns) for turns in first))


def _by_template(tokenizer: Tokenizer, prompt: Prompt) -> bool:
    return bool(prompt.conversational and getattr(tokenizer, "chat_template", None))


def _template(
    tokenizer: Tokenizer,
    prompt: Prompt,
    turns: Sequence[Message],
    add_generation_prompt: bool = False,
) -> str:
    arguments = json.loads(prompt.template_arguments or "{}")
    if taken := sorted(arguments.keys() & _not_of_templates()):
        raise DataError(f"template_arguments: {taken[0]!r} is no variable of a chat template")
    tools = json.loads(prompt.tools or "[]") or None
    given = [with_extra(turn) for turn in turns]
    structured = [_structured(turn) for turn in given]
    refusals: list[Exception] = []
    for form in (structured, given) if structured != given else (given,):
        try:
            return str(
                tokenizer.apply_chat_template(
                    form,
                    tools=tools,
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                    **arguments,
                )
            )
        except Exception as error:  # a template may raise anything
            refusals.append(error)
    why = (str(refusals[0]).strip() or type(refusals[0]).__name__).splitlines()[0]
    raise DataError(f"the chat template refuses this conversation ({why[:200]})")


@cache
def _not_of_templates() -> frozenset[str]:
    """Arguments of `apply_chat_template` that say how it works, and reach no template."""
    from transformers import PreTrainedTokenizerBase

    parameters = inspect.signature(PreTrainedTokenizerBase.apply_chat_template).parameters.values()
    named = {one.name for one in parameters if one.kind is not one.VAR_KEYWORD}
    return frozenset(named - {"documents"})


def _structured(turn: Mapping[str, Any]) -> dict[str, Any]:
    """A turn whose tool calls have their arguments as a mapping, as most chat templates ask."""
    calls = turn.get("tool_calls")
    if not isinstance(calls, list):
        return dict(turn)
    return {**turn, "tool_calls": [_with_mapping(call) for call in calls]}


def _with_mapping(call: Any) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return call
    arguments = mapping_in(function.get("arguments"))
    return call if arguments is None else {**call, "function": {**function, "arguments": arguments}}


def _untemplated(prompt: Prompt) -> str:
    """What a response is written after, without a chat template."""
    if prompt.conversational:
        tools = f"\n\nTools: {prompt.tools}" if prompt.tools else ""
        return tools + "".join(map(_turn, prompt.prompt)) + _ASSISTANT
    text = _joined(prompt.prompt)
    if prompt.tools:
        raise DataError(
            "there are tools beside plain text, to which no chat template applies: give prompt "
            "and responses as messages"
        )
    return text + ("" if not text or text[-1].isspace() else GAP)


def _joined(turns: Sequence[Message]) -> str:
    return "".join(map(said, turns))


def _turn(message: Message) -> str:
    return f"\n\n{SPEAKERS[message['role']]}: {said(message)}"
