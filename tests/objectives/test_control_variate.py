"""VRPO: the identities of the paper and of its published code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from surefoot.errors import CompositionError, ConfigurationError, DataError
from surefoot.objectives import Evidence, Facts, Objective, ReferencePairs, enforce
from surefoot.objectives.presets import PRESETS

N = 60


def _draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _evidence(label: Tensor, auxiliary: Tensor, of_references: Tensor) -> Evidence:
    """Evidence with M reference pairs for each row, from their probabilities (N, M)."""
    n, m = of_references.shape
    rows = torch.arange(n)
    pairs = ReferencePairs(
        of_references.flatten(),
        rows.repeat_interleave(m),
        rows,
        torch.full((n,), float(m), dtype=torch.float64),
    )
    return Evidence(label, auxiliary, pairs)


def _world(m: int = 1) -> tuple[Tensor, Tensor, Evidence]:
    """Margins (N,), reference margins (N m,) and evidence of chosen-first pairs."""
    chance = torch.sigmoid(_draw(N, 1 + m, seed=1))
    evidence = _evidence(torch.ones(N, dtype=torch.float64), chance[:, 0], chance[:, 1:])
    return 2 * _draw(N, seed=2), 2 * _draw(N * m, seed=3), evidence


def _objective(coefficient: float | str = 1.0, loss: str = "logistic") -> Objective:
    return Objective(loss=loss, labels={"kind": "control-variate", "coefficient": coefficient})


def _official(margins, of_references, g1, g1_star):
    """The published loss as methods.md section 1.2 states it, in its own terms."""

    def ramp(u):
        return torch.relu(1 - u) - torch.relu(-0.5 - u)

    g2, g2_star = 1 - g1, 1 - g1_star
    data = ramp(margins) - (g1 * ramp(margins) + g2 * ramp(-margins))
    return data + (g1_star * ramp(of_references) + g2_star * ramp(-of_references))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_official_preset_is_the_published_loss(dtype):
    margins, of_references, evidence = _world()
    margins, of_references = margins.to(dtype), of_references.to(dtype)
    evidence = evidence.like(margins)
    objective = PRESETS["vrpo-official"]
    found = objective.pair_losses(margins, evidence, of_references)
    theirs = _official(margins, of_references, evidence.auxiliary, evidence.references.auxiliary)
    torch.testing.assert_close(found, theirs, rtol=4 * torch.finfo(dtype).eps, atol=1e-6)
    value = objective(margins, evidence, reference_margins=of_references).value
    torch.testing.assert_close(value, theirs.mean())


@pytest.mark.parametrize("loss", ["logistic", "squared", "ramp", "hinge"])
class TestIdentities:
    def test_its_own_pair_as_reference_is_plain(self, loss):
        """Identity (a): a_1 = chosen, a_2 = rejected, g* = g, for any g."""
        margins, _, evidence = _world()
        own = _evidence(evidence.label, evidence.auxiliary, evidence.auxiliary[:, None])
        plain = Objective(loss=loss).pair_losses(margins, own)
        torch.testing.assert_close(_objective(1.0, loss).pair_losses(margins, own, margins), plain)

    def test_an_auxiliary_that_knows_the_label_leaves_the_references(self, loss):
        """Identity (b): g = label, so the terms of the data cancel."""
        margins, of_references, evidence = _world()
        sure = _evidence(evidence.label, evidence.label, evidence.references.auxiliary[:, None])
        one = _objective(1.0, loss).pair_losses(margins, sure, of_references)
        other = _objective(1.0, loss).pair_losses(-3 * margins, sure, of_references)
        torch.testing.assert_close(one, other)

    def test_swapped_references_change_nothing(self, loss):
        """Identity (d)."""
        margins, of_references, evidence = _world()
        swapped = _evidence(
            evidence.label, evidence.auxiliary, 1 - evidence.references.auxiliary[:, None]
        )
        torch.testing.assert_close(
            _objective(0.7, loss).pair_losses(margins, evidence, of_references),
            _objective(0.7, loss).pair_losses(margins, swapped, -of_references),
        )


def test_logistic_is_a_linear_residual_and_synthetic_cross_entropy():
    """Identity (e): L = -(1 - g) m + l(m*) + (1 - g*) m*, at c = 1."""
    margins, of_references, evidence = _world()
    g, g_star = evidence.auxiliary, evidence.references.auxiliary
    expected = -(1 - g) * margins + torch.nn.functional.softplus(-of_references)
    expected = expected + (1 - g_star) * of_references
    found = _objective().pair_losses(margins, evidence, of_references)
    torch.testing.assert_close(found, expected)


def test_several_reference_pairs_are_averaged():
    margins, of_references, evidence = _world(m=4)
    found = _objective(0.8).pair_losses(margins, evidence, of_references)
    parts = [
        _objective(0.8).pair_losses(
            margins,
            _evidence(
                evidence.label,
                evidence.auxiliary,
                evidence.references.auxiliary.view(N, 4)[:, j : j + 1],
            ),
            of_references.view(N, 4)[:, j],
        )
        for j in range(4)
    ]
    torch.testing.assert_close(found, torch.stack(parts).mean(0))


@pytest.mark.parametrize(("m", "expected"), [(1, 0.5), (4, 0.8), (float("inf"), 1.0)])
def test_shrunk_is_best_for_the_variance_of_the_value(m, expected):
    margins, of_references, evidence = _world()
    pairs = evidence.references
    pairs = ReferencePairs(pairs.auxiliary, pairs.sets, pairs.of, torch.full((N,), float(m)))
    evidence = Evidence(evidence.label, evidence.auxiliary, pairs)
    torch.testing.assert_close(
        _objective("shrunk").pair_losses(margins, evidence, of_references),
        _objective(expected).pair_losses(margins, evidence, of_references),
    )


@pytest.mark.parametrize(("m", "rows"), [(1, 1), (2, 5), (4, 40), (8, 3)])
def test_shrunk_is_best_where_rows_share_their_references(m, rows):
    """By simulation of the sums over sets: l(g; m) normal, the label's noise apart from it."""
    rng = np.random.default_rng([m, rows])
    own, theirs = rng.standard_normal((20_000, rows)), rng.standard_normal((20_000, m))
    loss = (own + rng.standard_normal(own.shape)).sum(1)
    control = rows * theirs.mean(1) - own.sum(1)
    best = -np.cov(loss, control)[0, 1] / control.var()
    sets, of = torch.zeros(m, dtype=torch.int64), torch.zeros(rows, dtype=torch.int64)
    half = torch.full((m,), 0.5, dtype=torch.float64)
    pairs = ReferencePairs(half, sets, of, torch.tensor([float(m)], dtype=torch.float64))
    evidence = Evidence(half[:1].expand(rows), half[:1].expand(rows), pairs)
    margins = _draw(rows), _draw(m, seed=1)
    found = _objective("shrunk").pair_losses(margins[0], evidence, margins[1])
    ends = [_objective(c).pair_losses(margins[0], evidence, margins[1]) for c in (0.0, 1.0)]
    used = (found - ends[0]) / (ends[1] - ends[0])
    torch.testing.assert_close(used, torch.full_like(used, m / (m + rows)))
    assert best == pytest.approx(m / (m + rows), abs=0.02)


