"""What a rendering leaves out of a comparison, adds to it or cannot write: measured row by row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from surefoot.boundary.json_texts import json_value
from surefoot.data.rendering.messages import Rendered, common_start, opening, whole_text
from surefoot.data.text import Message, Prompt, shared_start
from surefoot.errors import DataError
from surefoot.pretrained import Tokenizer

#: Marks that chat templates of public models write around turns.
_MARKS = re.compile(
    r"<\|[A-Za-z_]+\|>|<\uff5c[^\uff5c<>]{1,40}\uff5c>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
    r"|\A\s*<s>|</s>\s*\Z"
)
#: Words in a row that are a template's own sentence and no name of a speaker.
_SENTENCE = re.compile(r"[^\W\d_]{2,}(?:[ ,.:']+[^\W\d_]+){2,}")
#: Characters of a generation prompt that may be the beginning of an answer.
_BEGUN = 40
#: Keys of a turn without which it says something else: never left out without a refusal.
_CALLS = ("tool_calls", "function_call")
_REASONING = ("reasoning_content", "reasoning", "thinking")
#: Keys that name someone or something, and say nothing.
NAMES = ("name", "tool_call_id")


def is_marked(text: str) -> bool:
    """Whether a text holds marks of a chat template: it was written by one before.

    >>> is_marked("<|im_start|>user"), is_marked("a <b> c")
    (True, False)
    """
    return _MARKS.search(text) is not None


class Fidelity(NamedTuple):
    """How a rendering differs from what it is of."""

    left_out: tuple[str, ...]  #: parts written in part or not at all, as `response content`
    unwritten: tuple[str, ...]  #: those among them without which the comparison is another one
    adds: bool  #: it holds sentences of the template's own
    parted: bool  #: its answers begin otherwise than its generation prompt announces
    marked: bool  #: a text holds special tokens or the marks of a chat template


class Specials:
    """The special tokens of a tokenizer as texts: those that it names, and those added to it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        added = (str(one) for one in tokenizer.added_tokens_decoder.values() if one.special)
        self.texts = frozenset({*map(str, tokenizer.all_special_tokens), *added} - {""})
        self._pattern = re.compile("|".join(map(re.escape, sorted(self.texts, key=len)[::-1])))

    @cached_property
    def ids(self) -> frozenset[int]:
        """Token ids of the marks."""
        return frozenset(self.tokenizer.convert_tokens_to_ids(sorted(self.texts))) - {None}

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """Special tokens that may end a turn: neither padding nor the beginning of a text."""
        named = (getattr(self.tokenizer, f"{name}_token", None) for name in _NO_ENDS)
        end = self.tokenizer.eos_token
        return tuple(sorted(self.texts - ({str(one) for one in named if one} - {str(end)})))

    @cached_property
    def _tail(self) -> str:
        """What the chat template writes behind an answer, where it is a mark and no plain text."""
        asked = Prompt([Message(role="user", content="u")], True)
        answers = ([Message(role="assistant", content=text)] for text in ("a", "b"))
        try:
            first, second = (whole_text(self.tokenizer, asked, one)[::-1] for one in answers)
        except DataError:
            return ""
        tail = common_start(first, second)[::-1].strip()
        return tail if is_marked(tail) else ""

    def without(self, text: str) -> str:
        """A text without the marks."""
        return self._pattern.sub("", text) if self.texts else text

    def marks(self, text: str) -> bool:
        """Whether a text holds one of them, or a mark of another template."""
        return is_marked(text) or bool(self.texts and self._pattern.search(text))

    def ended(self, text: str) -> bool:
        """Whether a text ends with an end token, or with what the template has in its place."""
        text = text.rstrip()
        return text.endswith(self.ends) or bool(self._tail and text.endswith(self._tail))


_NO_ENDS = ("bos", "pad", "unk", "cls", "mask")


def fidelity(specials: Specials, rendered: Rendered) -> Fidelity:
    """Compare a rendering with what it is of."""
    prompt = rendered.prompt
    turns = chain(prompt.prompt, *rendered.sides)
    marked = any(specials.marks(turn["content"]) for turn in turns)
    if not rendered.by_template:  # all that turns say is written
        ignored = ("template_arguments",) if prompt.template_arguments else ()
        return Fidelity(ignored, (), False, False, marked)
    starts = [shared_start(rendered.before, whole) for whole in rendered.wholes]
    parted = bool(prompt.prompt) and min(starts) < len(rendered.before.rstrip())
    answers = [
        (side, whole[start - _begun(side, whole[:start]) :])
        for side, whole, start in zip(rendered.sides, rendered.wholes, starts, strict=True)
    ]
    missing = list(_missing(specials, "prompt", prompt.prompt, rendered.before))
    missing += chain.from_iterable(_missing(specials, "response", *one) for one in answers)
    # Names and reasoning that stand in the text all the same were given twice.
    absent = [
        name
        for name in _absent(specials.tokenizer, rendered)
        if name in missing or not name.endswith((*_REASONING, *NAMES))
    ]
    unwritten = tuple(name for name in dict.fromkeys(absent) if _is_needed(name))
    left_out = tuple(dict.fromkeys([*missing, *absent]))
    texts = [(prompt.prompt, rendered.before), *answers]
    adds = not (left_out or prompt.tools) and any(_adds(specials, *one) for one in texts)
    return Fidelity(left_out, unwritten, adds, parted, marked)


