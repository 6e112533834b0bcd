"""Features of a response: what an encoder sees of it, standardised, and shared or by source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from surefoot.arrays import Floats
from surefoot.data.rendering.embedding_texts import TEXTS, FeatureView, read_views
from surefoot.data.schema import Preferences
from surefoot.scorers.embeddings.encoder import Encoder

ROWS_PER_BLOCK = 16_384


@dataclass(frozen=True)
class Embedded:
    """Raw features of comparisons."""

    values: Tensor  #: (N, 2, D) of response a and response b
    sources: Sequence[str | None]  #: source of each row, None where it has none
    truncated: float  #: share of texts that were longer than the encoder reads
    identical: Tensor  #: (N,) whether the two responses have become the same to the encoder
    prompts: Tensor | None = None  #: (N, C) of the prompts alone, where a head looks at them


def embed(
    preferences: Preferences, encoder: Encoder, views: Sequence[FeatureView], prompts: bool = False
) -> Embedded:
    """Features (N, 2, D) under the given views, one after the other.

    Views: `together` (last prompt turn and response in one text), `full` (all turns and
    response), `response`, `prompt` (last turn), `product` (prompt times response, elementwise).
    Texts are read in blocks, so that only their features are ever held whole. With `prompts` the
    view `prompt` is kept apart too, once for each pair.
    """
    rows = range(len(preferences))
    blocks = [rows[start : start + ROWS_PER_BLOCK] for start in rows[::ROWS_PER_BLOCK]]
    parts = [
        _embed_block(
            preferences if len(blocks) == 1 else preferences.select(block), encoder, views, prompts
        )
        for block in blocks
    ]
    values = torch.cat([part for part, _, _ in parts])
    identical = (values[:, 0] == values[:, 1]).all(-1)
    texts = max(1, 2 * len(preferences) * len(read_views(views, prompts)))
    cut = sum(count for _, _, count in parts)
    alone = torch.cat([prompt for _, prompt, _ in parts]) if prompts else None
    return Embedded(values, preferences.strings("source"), cut / texts, identical, alone)


def _embed_block(
    preferences: Preferences, encoder: Encoder, views: Sequence[FeatureView], prompts: bool
) -> tuple[Tensor, Tensor, int]:
    """Features (n, 2, D) of some rows, (n, C) of their prompts, and how many texts were cut."""
    raw: dict[str, Tensor] = {}
    cut = 0
    for view in read_views(views, prompts):
        text_view, keep = TEXTS[view]
        sides = preferences.texts(text_view)
        flat = encoder.embed([*sides[0], *sides[1]], keep, f"embedding {view}")
        cut += encoder.truncated
        raw[view] = torch.from_numpy(np.stack(np.split(flat, 2), axis=1))
    if "product" in views:  # unit vectors: bring the product back to their scale
        raw["product"] = raw["prompt"] * raw["response"] * raw["prompt"].shape[-1] ** 0.5
    values = torch.cat([raw[view] for view in views], dim=-1)
    return values, raw["prompt"][:, 0] if prompts else values[:, 0, :0], cut


@dataclass(frozen=True)
class FeatureMap:
    """Fitted on training data: standardises features and, if asked, gives each source a copy.

    With sources, phi = [e, e * 1(source 1), e * 1(source 2), ...]: a head has a part that all
    sources share and one of each (Evgeniou and Pontil, 2004). A source that was not seen in
    training gets the shared part alone.
    """

    mean: Tensor  #: (D,) of the training features
    scale: Tensor  #: (D,) their standard deviation
    sources: tuple[str, ...] = ()  #: the sources that have a copy; empty for none
    prompts: FeatureMap | None = None  #: of the prompts' features, where a head looks at them

    @classmethod
    def fit(cls, embedded: Embedded, by_source: bool, weights: Floats | None = None) -> FeatureMap:
        """Fit the map on training features of N rows of weights (N,), 1 each by default."""
        named = {source for source in embedded.sources if source is not None}
        w = torch.ones(len(embedded.values)) if weights is None else torch.from_numpy(weights)
        return cls(
            *_moments(embedded.values.flatten(0, 1), w.repeat_interleave(2)),
            tuple(sorted(named)) if by_source else (),
            None if embedded.prompts is None else cls(*_moments(embedded.prompts, w)),
        )

    def __call__(self, embedded: Embedded) -> Tensor:
        """Features (N, 2, D), or (N, 2, D (1 + S)) with S sources."""
        standard = (embedded.values - self.mean) / self.scale
        if not self.sources:
            return standard
        indicator = torch.tensor(
            [[source == known for known in self.sources] for source in embedded.sources]
        ).to(standard)
        copies = torch.einsum("npd,ns->npsd", standard, indicator).flatten(2)
        return torch.cat([standard, copies], dim=-1)

    def context(self, embedded: Embedded) -> Tensor | None:
        """Standardised features (N, C) of the prompts; None where no head looks at them."""
        if self.prompts is None or embedded.prompts is None:
            return None
        return (embedded.prompts - self.prompts.mean) / self.prompts.scale


def _moments(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (D,) of values (n, D) of these weights (n,)."""
    if bool((weights == weights[0]).all()):
        return values.mean(0), values.std(0).clamp_min(1e-6)
    share = (weights / weights.sum()).to(values)[:, None]
    mean = (share * values).sum(0)
    return mean, (share * (values - mean).square()).sum(0).sqrt().clamp_min(1e-6)
