"""What is known of the preference of each pair, and of pairs of reference responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class ReferencePairs:
    """P pairs of responses from the reference policy, in R sets; each row has one set.

    Rows of one prompt may share a set, as where the reference policy is a pool of responses.

    Attributes:
        auxiliary: (P, ...) P(first preferred) by an auxiliary preference model.
        sets: (P,) the set of each pair, in [0, R), ascending, no set empty.
        of: (N,) the set of each row.
        independent: (R,) how many independent pairs a set is worth: M for M draws; infinite for a
            pool of which the set holds every pair.
    """

    auxiliary: Tensor
    sets: Tensor
    of: Tensor
    independent: Tensor

    def average(self, values: Tensor) -> Tensor:
        """Mean (N, ...) over the pairs of each row's set of values (P, ...)."""
        count = len(self.independent)
        sums = values.new_zeros(count, *values.shape[1:]).index_add(0, self.sets, values)
        sizes = torch.bincount(self.sets, minlength=count).to(values)
        means = sums / sizes.view(-1, *[1] * (values.dim() - 1))
        return means[self.of]

    def pairs_of(self, rows: Tensor) -> Tensor:
        """Positions (p,) of the pairs that some rows (n,) need, in the order of the sets."""
        needed = torch.zeros(len(self.independent), dtype=torch.bool)
        needed[self.of[rows]] = True
        return torch.nonzero(needed[self.sets]).squeeze(1)

    def __getitem__(self, rows: Tensor) -> ReferencePairs:
        """The sets of some rows (n,), with the pairs that :meth:`pairs_of` names."""
        pairs = self.pairs_of(rows)
        kept, of = self.of[rows].unique(return_inverse=True)
        sets = torch.searchsorted(kept, self.sets[pairs])
        return ReferencePairs(self.auxiliary[pairs], sets, of, self.independent[kept])


@dataclass(frozen=True)
class Evidence:
    """What is known of the preference of each pair; shapes broadcast to the margins' (N, ...).

    Attributes:
        label: (N, ...) P(a preferred) as observed: 1, 0, 0.5 for a tie, or soft.
        auxiliary: (N, ...) P(a preferred) by an auxiliary preference model.
        references: pairs of reference responses for each row.
    """

    label: Tensor
    auxiliary: Tensor | None = None
    references: ReferencePairs | None = None

    def __getitem__(self, rows: Tensor | slice) -> Evidence:
        """The evidence of some rows."""
        chosen = torch.arange(len(self.label))[rows] if isinstance(rows, slice) else rows
        found = self._each(lambda values: values[rows])
        if self.references is None:
            return found
        return replace(found, references=self.references[chosen])

    def as_columns(self) -> Evidence:
        """The evidence of (N,) pairs as (N, 1), which broadcasts over heads."""
        return self._each(lambda values: values[:, None])._of_references(lambda p: p[:, None])

    def like(self, tensor: Tensor) -> Evidence:
        """The evidence in the type and on the device of a tensor."""
        found = self._each(lambda values: values.to(tensor))
        if found.references is None:
            return found
        r = found.references
        device = tensor.device
        moved = ReferencePairs(
            r.auxiliary.to(tensor), r.sets.to(device), r.of.to(device), r.independent.to(tensor)
        )
        return replace(found, references=moved)

    def swapped(self) -> Evidence:
        """The evidence with the two responses of every pair exchanged, not those of references."""
        return self._each(lambda values: 1 - values)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Evidence:
        auxiliary = None if self.auxiliary is None else change(self.auxiliary)
        return replace(self, label=change(self.label), auxiliary=auxiliary)

    def _of_references(self, change: Callable[[Tensor], Tensor]) -> Evidence:
        if self.references is None:
            return self
        changed = replace(self.references, auxiliary=change(self.references.auxiliary))
        return replace(self, references=changed)
