"""The suite that every member of an objective passes, by being registered."""

from __future__ import annotations

import pytest
import reference
import torch
from compositions import LABELS, LOSSES, RISKS, composed, named
from torch import Tensor

from surefoot.objectives import (
    Column,
    Evidence,
    LabelModel,
    MarginLoss,
    Objective,
    ReferencePairs,
    Risk,
    Units,
)
from surefoot.objectives.duals import EstimatedRisk
from surefoot.objectives.label_models.observed import Observed


def _margins(n: int = 40, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return (3 * torch.randn(n, dtype=torch.float64)).requires_grad_()


def _evidence(n: int = 40, seed: int = 1, labels: LabelModel | None = None) -> Evidence:
    torch.manual_seed(seed)
    label = torch.rand(n, dtype=torch.float64)
    label[: n // 4], label[n // 4 : n // 2] = 1.0, 0.0
    auxiliary = torch.rand(n, dtype=torch.float64)
    return Evidence(label, auxiliary, _references(n), _columns(labels, n))


def _columns(labels: LabelModel | None, n: int) -> dict[Column, Tensor]:
    """What a label model reads beside: numbers between what is allowed, or around an example."""
    return {
        one: max(one.low, one.example - 1)
        + torch.rand(n, dtype=torch.float64)
        * (min(one.high, one.example + 1) - max(one.low, one.example - 1))
        for one in (labels.columns if labels else ())
    }


#: Reference pairs in three sets of 2, 3 and 1; row i has set i % 3.
SETS = torch.tensor([0, 0, 1, 1, 1, 2])
OF_REFERENCES = torch.tensor([0.7, -1.9, 3.1, 0.2, -0.4, 1.3], dtype=torch.float64)


def _references(n: int) -> ReferencePairs:
    auxiliary = torch.tensor([0.9, 0.3, 0.5, 0.2, 1.0, 0.6], dtype=torch.float64)
    return ReferencePairs(
        auxiliary, SETS, torch.arange(n) % 3, torch.bincount(SETS).to(torch.float64)
    )


def _pair_losses(objective: Objective, margins: Tensor, evidence: Evidence) -> Tensor:
    of_references = OF_REFERENCES.to(margins)
    return objective.pair_losses(
        margins, evidence, of_references if margins.dim() == 1 else of_references[:, None]
    )


def _off_kinks(psi: MarginLoss, margins: Tensor) -> Tensor:
    kinks = [sign * k for k in (*psi.properties.kinks, 0.0) for sign in (1, -1)]
    near = [(margins - k).abs() < 1e-3 for k in kinks]
    return margins.detach().masked_fill(torch.stack(near).any(0), 0.3).requires_grad_()


def _equal_in_float32(function, at: Tensor) -> None:
    """Values and gradients, to rounding."""
    found = []
    for dtype in (torch.float64, torch.float32):
        here = at.to(dtype).requires_grad_()
        values = function(here)
        assert values.dtype == dtype
        (gradient,) = torch.autograd.grad(values.sum(), here)
        found.append((values.detach().double(), gradient.double()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


def test_every_member_has_a_reference():
    assert set(MarginLoss.registry) == set(reference.MARGIN_LOSSES)
    assert set(LabelModel.registry) == set(reference.LABEL_MODELS)
    assert set(Risk.registry) == set(reference.RISKS)


@pytest.mark.parametrize(("psi", "options", "ref"), LOSSES, ids=map(str, LOSSES))
class TestMarginLoss:
    def test_agrees_with_its_reference(self, psi, options, ref):
        margins = torch.linspace(-30, 30, 121, dtype=torch.float64)
        expected = torch.tensor([ref(m, options) for m in margins.tolist()], dtype=torch.float64)
        torch.testing.assert_close(psi(margins), expected, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
    def test_finite_at_extreme_margins(self, psi, options, ref, dtype):
        margins = torch.tensor([-1e4, -88.0, -1.0, 0.0, 1.0, 88.0, 1e4], dtype=dtype)
        margins.requires_grad_()
        losses = psi(margins)
        (gradient,) = torch.autograd.grad(losses.sum(), margins)
        assert losses.isfinite().all()
        assert gradient.isfinite().all()

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_slope_and_bend_far_from_zero(self, psi, options, ref, dtype):
        """By differences of the reference in float64: neither may drown in either precision."""
        far = [0.7, 3.0, 4.99, 5.01, 8.0, 13.0, 20.0, 40.0, 100.0, 300.0, 1e3, 1e4]
        margins = torch.tensor([-m for m in far] + far, dtype=dtype, requires_grad=True)
        (slope,) = torch.autograd.grad(psi(margins).sum(), margins, create_graph=True)
        bend = torch.zeros_like(slope)
        if slope.requires_grad:
            (bend,) = torch.autograd.grad(slope.sum(), margins)
        slopes, bends = slope.tolist(), bend.tolist()
        for i, m in enumerate(margins.tolist()):
            h = 1e-3 * max(1.0, abs(m))
            low, middle, high = (ref(m + k * h, options) for k in (-1, 0, 1))
            assert slopes[i] == pytest.approx((high - low) / (2 * h), rel=1e-5, abs=1e-5), m
            second = (low - 2 * middle + high) / h**2
            assert bends[i] == pytest.approx(second, rel=1e-4, abs=1e-4), m

    def test_gradient(self, psi, options, ref):
        assert torch.autograd.gradcheck(psi, _off_kinks(psi, _margins()))

    def test_in_float32(self, psi, options, ref):
        _equal_in_float32(psi, _off_kinks(psi, _margins()).detach())

    def test_elementwise(self, psi, options, ref):
        margins = _margins().detach()
        torch.testing.assert_close(psi(margins.reshape(8, 5)).reshape(-1), psi(margins))

    @pytest.mark.parametrize("p", [0.0, 0.02, 0.3, 0.5, 0.9, 1.0])
    def test_irreducible_loss(self, psi, options, ref, p):
        if type(psi).irreducible is MarginLoss.irreducible:
            with pytest.raises(ValueError, match="least expected loss"):
                psi.irreducible(torch.tensor(p))
            return
        grid = [k / 20 for k in range(-400, 401)]  # holds the best margin, or one near it
        expected = min(p * ref(m, options) + (1 - p) * ref(-m, options) for m in grid)
        found = float(psi.irreducible(torch.tensor(p, dtype=torch.float64)))
        assert found <= expected + 1e-12
        assert found == pytest.approx(expected, abs=1e-3)

    @pytest.mark.parametrize("penalty", [0.2, 0.7])
    def test_slack_point(self, psi, options, ref, penalty):
        if not psi.properties.convex:
            with pytest.raises(ValueError, match="not convex"):
                psi.slack_point(penalty)
            return
        point = psi.slack_point(penalty)
        h = 1e-5
        left, right = (
            psi(torch.tensor([point, point + s * h], dtype=torch.float64)) for s in (-1, 1)
        )
        left_slope, right_slope = (left[0] - left[1]) / h, (right[1] - right[0]) / h
        assert left_slope - 1e-4 <= -penalty <= right_slope + 1e-4

    def test_margins_of_scores(self, psi, options, ref):
        scores = torch.randn(6, 2, 3)
        torch.testing.assert_close(psi.margins(scores), scores[:, 0] - scores[:, 1])


LOGISTIC = [one for one in LOSSES if one.member.kind == "logistic"]
LABELLED = [
    pytest.param(objective, settings, id=named(settings))
    for objective, settings in composed(loss=LOSSES, labels=LABELS)
]


@pytest.mark.parametrize(("objective", "settings"), LABELLED)
class TestLabelModel:
    def test_agrees_with_its_reference(self, objective, settings):
        (_, psi_options, psi_ref), (labels, options, ref) = settings
        margins, evidence = _margins().detach(), _evidence(labels=labels)
        beside = [
            {one.name: float(values[i]) for one, values in evidence.columns.items()}
            for i in range(40)
        ]

        def psi_of(m):
            return psi_ref(m, psi_options)

        known = list(
            zip(OF_REFERENCES.tolist(), evidence.references.auxiliary.tolist(), strict=True)
        )
        sets = [[pair for pair, s in zip(known, SETS, strict=True) if s == k] for k in range(3)]
        expected = [
            ref(
                psi_of,
                *(m, y, g, sets[i % 3]),
                options | {"sharing": len(range(i % 3, 40, 3))} | beside[i],
            )
            for i, (m, y, g) in enumerate(
                zip(
                    margins.tolist(),
                    evidence.label.tolist(),
                    evidence.auxiliary.tolist(),
                    strict=True,
                )
            )
        ]
        torch.testing.assert_close(
            _pair_losses(objective, margins, evidence),
            torch.tensor(expected, dtype=torch.float64),
            rtol=1e-5,
            atol=1e-6,
        )

    def test_finite_at_extreme_margins(self, objective, settings):
        margins = torch.tensor([-1e4, -50.0, 0.0, 50.0, 1e4]).requires_grad_()
        evidence = Evidence(
            torch.tensor([1.0, 0.0, 0.5, 0.7, 0.0]),
            torch.full((5,), 0.3),
            _references(5),
            _columns(objective.labels, 5),
        ).like(margins)
        losses = _pair_losses(objective, margins, evidence)
        (gradient,) = torch.autograd.grad(losses.sum(), margins)
        assert losses.isfinite().all()
        assert gradient.isfinite().all()

    def test_gradient(self, objective, settings):
        margins = _off_kinks(objective.loss, _margins())
        assert torch.autograd.gradcheck(
            lambda m: _pair_losses(objective, m, _evidence(labels=objective.labels)), margins
        )

    def test_in_float32(self, objective, settings):
        margins = _off_kinks(objective.loss, _margins()).detach()
        _equal_in_float32(
            lambda m: _pair_losses(objective, m, _evidence(labels=objective.labels).like(m)),
            margins,
        )

    def test_swap_and_flip_symmetry(self, objective, settings):
        margins, evidence = _margins().detach(), _evidence(labels=objective.labels)
        torch.testing.assert_close(
            _pair_losses(objective, margins, evidence),
            _pair_losses(objective, -margins, evidence.swapped()),
        )

    def test_broadcasts_over_heads(self, objective, settings):
        margins = torch.randn(10, 3, dtype=torch.float64)
        evidence = _evidence(10, labels=objective.labels)
        together = _pair_losses(objective, margins, evidence.as_columns())
        for k in range(3):
            apart = _pair_losses(objective, margins[:, k], evidence)
            torch.testing.assert_close(together[:, k], apart)

    def test_convexity_is_as_declared(self, objective, settings):
        grid = torch.linspace(-12, 12, 2401, dtype=torch.float64)
        bends = []
        for y in (0.0, 0.1, 0.5, 0.8, 1.0):
            for g in (y, 0.3):
                p, q = torch.tensor([[y], [g]], dtype=torch.float64)
                losses = _pair_losses(
                    objective, grid, Evidence(p, q, _references(1), _columns(objective.labels, 1))
                )
                bends.append(losses.diff().diff().min())
        assert objective.convex == bool(min(bends) > -1e-9)


@pytest.mark.parametrize(
    ("objective", "neutral"),
    [
        pytest.param(objective, neutral, id=named(settings))
        for objective, settings in composed(loss=LOSSES, labels=LABELS)
        if (neutral := objective.labels.neutral(objective.loss)) is not None
    ],
)
def test_neutral_labels_equal_the_plain_ones(objective, neutral):
    margins, evidence = _margins(), _evidence(labels=objective.labels)
    values = [
        _pair_losses(Objective(loss=objective.loss, labels=model), margins, evidence)
        for model in (neutral, Observed())
    ]
    torch.testing.assert_close(*values)
    gradients = [torch.autograd.grad(v.sum(), margins, retain_graph=True)[0] for v in values]
    torch.testing.assert_close(*gradients)


def _losses(n=9, seed=3):
    torch.manual_seed(seed)
    return torch.randn(n, dtype=torch.float64).exp().requires_grad_()


@pytest.mark.parametrize(("risk", "options", "ref"), RISKS, ids=map(str, RISKS))
class TestRisk:
    def test_agrees_with_its_reference(self, risk, options, ref):
        losses = _losses()
        mass = torch.rand(9, dtype=torch.float64) + 0.1
        mass = mass / mass.sum()
        expected = ref(losses.detach().numpy(), mass.numpy(), options)
        assert risk(losses, mass).value.item() == pytest.approx(expected, rel=1e-6)

    def test_gradient_is_the_weights(self, risk, options, ref):
        losses = _losses()
        result = risk(losses)
        (gradient,) = torch.autograd.grad(result.value, losses)
        torch.testing.assert_close(gradient, result.weights)
        assert torch.autograd.gradcheck(lambda x: risk(x).value, losses, atol=1e-5)

    def test_in_float32(self, risk, options, ref):
        _equal_in_float32(lambda losses: risk(losses).value, _losses().detach())

    def test_weights_are_a_distribution(self, risk, options, ref):
        for scale in (1e-3, 1.0, 1e4):  # also where exponentials would overflow
            result = risk(_losses() * scale)
            assert result.value.isfinite()
            assert (result.weights >= 0).all()
            assert result.weights.sum().item() == pytest.approx(1)

    def test_direction_is_as_declared(self, risk, options, ref):
        losses = _losses().detach()
        weights = risk(losses).weights
        with_loss = torch.corrcoef(torch.stack([losses, weights]))[0, 1]
        mean = losses.mean()
        match risk.properties.direction:
            case "none":
                torch.testing.assert_close(weights, torch.full_like(weights, 1 / 9))
            case "against shift":
                assert with_loss > 0
                assert mean < risk(losses).value <= losses.max()
            case "against noise":
                assert with_loss < 0
                assert losses.min() <= risk(losses).value < mean

    def test_shift_equivariant(self, risk, options, ref):
        losses = _losses()
        torch.testing.assert_close(risk(losses + 3).value, risk(losses).value + 3)
        torch.testing.assert_close(risk(losses + 3).weights, risk(losses).weights)

    def test_permutation(self, risk, options, ref):
        losses, order = _losses(), torch.randperm(9)
        torch.testing.assert_close(risk(losses[order]).value, risk(losses).value)
        torch.testing.assert_close(risk(losses[order]).weights, risk(losses).weights[order])

    def test_duplicates_in_a_unit_count_as_mass(self, risk, options, ref):
        losses = _losses(4).detach()
        counts = torch.tensor([1, 3, 2, 1])
        ids = torch.repeat_interleave(torch.arange(4), counts)
        in_units = risk(losses[ids], units=Units(ids, 4))
        as_mass = risk(losses, counts)
        torch.testing.assert_close(in_units.value, as_mass.value)
        torch.testing.assert_close(in_units.unit_weights, as_mass.weights)
        assert in_units.weights.sum().item() == pytest.approx(1)

    def test_equal_mass_of_units(self, risk, options, ref):
        losses = _losses(6).detach()
        units = Units(torch.tensor([0, 0, 0, 0, 1, 2]), 3)
        equal = type(risk)(**options, unit="group", unit_mass="equal")(losses, units=units)
        means = torch.stack([losses[:4].mean(), losses[4], losses[5]])
        torch.testing.assert_close(equal.value, risk(means).value)

    def test_absent_rows_have_no_say(self, risk, options, ref):
        losses = _losses().detach()
        mass = torch.ones(9, dtype=torch.float64)
        mass[:3] = 0
        torch.testing.assert_close(risk(losses, mass).value, risk(losses[3:]).value)
        assert (risk(losses, mass).weights[:3] == 0).all()

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
    @pytest.mark.parametrize("unit_mass", ["pairs", "equal"])
    @pytest.mark.parametrize("trim", [0.0, 0.2])
    def test_a_unit_without_mass_is_absent(self, risk, options, ref, trim, unit_mass, dtype):
        for estimate in ("step", "dual") if isinstance(risk, EstimatedRisk) else ("step",):
            self._is_absent(risk, options, estimate, trim, unit_mass, dtype)

    def _is_absent(self, risk, options, estimate, trim, unit_mass, dtype):
        """A unit without mass, whatever its losses are; and it may come back."""
        estimated = {"estimate": estimate} if isinstance(risk, EstimatedRisk) else {}
        own = type(risk)(**options, **estimated, unit="group", unit_mass=unit_mass, trim=trim)
        ids = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3, 3, 3])
        here = ids != 2
        losses = torch.where(here, _losses(10).detach(), 1e4).to(dtype).requires_grad_()
        found = own(losses, here.to(dtype), Units(ids, 4))
        without = own(losses[here], units=Units(torch.tensor([0, 0, 0, 1, 1, 2, 2, 2]), 3))
        torch.testing.assert_close(found.value, without.value)
        torch.testing.assert_close(found.weights[here], without.weights)
        assert not found.weights[~here].any()
        assert not found.unit_weights[2].any()
        (gradient,) = torch.autograd.grad(found.value, losses)
        assert not gradient[~here].any()
        state = found.state
        for present in (ids == 2, here):  # a step of it alone, and one of the others
            again = own(losses.detach() / 1e4, present.to(dtype), Units(ids, 4), state)
            state = again.state
            assert again.value.isfinite()
            assert again.weights.isfinite().all()
            assert all(one.isfinite().all() for one in state.values())
        everyone = own(losses.detach() / 1e4, units=Units(ids, 4), state=state)
        assert everyone.value.isfinite()
        assert float(everyone.weights.min()) >= 0

    def test_heads_are_independent(self, risk, options, ref):
        losses = torch.randn(9, 4, dtype=torch.float64).exp()
        units = Units(torch.tensor([0, 0, 1, 1, 1, 2, 2, 3, 3]), 4)
        mass = torch.rand(9, 4, dtype=torch.float64)
        together = risk(losses, mass, units)
        for k in range(4):
            apart = risk(losses[:, k], mass[:, k], units)
            torch.testing.assert_close(together.value[k], apart.value)
            torch.testing.assert_close(together.weights[:, k], apart.weights)


@pytest.mark.parametrize(
    "risk",
    [
        pytest.param(one.member, id=str(one))
        for one in RISKS
        if one.member.properties.neutral is not None
    ],
)
def test_a_neutral_risk_equals_the_mean(risk):
    losses = _losses()
    neutral = type(risk)(**risk.properties.neutral)(losses)
    torch.testing.assert_close(neutral.value, losses.mean(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        neutral.weights, torch.full_like(losses.detach(), 1 / 9), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(
    "objective",
    [
        pytest.param(objective, id=named(settings[1:]))
        for objective, settings in composed(loss=LOGISTIC, labels=LABELS, risk=RISKS)
    ],
)
@pytest.mark.parametrize("size", [1, 2, 8])
def test_a_split_step_equals_the_whole(objective, size):
    margins, evidence = _margins(20), _evidence(20, labels=objective.labels)
    found = objective(margins, evidence, reference_margins=OF_REFERENCES)
    (whole,) = torch.autograd.grad(found.value, margins)
    weights = found.weights
    split = torch.zeros_like(margins)
    for rows in torch.arange(20).split(size):
        part = margins.detach()[rows].requires_grad_()
        theirs = OF_REFERENCES[evidence.references.pairs_of(rows)]
        losses = objective.pair_losses(part, evidence[rows], theirs)
        loss = (weights[rows] * losses).sum()
        (split[rows],) = torch.autograd.grad(loss, part)
    torch.testing.assert_close(split, whole)