def test_a_step_shrinks_by_the_rows_of_all_the_data():
    """Two rows of a set of five, in a step without the others."""
    pairs = ReferencePairs(
        torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64),
        torch.tensor([0, 1, 1]),
        torch.tensor([0, 1, 1, 1, 1, 1]),
        torch.tensor([1.0, 2.0], dtype=torch.float64),
    )
    label = torch.ones(6, dtype=torch.float64)
    evidence, margins = Evidence(label, 0.7 * label, pairs), _draw(6)
    of_references = _draw(3, seed=1)
    whole = _objective("shrunk").pair_losses(margins, evidence, of_references)
    rows = torch.tensor([5, 2])
    some = of_references[pairs.pairs_of(rows)]
    part = _objective("shrunk").pair_losses(margins[rows], evidence[rows], some)
    torch.testing.assert_close(part, whole[rows])


def test_rows_may_share_a_set():
    """Evidence of some rows keeps the pairs that they need, once."""
    pairs = ReferencePairs(
        torch.tensor([0.1, 0.2, 0.3, 0.4]),
        torch.tensor([0, 0, 1, 2]),
        torch.tensor([2, 0, 0, 1]),
        torch.tensor([2.0, 1.0, 1.0]),
    )
    values = torch.tensor([1.0, 3.0, 5.0, 7.0])
    torch.testing.assert_close(pairs.average(values), torch.tensor([7.0, 2.0, 2.0, 5.0]))
    rows = torch.tensor([3, 0, 0])
    assert pairs.pairs_of(rows).tolist() == [2, 3]
    part = pairs[rows]
    torch.testing.assert_close(part.average(values[[2, 3]]), torch.tensor([5.0, 7.0, 7.0]))
    assert part.independent.tolist() == [1.0, 1.0]


