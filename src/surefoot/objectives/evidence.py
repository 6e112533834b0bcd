"""What is known of the preference of each pair, and of pairs of reference responses.

Every field says what it is of and what becomes of it where the responses of a pair change places.
Slices, copies, swaps and keys go over the fields: one that is new cannot be left out of them. What
a label model reads that nobody else does is a declared column, and needs no field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from surefoot.columns import Column
from surefoot.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

#: What there is one entry for: a row of the data, a reference pair, or a set of such pairs.
Per = Literal["row", "pair", "set"]
#: From a field to what it is where response a is called b, and b a.
Swap = Callable[[Any], Any]


def opposite(chance: Tensor) -> Tensor:
    """P(b preferred), from P(a preferred)."""
    return 1 - chance


def same(value: Any) -> Any:
    """A value that does not change where the two responses change places."""
    return value


def known(per: Per, swap: Swap, problems: bool = True) -> Mapping[str, Any]:
    """The metadata of a field of what is known.

    Args:
        per: what it has an entry for.
        swap: from its value to that of the swapped pairs.
        problems: whether there may be more dimensions behind the first, one for each of several
            problems; otherwise it is the same in all of them.
    """
    return {"per": per, "swap": swap, "problems": problems}


#: How a declared column is cut and swapped.
_SWAPS: Mapping[str, Mapping[str, Any]] = {
    "same": known("row", same),
    "1 - value": known("row", opposite),
}


class _Known:
    """What evidence and its reference pairs have in common: they are the sum of their fields."""

    def named(self) -> Iterator[tuple[str, Tensor | None]]:
        """Every tensor by its name, those of reference pairs too, for keys and comparisons."""
        for one in fields(self):  # type: ignore[arg-type]  # dataclasses only
            value = getattr(self, one.name)
            if isinstance(value, _Known):
                yield from ((f"{one.name}.{name}", tensor) for name, tensor in value.named())
            elif isinstance(value, Mapping):
                yield from ((f"{one.name}.{key.name}", value[key]) for key in value)
            else:
                yield one.name, value

    def like(self, tensor: Tensor) -> Self:
        """A copy in the type and on the device of a tensor; indices stay integers."""

        def moved(value: Any, said: Mapping[str, Any]) -> Any:
            del said
            if isinstance(value, _Known):
                return value.like(tensor)
            return value.to(tensor) if value.is_floating_point() else value.to(tensor.device)

        return self._each(moved)

    def swapped(self) -> Self:
        """A copy with the two responses of every pair exchanged, not those of references."""
        return self._each(lambda value, said: said["swap"](value))

    def as_columns(self) -> Self:
        """What is known of (N,) pairs as (N, 1), which broadcasts over heads."""
        return self.column(None)

    def column(self, problems: Tensor | int | None) -> Self:
        """What is known (N, ...) in some of R problems side by side, from (N, R)."""

        def chosen(value: Any, said: Mapping[str, Any]) -> Any:
            if isinstance(value, _Known):
                return value.column(problems)
            return value[:, problems] if said["problems"] else value

        return self._each(chosen)

    def _each(self, change: Callable[[Any, Mapping[str, Any]], Any]) -> Self:
        """A copy with each field changed that is there, given what :func:`known` says of it.

        Raises:
            TypeError: a field does not say what it is of.
        """
        values: dict[str, Any] = {}
        for one in fields(self):  # type: ignore[arg-type]
            if not one.metadata.keys() >= {"per", "swap", "problems"}:
                raise TypeError(
                    f"{type(self).__name__}.{one.name} has to be declared with "
                    "`field(metadata=known(...))`: nobody knows how it is cut and swapped."
                )
            value = getattr(self, one.name)
            if isinstance(value, Mapping):
                values[one.name] = {key: change(v, _SWAPS[key.swapped]) for key, v in value.items()}
            elif value is not None:
                values[one.name] = change(value, one.metadata)
        return replace(self, **values)  # type: ignore[type-var]


def _absent() -> Tensor:
    import torch

    return torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True)
class ReferencePairs(_Known):
    """P pairs of responses from the reference policy, in R sets; each row has one set.

    Rows of one prompt may share a set, as where the reference policy is a pool of responses.

    Attributes:
        auxiliary: (P, ...) P(first preferred) by an auxiliary preference model.
        sets: (P,) the set of each pair, in [0, R), ascending, no set empty.
        of: (N,) the set of each row.
        independent: (R,) how many independent pairs a set is worth: M for M draws; infinite for a
            pool of which the set holds every pair.
        draws: (R,) the draw of responses that each set is of. Sets that differ only in what the
            auxiliary model says, as where it was fitted by folds of rows, are of one draw: what
            chance put into it, they share. Default: each set is a draw of its own.
        rows: (R,) how many rows of equal weight share the draw of each set, in all the data; some
            rows of the evidence have the same figure. Default: as counted here.
    """

    auxiliary: Tensor = field(metadata=known("pair", same))
    sets: Tensor = field(metadata=known("pair", same, problems=False))
    of: Tensor = field(metadata=known("row", same, problems=False))
    independent: Tensor = field(metadata=known("set", same, problems=False))
    draws: Tensor = field(default_factory=_absent, metadata=known("set", same, problems=False))
    rows: Tensor = field(default_factory=_absent, metadata=known("set", same, problems=False))

    def __post_init__(self) -> None:
        """Fill in what was not given."""
        import torch

        if not len(self.draws):
            own = torch.arange(len(self.independent), device=self.of.device)
            object.__setattr__(self, "draws", own)
        if not len(self.rows):
            counted = rows_of_draws(self.draws, self.of).to(self.independent)
            object.__setattr__(self, "rows", counted)

    def average(self, values: Tensor) -> Tensor:
        """Mean (N, ...) over the pairs of each row's set of values (P, ...)."""
        import torch

        count = len(self.independent)
        sums = values.new_zeros(count, *values.shape[1:]).index_add(0, self.sets, values)
        sizes = torch.bincount(self.sets, minlength=count).to(values)
        means = sums / sizes.view(-1, *[1] * (values.dim() - 1))
        return means[self.of]

    def pairs_of(self, rows: Tensor) -> Tensor:
        """Positions (p,) of the pairs that some rows (n,) need, in the order of the sets."""
        import torch

        needed = torch.zeros(len(self.independent), dtype=torch.bool)
        needed[self.of[rows]] = True
        return torch.nonzero(needed[self.sets]).squeeze(1)

    def __getitem__(self, rows: Tensor) -> ReferencePairs:
        """The sets of some rows (n,), with the pairs that :meth:`pairs_of` names."""
        import torch

        kept, of = self.of[rows].unique(return_inverse=True)
        places = {"row": rows, "pair": self.pairs_of(rows), "set": kept}
        part = self._each(lambda value, said: value[places[said["per"]]])
        return replace(part, of=of, sets=torch.searchsorted(kept, part.sets))


