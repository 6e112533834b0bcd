"""Comparisons of a tabular world: as indices of prompts and responses, drawn or enumerated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot.arrays import Floats, Ints
from surefoot.errors import DataError
from surefoot.objectives import Evidence, ReferencePairs


@dataclass(frozen=True)
class TabularPairs:
    """N comparisons with M reference pairs each; "..." are independent repetitions, or nothing."""

    prompts: Ints  #: (N, ...) prompt of each comparison
    responses: Ints  #: (N, ..., 2) response a and response b
    labels: Floats  #: (N, ...) 1 where a was preferred, else 0
    kinds: Ints  #: (N, ...) the kind of annotator who gave the label
    #: (N M, ..., 2) pairs of reference responses to the same prompts; those of row i are i M to
    #: (i + 1) M - 1
    references: Ints
    mass: Floats  #: (N, ...) of each comparison: 1 where drawn, its probability where enumerated

    @property
    def pairs(self) -> int:
        """M, the number of reference pairs per row."""
        return len(self.references) // len(self.prompts)

    @property
    def reference_prompts(self) -> Ints:
        """(N M, ...) prompt of each reference pair."""
        return self.prompts.repeat(self.pairs, axis=0)

    def look_up(self, table: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Entries (N, ...) of the comparisons and (N M, ...) of the references, from (X, A, A)."""
        own, other = self.responses, self.references
        return (
            table[self.prompts, own[..., 0], own[..., 1]],
            table[self.reference_prompts, other[..., 0], other[..., 1]],
        )

    def differences(self, features: Floats) -> Tensor:
        """Features (N + N M, ..., D) of the first response less the second's, from (X, A, D)."""
        prompts = np.concatenate([self.prompts, self.reference_prompts])
        responses = np.concatenate([self.responses, self.references])
        first, second = (features[prompts, responses[..., side]] for side in (0, 1))
        return torch.from_numpy(first - second)

    def evidence(
        self, auxiliary: Floats | None = None, of_references: npt.NDArray[Any] | None = None
    ) -> Evidence:
        """The labels, and what an auxiliary preference model says.

        Args:
            auxiliary: (X, A, A) P(first preferred) by prompt and responses; or (N, ...) of each
                comparison, and then `of_references` too.
            of_references: (N M, ...) P(first preferred) of each reference pair.

        Raises:
            DataError: there are no reference pairs for the auxiliary model to speak of.
        """
        label = torch.from_numpy(self.labels)
        if auxiliary is None:
            return Evidence(label)
        if not len(self.references):
            raise DataError("an auxiliary model needs reference pairs: draw some (pairs >= 1).")
        if of_references is None:
            auxiliary, of_references = self.look_up(auxiliary)
        rows, m = torch.arange(len(self.prompts)), self.pairs
        references = ReferencePairs(
            torch.from_numpy(of_references),
            rows.repeat_interleave(m),
            rows,
            torch.full((len(rows),), float(m), dtype=torch.float64),
        )
        return Evidence(label, torch.from_numpy(auxiliary), references)
