"""Evidence is the sum of its fields: whatever is done to it is done to each."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import pytest
import torch
from torch import Tensor

from surefoot.objectives import Evidence, ReferencePairs
from surefoot.objectives.evidence import known, opposite, rows_of_draws

N, P, R = 5, 6, 3
SETS = torch.tensor([0, 0, 1, 1, 1, 2])
OF = torch.tensor([2, 0, 1, 1, 0])


def _references() -> ReferencePairs:
    return ReferencePairs(
        torch.linspace(0.1, 0.6, P, dtype=torch.float64),
        SETS,
        OF,
        torch.tensor([2.0, 3.0, 1.0], dtype=torch.float64),
        draws=torch.tensor([7, 7, 9]),
    )


@dataclass(frozen=True)
class Wider(Evidence):
    """Evidence with a field that nobody has heard of."""

    confidence: Tensor | None = field(default=None, metadata=known("row", opposite))


def _wider() -> Wider:
    label = torch.tensor([1.0, 0.0, 0.5, 1.0, 0.25], dtype=torch.float64)
    return Wider(label, label / 2, _references(), confidence=label / 4)


class TestAFieldThatIsNew:
    def test_is_cut(self):
        for rows in (torch.tensor([4, 1]), slice(1, 3), torch.tensor([True] + [False] * 4)):
            found = _wider()[rows]
            torch.testing.assert_close(found.confidence, _wider().confidence[rows])
            torch.testing.assert_close(found.confidence, found.label / 4)

    def test_is_swapped(self):
        torch.testing.assert_close(_wider().swapped().confidence, 1 - _wider().confidence)
        assert _wider().swapped().references is not None

    def test_is_a_column(self):
        columns = _wider().as_columns()
        assert columns.confidence.shape == (N, 1)
        torch.testing.assert_close(columns.column(0).confidence, _wider().confidence)

    def test_is_moved(self):
        assert _wider().like(torch.zeros(1, dtype=torch.float32)).confidence.dtype == torch.float32

    def test_is_in_the_key(self):
        named = dict(_wider().named())
        assert named.keys() >= {"label", "auxiliary", "confidence", "references.of"}
        assert {f"references.{one.name}" for one in fields(ReferencePairs)} <= named.keys()

    @pytest.mark.parametrize("use", ["swapped", "as_columns", "cut"])
    def test_is_refused_where_it_does_not_say_what_it_is_of(self, use):
        @dataclass(frozen=True)
        class Forgotten(Evidence):
            confidence: Tensor | None = field(default=None)

        evidence = Forgotten(torch.ones(2), confidence=torch.ones(2))
        with pytest.raises(TypeError, match=r"Forgotten\.confidence"):
            evidence[torch.tensor([0])] if use == "cut" else getattr(evidence, use)()


class TestReferences:
    def test_some_rows_keep_what_is_theirs(self):
        part = _references()[torch.tensor([3, 0])]
        assert part.sets.tolist() == [0, 0, 0, 1]
        assert part.of.tolist() == [0, 1]
        assert part.independent.tolist() == [3.0, 1.0]
        assert part.draws.tolist() == [7, 9]
        assert part.rows.tolist() == [4.0, 1.0]  # as many as in all the data

    def test_an_index_stays_an_integer(self):
        moved = _references().like(torch.zeros(1, dtype=torch.float32))
        whole = {name for name, value in moved.named() if not value.is_floating_point()}
        assert whole == {"sets", "of", "draws"}
        assert moved.auxiliary.dtype == moved.rows.dtype == torch.float32

    def test_rows_of_unequal_weight(self):
        """(sum w)^2 / sum w^2: two rows of weight 1 and one of weight 2 are worth 16 / 6."""
        draws, of = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0, 2, 2])
        weight = torch.tensor([1.0, 1.0, 2.0, 0.0, 0.0])
        assert rows_of_draws(draws, of, weight).tolist() == pytest.approx([16 / 6, 16 / 6, 0])
        assert rows_of_draws(draws, of).tolist() == [3, 3, 2]

    def test_of_no_rows(self):
        part = _references()[torch.empty(0, dtype=torch.int64)]
        assert [len(value) for _, value in part.named()] == [0] * 6
