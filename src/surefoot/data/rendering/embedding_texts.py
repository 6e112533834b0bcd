"""The texts that an encoder reads of a comparison, and how it cuts them: audits and fits alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from surefoot.arrays import Bools
    from surefoot.data.schema import Preferences
    from surefoot.data.schema import View as TextView
    from surefoot.pretrained import Tokenizer

FeatureView = Literal["together", "full", "response", "prompt", "product"]
Side = Literal["left", "right"]

#: The text behind each view and which end of it survives truncation: the end for a dialogue (the
#: response stands there), the beginning for a response alone.
TEXTS: dict[str, tuple[TextView, Side]] = {
    "together": ("together", "right"),
    "full": ("full", "right"),
    "response": ("response", "left"),
    "prompt": ("last-turn", "right"),
}

_BATCH = 1024


def read_views(views: Sequence[FeatureView], prompts: bool = False) -> list[str]:
    """The views of a head whose texts are read; `prompts`: it looks at the prompts apart too.

    A product is made of two others.
    """
    needed = {"prompt", "response"} if "product" in views else set()
    needed |= {"prompt"} if prompts else set()
    return sorted(needed | (set(views) - {"product"}))


def cut_texts(
    tokenizer: Tokenizer, texts: Sequence[str], limit: int, keep: Side
) -> tuple[list[list[int]], list[int]]:
    """Token ids of texts, cut to `limit` (special ones included), and how many there were of each.

    `keep` is the end of a text that survives.
    """
    tokenizer.truncation_side = "right" if keep == "left" else "left"
    whole = tokenizer(list(texts), verbose=False)["input_ids"]
    cut = tokenizer(list(texts), truncation=True, max_length=limit, verbose=False)["input_ids"]
    return cut, list(map(len, whole))


@dataclass(frozen=True)
class EncoderReading:
    """How an encoder reads N comparisons."""

    cut: Bools  #: (N,) whether a text was longer than the encoder reads
    identical: Bools  #: (N,) whether both responses' texts are the same tokens
    share: float  #: of all texts, how many were longer


def read_by_encoder(
    preferences: Preferences,
    tokenizer: Tokenizer,
    limit: int,
    views: Sequence[FeatureView] = ("together",),
) -> EncoderReading:
    """What a head on embeddings sees of comparisons: see :func:`cut_texts` for the arguments."""
    cut = np.zeros(len(preferences), dtype=bool)
    identical = np.ones(len(preferences), dtype=bool)
    long, names = 0, read_views(views)
    for name in names:
        text_view, keep = TEXTS[name]
        sides = preferences.texts(text_view)
        for start in range(0, len(preferences), _BATCH):
            rows = slice(start, start + _BATCH)
            a, b = (cut_texts(tokenizer, side[rows], limit, keep) for side in sides)
            over = np.array([a[1], b[1]]) > limit
            cut[rows] |= over.any(0)
            long += int(over.sum())
            identical[rows] &= [first == second for first, second in zip(a[0], b[0], strict=True)]
    return EncoderReading(cut, identical, long / max(1, 2 * len(preferences) * len(names)))


def cut_note(share: float, limit: int) -> str:
    """A sentence for the user on texts that an encoder did not read to the end."""
    return (
        f"{share:.1%} of the texts that the encoder reads are longer than {limit} tokens, and cut "
        "(of a dialogue the start, of a response alone the end)."
    )


def unread_notes(
    preferences: Preferences, views: Sequence[FeatureView], truncated: float, limit: int
) -> list[str]:
    """Sentences for the user on what of these texts a head on these views does not see."""
    notes = [cut_note(truncated, limit)] if truncated else []
    prompts = () if "full" in views else preferences.prompts()
    count = sum(len(one.prompt) > 1 or one.tools is not None for one in prompts)
    if count:
        notes.append(
            f"{count} of {len(preferences)} pairs have a system turn, earlier turns or tools, "
            "which the head does not see: it reads the last turn of a prompt (scorer.views: "
            f"[{', '.join(views)}]; `full` has everything)."
        )
    return notes
