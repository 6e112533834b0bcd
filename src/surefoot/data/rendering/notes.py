"""What is said of how models read comparisons: the same sentences for audits and runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from surefoot.data.rendering.fidelity import NAMES

Severity = Literal["error", "warning", "note"]


class Remark(NamedTuple):
    """What happened to some comparisons, and what to do."""

    kind: str  #: its name in reports, and among the marks of rows
    severity: Severity
    predicate: str  #: what is said of the pairs
    remedy: str


def remarks(max_length: int) -> tuple[Remark, ...]:
    """All that may be said of pairs that are kept, but for what a template leaves out."""
    limit = f"(max_length is {max_length} tokens)"
    return (
        Remark(
            "prompt-cut",
            "note",
            f"lost the start of the prompt {limit}",
            "Raise the length if the start matters.",
        ),
        Remark(
            "response-cut",
            "note",
            f"lost the end of a response {limit}",
            "Raise the length if the end matters, or drop these rows.",
        ),
        Remark(
            "joining-token",
            "note",
            "have a token that joins prompt and response; it counts as the response's",
            "Nothing, where the other findings are clear.",
        ),
        Remark(
            "begin-token-twice",
            "warning",
            "begin with the same special token twice: the chat template and the text both have it",
            "Take it out of the text or of the template.",
        ),
        Remark(
            "no-end-token",
            "warning",
            "have a response without an end token, so a policy would not learn to end",
            "Give the tokenizer an end token, and end the assistant's turns with it in the chat "
            "template.",
        ),
        Remark(
            "template-adds-text",
            "note",
            "have sentences of the chat template's own, such as a system turn that nobody gave",
            "Give a system turn of your own where these are not wanted.",
        ),
        Remark(
            "generation-prompt-differs",
            "warning",
            "have answers that the chat template begins otherwise than its generation prompt, "
            "after which a policy writes",
            "Mend the template, or give template_arguments under which both agree.",
        ),
        Remark(
            "rendered-already",
            "warning",
            "hold special tokens or marks of a chat template in their text, as if one had written "
            "it before; no second begin or end token is added",
            "Give the messages themselves, so that the tokenizer's own template writes them.",
        ),
    )


def _left_out(name: str) -> Remark:
    """What is said of a part that the chat template leaves out, such as `response content`."""
    harmless = name.endswith(NAMES) or name.startswith("template_arguments")
    return Remark(
        "left-out-" + name.replace(" ", "-").replace("_", "-"),
        "note" if harmless else "warning",
        f"have a {name} that the chat template leaves out or changes"
        if " " in name
        else f"have {name} of which the chat template makes nothing",
        "Look at the first of them as the template writes it; take another template, or write "
        "the part as content.",
    )


REFUSED = Remark(
    "chat-template-refuses",
    "error",
    "cannot be written by the tokenizer's chat template and were left out",
    "Mend these turns (often two of one speaker in a row, or a system turn), or take another "
    "template.",
)

IDENTICAL = Remark(
    "identical-after-truncation",
    "error",
    "have two responses of the same tokens",
    "Raise the length where they were cut, take a template that writes what differs, or drop "
    "these rows.",
)


#: Share of pairs from which on it is the template, and no row, that is wrong.
MOST_REFUSED = 0.5


def remark_of(mark: str, max_length: int) -> Remark:
    """What is said of a mark: of a kind, or the name of a part that is left out."""
    known = {one.kind: one for one in remarks(max_length)}
    return known.get(mark) or _left_out(mark)


@dataclass(frozen=True)
class Cuts:
    """What rendering and cutting did to N comparisons: numbers of rows."""

    rows: int
    identical: int = 0  #: the two responses are the same tokens, as they are or after the cut
    refused: int = 0  #: the template refuses the turns, or leaves out what cannot be missing
    marks: Mapping[str, int] = field(default_factory=dict)
    """By the marks of :class:`surefoot.data.rendering.tokens.TokenRow` that any row has."""
    refusals: tuple[str, ...] = ()  #: the first refused rows, with their places and reasons

    def notes(self, max_length: int, left_out: bool = True) -> list[str]:
        """Sentences for the user, for what happened at all; `left_out`: identical pairs were."""
        after = "were left out" if left_out else "count as ties"
        said = [
            (f"{REFUSED.predicate} ({'; '.join(self.refusals)})", self.refused),
            (f"{IDENTICAL.predicate} and {after}", self.identical),
            *((remark_of(mark, max_length).predicate, n) for mark, n in self.marks.items()),
        ]
        return [f"{count} of {self.rows} pairs {what}." for what, count in said if count]