@dataclass(frozen=True)
class Evidence(_Known):
    """What is known of the preference of each pair; shapes broadcast to the margins' (N, ...)."""

    #: (N, ...) P(a preferred) as observed: 1, 0, 0.5 for a tie, or soft
    label: Tensor = field(metadata=known("row", opposite))
    #: (N, ...) P(a preferred) by an auxiliary preference model
    auxiliary: Tensor | None = field(default=None, metadata=known("row", opposite))
    #: pairs of reference responses for each row
    references: ReferencePairs | None = field(default=None, metadata=known("row", same))
    #: (N, ...) what the label model reads beside
    columns: Mapping[Column, Tensor] = field(default_factory=dict, metadata=known("row", same))

    def of(self, column: Column) -> Tensor:
        """A declared column (N, ...).

        Raises:
            DataError: it is not among the evidence.
        """
        if column not in self.columns:
            raise DataError(f"the column {column.name!r} is needed, and is not among the evidence.")
        return self.columns[column]

    def __getitem__(self, rows: Tensor | slice) -> Self:
        """The evidence of some rows."""
        import torch

        chosen = torch.arange(len(self.label))[rows] if isinstance(rows, slice) else rows
        return self._each(lambda value, said: value[chosen])


def rows_of_draws(draws: Tensor, of: Tensor, weight: Tensor | None = None) -> Tensor:
    """How many rows share the draw of each set (R,), in float64.

    Args:
        draws: (R,) the draw that each set is of.
        of: (N,) the set of each row.
        weight: (N,) of each row; rows of unequal weight w count as (sum w)^2 / sum w^2.
    """
    import torch

    names, positions = draws.unique(return_inverse=True)
    draw = positions[of.reshape(-1)]
    w = torch.ones(len(draw), dtype=torch.float64) if weight is None else weight.double()
    w = w.to(of.device)
    total, squares = (
        w.new_zeros(len(names)).index_add(0, draw, values) for values in (w, w.square())
    )
    return (total.square() / squares).nan_to_num(0.0)[positions]