def _begun(turns: Sequence[Message], before: str) -> int:
    """Characters of an answer that stand in what it is written after, as a `<think>` may."""
    content = turns[0]["content"] if turns else ""
    lengths = range(min(len(content), len(before), _BEGUN), 0, -1)
    return next((n for n in lengths if before.endswith(content[:n])), 0)


def _is_needed(name: str) -> bool:
    """Whether a comparison without this part is another one; templates drop earlier reasoning."""
    answer = name.startswith("response") and name.endswith(_REASONING)
    return name == "tools" or name.endswith(_CALLS) or answer


def _missing(specials: Specials, side: str, turns: Sequence[Message], text: str) -> Iterator[str]:
    """Names of parts that do not stand in a text, white space aside."""
    squeezed = _squeezed(specials, text)
    contents = [_squeezed(specials, turn["content"]) for turn in turns]
    for turn, content in zip(turns, contents, strict=True):
        wanted = sum(content in other for other in contents)
        forms = (_squeezed(specials, form) for form in _forms(turn["content"]))
        if content and not any(squeezed.count(form) >= wanted for form in forms):
            yield f"{side} content"
            break
    for key, value in (one for turn in turns for one in _extra(turn).items()):
        if not all(
            any(_squeezed(specials, form) in squeezed for form in _forms(leaf))
            for leaf in _leaves(key, value)
        ):
            yield f"{side} {key}"


def _squeezed(specials: Specials, text: str) -> str:
    return "".join(specials.without(text).split())


def _leaves(key: str, value: Any) -> Iterator[Any]:
    """What of a value has to be written: of calls their names and arguments."""
    if key in _CALLS:
        for call in value if isinstance(value, list) else [value]:
            function = call.get("function", call) if isinstance(call, Mapping) else call
            if not isinstance(function, Mapping):
                yield from _leaves("", function)
                continue
            arguments = function.get("arguments")
            if isinstance(arguments, str):
                with suppress(DataError):
                    arguments = json_value(arguments)
            yield from _leaves("", [function.get("name"), arguments])
    elif isinstance(value, Mapping | list):
        inside = value.values() if isinstance(value, Mapping) else value
        yield from chain.from_iterable(_leaves("", one) for one in inside)
    elif value is not None:
        yield value


def _forms(leaf: Any) -> Iterator[str]:
    """How a value may be written: as it is, and within JSON, which may be text within JSON."""
    text = leaf if isinstance(leaf, str) else json.dumps(leaf)
    yield from (text, str(leaf))
    for unicode_too in (False, True):
        once = json.dumps(text, ensure_ascii=unicode_too)[1:-1]
        yield from (once, json.dumps(once, ensure_ascii=unicode_too)[1:-1])


def _absent(tokenizer: Tokenizer, rendered: Rendered) -> Iterator[str]:
    """Names of what the template does not look at: without it the texts are the same."""
    prompt = rendered.prompt
    responses = list(zip(rendered.sides, rendered.wholes, strict=True))

    def same(shortened: Prompt, *sides: tuple[Sequence[Message], str]) -> bool:
        asks = shortened is not prompt and prompt.prompt
        try:
            if asks and opening(tokenizer, shortened)[0] != rendered.before:
                return False
            return all(whole_text(tokenizer, shortened, one) == whole for one, whole in sides)
        except DataError:
            return False

    if prompt.tools and same(prompt._replace(tools=None), *responses):
        yield "tools"
    for name in json.loads(prompt.template_arguments or "{}"):
        if name not in str(tokenizer.chat_template):
            yield f"template_arguments.{name}"
    for key in _keys(prompt.prompt):
        if same(prompt._replace(prompt=_dropped(prompt.prompt, key)), *responses):
            yield f"prompt {key}"
    for side, whole in responses:
        for key in _keys(side):
            if same(prompt, (_dropped(side, key), whole)):
                yield f"response {key}"


def _keys(turns: Sequence[Message]) -> list[str]:
    """Keys beside role and content that turns have."""
    return sorted({key for turn in turns for key in _extra(turn)})


def _extra(turn: Message) -> dict[str, Any]:
    return dict(json.loads(turn.get("extra") or "{}"))


def _dropped(turns: Sequence[Message], key: str) -> list[Message]:
    """Turns without a key."""
    kept = ({name: v for name, v in _extra(turn).items() if name != key} for turn in turns)
    return [{**turn, "extra": json.dumps(one)} for turn, one in zip(turns, kept, strict=True)]


def _adds(specials: Specials, turns: Sequence[Message], text: str) -> bool:
    """Whether a text holds sentences that no turn says; tools are introduced by some."""
    if any(turn.get("extra") for turn in turns):
        return False
    for content in sorted((turn["content"].strip() for turn in turns), key=len, reverse=True):
        text = text.replace(content, "\n") if content else text
    return _SENTENCE.search(specials.without(text)) is not None
