"""From comparisons to tokens: the one way in which they are read, rendered and cut.

What is audited, trained, scored and written to begins here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.data.rendering.fidelity import Specials, fidelity
from surefoot.data.rendering.messages import Rendered, opening, render
from surefoot.data.text import Prompt, shared_start
from surefoot.errors import DataError
from surefoot.pretrained import Tokenizer

#: Prompt, response a and response b of one comparison.
Tokens = tuple[list[int], list[int], list[int]]

#: Version of the rules here, in messages.py and in fidelity.py: part of every key.
VERSION = 3


@dataclass(frozen=True)
class TokenRow:
    """A comparison as a language model reads it."""

    tokens: Tokens = field(default_factory=lambda: ([], [], []))
    marks: tuple[str, ...] = ()
    """What happened on the way, as kinds of :func:`surefoot.data.rendering.notes.remarks`, and the
    names of the parts that the chat template leaves out or changes."""
    refused: str | None = None  #: why it cannot be used; it has no tokens then


class TokenReader:
    """Reads comparisons with the tokenizer of a model and its chat template."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.specials = Specials(tokenizer)
        self.closing, end = _closing(tokenizer), tokenizer.eos_token_id
        self.ending = self.closing + [end] * (end is not None and end not in self.closing)

    def rows(
        self, rows: Sequence[Mapping[str, Any]], max_length: int, keep_end: bool = False
    ) -> list[TokenRow]:
        """Comparisons, given by the columns of the contract, as a model reads them.

        Where prompt and response have more than `max_length` tokens, a pair loses the start of its
        prompt (the same for both responses), down to half of `max_length`, then the ends of its
        responses. A first special token stays; a last one where `keep_end` asks for it (encoders:
        `[SEP]`).
        """
        found: list[TokenRow | Rendered] = []
        for row in rows:
            prompt = Prompt(*(row[name] for name in Prompt._fields))
            try:
                found.append(render(self.tokenizer, prompt, row["response_a"], row["response_b"]))
            except DataError as error:
                found.append(TokenRow(refused=str(error)))
        rendered = [one for one in found if isinstance(one, Rendered)]
        texts = [(text, one.by_template) for one in rendered for text in (one.before, *one.wholes)]
        ids = iter(self._encode(texts))
        return [
            one
            if isinstance(one, TokenRow)
            else self._row(one, [next(ids) for _ in range(3)], max_length, keep_end)
            for one in found
        ]

    def opening(self, prompt: Prompt) -> list[int]:
        """Token ids after which a response is written: those of a comparison's prompt.

        An empty prompt has one special token.

        Raises:
            DataError: the chat template refuses the prompt.
        """
        (ids,) = self._encode([opening(self.tokenizer, prompt)])
        return self._opened(ids)

    def _row(
        self, rendered: Rendered, ids: Sequence[list[int]], max_length: int, keep_end: bool
    ) -> TokenRow:
        """A comparison, from the token ids of its prompt and of both whole texts."""
        checked = fidelity(self.specials, rendered)
        if checked.unwritten:
            names = ", ".join(checked.unwritten)
            return TokenRow(refused=f"the chat template does not write: {names}")
        before, *wholes = ids
        ended = [rendered.by_template or self.specials.ended(text) for text in rendered.wholes]
        a, b = (one if done else one + self.ending for one, done in zip(wholes, ended, strict=True))
        prompt = self._opened(before)
        if not before:
            a, b = prompt + a, prompt + b
        shared = min(shared_start(prompt, a), shared_start(prompt, b))
        whole = (a[:shared], a[shared:], b[shared:])
        kept = _fit(whole, max_length, self.specials.ids, keep_end)
        if rendered.by_template:  # its own mark may be no end token
            ended = [text.rstrip().endswith(self.specials.ends) for text in rendered.wholes]
        elif self.ending:
            ended = [True, True]
        found = {
            "prompt-cut": len(kept[0]) < len(whole[0]),
            "response-cut": any(len(kept[k]) < len(whole[k]) for k in (1, 2)),
            "joining-token": shared < len(prompt) and not checked.parted,
            "begin-token-twice": any(map(self._begins_twice, (a, b))),
            "no-end-token": not all(ended),
            "template-adds-text": checked.adds,
            "generation-prompt-differs": checked.parted,
            "rendered-already": checked.marked,
        }
        return TokenRow(kept, (*(kind for kind in found if found[kind]), *checked.left_out))

    def _encode(self, texts: Sequence[tuple[str, bool]]) -> list[list[int]]:
        """Token ids of texts, not closed; a template's have their special tokens already.

        Text that begins with a special token which the tokenizer would write has it once.
        """
        encoded: list[list[int]] = [[] for _ in texts]
        for by_template in {of_template for _, of_template in texts}:
            rows = [i for i, (_, of_template) in enumerate(texts) if of_template == by_template]
            ids = self.tokenizer(
                [texts[i][0] for i in rows], add_special_tokens=not by_template, verbose=False
            )["input_ids"]
            for i, one in zip(rows, ids, strict=True):
                if not by_template:
                    one = one[: len(one) - len(self.closing)]
                    one = one[1:] if self._begins_twice(one) else one
                encoded[i] = one
        return encoded

    def _opened(self, prompt: list[int]) -> list[int]:
        """A prompt of at least one token: a response's first has to be predicted by something."""
        named = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        return prompt or [one for one in named if one is not None][:1]

    def _begins_twice(self, ids: list[int]) -> bool:
        return len(ids) > 1 and ids[0] == ids[1] and ids[0] in self.specials.ids


def _closing(tokenizer: Tokenizer) -> list[int]:
    """The special tokens that a tokenizer writes behind a text."""
    bare, whole = (
        tokenizer("a", add_special_tokens=wanted, verbose=False)["input_ids"]
        for wanted in (False, True)
    )
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return list(whole[start + len(bare) :])
    return []


def last_tokens(prompt: list[int], count: int, special: frozenset[int]) -> list[int]:
    """At most so many tokens of a prompt, from its end; a first special token stays."""
    if len(prompt) <= count:
        return prompt
    head = prompt[:1] if prompt[0] in special and count > 1 else []
    return head + prompt[len(prompt) - count + len(head) :]


def _fit(tokens: Tokens, max_length: int, special: frozenset[int], keep_end: bool) -> Tokens:
    prompt, *responses = tokens
    room = max_length - max(map(len, responses))
    prompt = last_tokens(prompt, max(room, max_length // 2), special)
    left = max_length - len(prompt)

    def cut(response: list[int]) -> list[int]:
        if len(response) <= left:
            return response
        tail = response[-1:] if keep_end and response[-1] in special else []
        return response[: left - len(tail)] + tail

    return prompt, cut(responses[0]), cut(responses[1])