class TestWhatDoesNotCompose:
    @pytest.mark.parametrize("risk", ["cvar", "kl-penalised", "soft-minimum"])
    def test_a_risk_over_pairs(self, risk):
        with pytest.raises(CompositionError, match=r"unbiased in the mean only|no lower bound"):
            Objective(labels="control-variate", risk=risk)

    def test_over_large_groups_it_is_averaged(self):
        objective = Objective(labels="control-variate", risk={"kind": "cvar", "unit": "group"})
        enforce(objective, Facts(smallest_unit=50))
        with pytest.raises(CompositionError, match="smallest has 5"):
            enforce(objective, Facts(smallest_unit=5))

    def test_probit_falls_like_a_square_unless_margins_are_limited(self):
        with pytest.raises(CompositionError, match="margin_limit"):
            Objective(loss="probit", labels="control-variate")
        limited = {"kind": "control-variate", "margin_limit": 3.0}
        assert not Objective(loss="probit", labels=limited).convex

    @pytest.mark.parametrize(
        ("loss", "coefficient", "bounded"),
        [("logistic", 0.5, False), ("squared", 0.5, True), ("squared", 1.0, False)],
    )
    def test_without_a_ridge_penalty(self, loss, coefficient, bounded):
        objective = _objective(coefficient, loss)
        if bounded:
            enforce(objective, Facts(l2=0.0, linear=True))
        else:
            with pytest.raises(CompositionError, match="ridge penalty"):
                enforce(objective, Facts(l2=0.0, linear=True))

    def test_missing_columns(self):
        for gone in ("auxiliary", "references", "reference_auxiliary"):
            columns = {"auxiliary", "references", "reference_auxiliary"} - {gone}
            with pytest.raises(CompositionError, match=f"'{gone}'"):
                enforce(_objective(), Facts(columns=frozenset(columns)))

    def test_evidence_that_is_not_there(self):
        margins, of_references, evidence = _world()
        with pytest.raises(DataError, match="auxiliary"):
            _objective().pair_losses(margins, Evidence(evidence.label), of_references)
        with pytest.raises(DataError, match="reference responses"):
            _objective().pair_losses(
                margins, Evidence(evidence.label, evidence.auxiliary), of_references
            )

    def test_a_coefficient_that_is_still_to_be_fitted(self):
        margins, of_references, evidence = _world()
        with pytest.raises(ConfigurationError, match="give a number"):
            _objective("fitted").pair_losses(margins, evidence, of_references)

    @pytest.mark.parametrize("coefficient", [-0.1, 1.5, "best"])
    def test_a_coefficient_out_of_range(self, coefficient):
        with pytest.raises(ConfigurationError, match="coefficient"):
            _objective(coefficient)
