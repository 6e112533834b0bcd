"""What members do, measured: each declared property by the behaviour that it promises.

`wrong(member, dtype)` names the properties whose declaration differs from what is measured. A
property without a measure here fails the suite, so that none is trusted.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace

import torch
from reference import LABEL_MODELS, MARGIN_LOSSES, RISKS
from torch import Tensor

from surefoot.errors import ConfigurationError, DataError
from surefoot.objectives import (
    Column,
    Evidence,
    LabelModel,
    MarginLoss,
    Objective,
    Outputs,
    ReferencePairs,
    Regulariser,
    Risk,
    Units,
)
from surefoot.objectives.label_model import LabelProperties
from surefoot.objectives.margin_loss import LossProperties
from surefoot.objectives.regulariser import PairPenalty
from surefoot.objectives.risk import RiskProperties

Dtype = torch.dtype
LOGISTIC, RAMP, HINGE = map(MarginLoss.parse, ("logistic", "ramp", "hinge"))
#: A jump of a slope between neighbours of a fine grid; smooth functions change less there.
JUMP = 0.02


def _slopes(function, at: Tensor) -> Tensor:
    at = at.detach().requires_grad_()
    return torch.autograd.grad(function(at).sum(), at)[0]


def _grid(dtype: Dtype, reach: float = 8.0) -> Tensor:
    """Points 0.001 apart, none of them a multiple of 0.01, where kinks are."""
    return torch.arange(-reach + 0.0005, reach, 0.001, dtype=torch.float64).to(dtype)


# Margin losses


def _convex(psi: MarginLoss, dtype: Dtype) -> bool:
    return bool((_slopes(psi, _grid(dtype)).diff() > -1e-4).all())


def _jumps(psi: MarginLoss, dtype: Dtype) -> list[float]:
    grid = _grid(dtype)
    place = torch.nonzero(_slopes(psi, grid).diff().abs() > JUMP).squeeze(1)
    return sorted(round(float(grid[i] + grid[i + 1]) / 2, 2) for i in place)


def _lipschitz(psi: MarginLoss, dtype: Dtype) -> float:
    wide = [torch.linspace(-reach, reach, 4001, dtype=dtype) for reach in (50, 5000)]
    near, far, fine = (float(_slopes(psi, points).abs().max()) for points in (*wide, _grid(dtype)))
    return float("inf") if far > 10 * near else max(near, far, fine)


def _growth(function, dtype: Dtype) -> str:
    """How fast a function of the margin falls, in either direction."""
    far = torch.tensor([[1e3, 2e3], [-1e3, -2e3]], dtype=dtype)
    once, twice = function(far.flatten()).view(2, 2).T
    worst = int(twice.argmin())
    if twice[worst] > -10:
        return "none"
    return "quadratic" if float(twice[worst] / once[worst]) > 3 else "linear"


def _calibrated(psi: MarginLoss, dtype: Dtype) -> bool:
    margins = torch.linspace(-12, 12, 4801, dtype=dtype)
    chances = torch.linspace(0.05, 0.95, 19, dtype=dtype)[:, None]
    expected = chances * psi(margins) + (1 - chances) * psi(-margins)
    return bool((margins[expected.argmin(1)].diff() > 0.02).all())


def _likelihood(psi: MarginLoss, dtype: Dtype) -> bool:
    m = torch.linspace(-6, 6, 49, dtype=dtype)
    both = (-psi(m)).exp() + (-psi(-m)).exp()
    return torch.allclose(both, torch.ones_like(m), rtol=1e-5)


LOSS = {
    "convex": _convex,
    "smooth": lambda psi, dtype: not _jumps(psi, dtype),
    "bounded": lambda psi, dtype: bool(
        psi(torch.tensor([-1e4, 1e4], dtype=dtype)).diff().abs() < 10
    ),
    "lipschitz": _lipschitz,
    "odd_part_linear": lambda psi, dtype: bool(
        (_slopes(psi, _grid(dtype)) + _slopes(psi, -_grid(dtype))).diff().abs().max() < 1e-4
    ),
    "signed_growth": lambda psi, dtype: _growth(lambda m: 1.2 * psi(m) - 0.2 * psi(-m), dtype),
    "calibrated": _calibrated,
    "likelihood": _likelihood,
    "kinks": lambda psi, dtype: tuple(_jumps(psi, dtype)),
}


# Label models

#: Labels, hard ones first, and what an auxiliary model says beside them.
LABELS = (0.0, 1.0, 0.3, 0.8)
HARD = 2


def evidence(
    label: float,
    auxiliary: float,
    reference: float,
    rows: int,
    dtype: Dtype,
    columns: tuple[Column, ...] = (),
) -> Evidence:
    """The same of each of some rows, which have a pool of one reference pair each."""
    number = torch.arange(rows)
    whole = torch.ones(rows, dtype=dtype)
    return Evidence(
        label * whole,
        auxiliary * whole,
        ReferencePairs(reference * whole, number, number, whole * torch.inf),
        {column: column.example * whole for column in columns},
    )


def _losses(labels: LabelModel, psi: MarginLoss, m: Tensor, y: float, g: float, r: float) -> Tensor:
    """Losses at margins, whose reference pairs have a margin of 0.7 each."""
    known = evidence(y, g, r, len(m), m.dtype, labels.columns)
    return labels(psi, m, torch.full_like(m, 0.7), known)


def _plain(psi: MarginLoss, m: Tensor, y: float) -> Tensor:
    return y * psi(m) + (1 - y) * psi(-m)


def _differ(one: Tensor, other: Tensor) -> bool:
    return not torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def _threat(labels: LabelModel, dtype: Dtype) -> str:
    """By what the loss depends on, and where it is another than the plain one."""
    m = torch.linspace(-4, 4, 41, dtype=dtype)

    def found(y, g=0.6, r=0.4):
        return _losses(labels, LOGISTIC, m, y, g, r)

    of_label = _differ(found(0.3), found(0.8))
    of_auxiliary = _differ(found(0.3), found(0.3, g=0.2))
    hard, soft = (_differ(found(y), _plain(LOGISTIC, m, y)) for y in (1.0, 0.3))
    if not of_label:
        return "flipped labels, under a risk over pairs"
    if of_auxiliary:
        return "wrong preference model"
    if hard:
        return "flipped labels"
    return "soft labels in doubt" if soft else ""


def _signed(labels: LabelModel, dtype: Dtype) -> bool:
    """A loss that is never negative becomes negative for some label."""
    m = torch.linspace(-20, 20, 81, dtype=dtype)
    every = [_losses(labels, LOGISTIC, m, y, g, 0.5) for y in (0.0, 1.0) for g in (0.1, 0.9)]
    return bool(torch.stack(every).min() < -1e-3)


def _refused(labels: LabelModel, dtype: Dtype, **absent: object) -> bool:
    """Whether there is no loss without some of the evidence."""
    m = torch.ones(3, dtype=dtype)
    whole = evidence(1.0, 0.6, 0.4, 3, dtype, labels.columns)
    try:
        labels(LOGISTIC, m, m, replace(whole, **absent))
    except DataError:
        return True
    return False


def _needs(labels: LabelModel, dtype: Dtype) -> frozenset[str]:
    found = set()
    if _refused(labels, dtype, auxiliary=None):
        found |= {"auxiliary"}
    if _refused(labels, dtype, references=None):
        found |= {"references", "reference_auxiliary"}
    return frozenset(found)


def read_columns(labels: LabelModel, dtype: Dtype) -> tuple[Column, ...]:
    """Those of the declared columns without which there is no loss."""
    columns = {*labels.columns, *labels.properties.columns}
    values = {one: torch.full((3,), one.example, dtype=dtype) for one in columns}
    return tuple(
        one
        for one in columns
        if _refused(labels, dtype, columns={k: v for k, v in values.items() if k != one})
    )


def _plain_expectation(labels: LabelModel, dtype: Dtype) -> bool:
    """Over labels of mean P, hard or soft, where the auxiliary model is right."""
    m = torch.linspace(-4, 4, 41, dtype=dtype)
    for p in (0.1, 0.45, 0.8):
        right = _plain(LOGISTIC, m, p)
        drawn = p * _losses(labels, LOGISTIC, m, 1.0, p, 0.4)
        drawn = drawn + (1 - p) * _losses(labels, LOGISTIC, m, 0.0, p, 0.4)
        if _differ(drawn, right) or _differ(_losses(labels, LOGISTIC, m, p, p, 0.4), right):
            return False
    return True


def _needs_soft_labels(labels: LabelModel, dtype: Dtype) -> bool:
    """It changes something, and nothing where labels are hard."""
    m = torch.linspace(-4, 4, 41, dtype=dtype)
    changed = [
        _differ(_losses(labels, LOGISTIC, m, y, 0.6, 0.4), _plain(LOGISTIC, m, y)) for y in LABELS
    ]
    return any(changed) and not any(changed[:HARD])


def _takes(labels: LabelModel, psi: MarginLoss, dtype: Dtype) -> bool:
    try:
        _losses(labels, psi, torch.ones(2, dtype=dtype), 1.0, 0.6, 0.4)
    except ConfigurationError:
        return False
    return True


def _needs_convex_loss(labels: LabelModel, dtype: Dtype) -> bool:
    return _takes(labels, HINGE, dtype) and not _takes(labels, RAMP, dtype)


def _needs_likelihood(labels: LabelModel, dtype: Dtype) -> bool:
    return not _takes(labels, HINGE, dtype)


def smooth_labels(labels: LabelModel, dtype: Dtype) -> bool:
    """No jump of the slope, where the loss has none."""
    grid = _grid(dtype, 4.0)
    jumps = [
        _slopes(lambda m, y=y: _losses(labels, LOGISTIC, m, y, 0.6, 0.4), grid).diff().abs().max()
        for y in LABELS
    ]
    return float(torch.stack(jumps).max()) < JUMP


LABEL = {
    "threat": _threat,
    "signed": _signed,
    "needs": _needs,
    "columns": read_columns,
    "plain_expectation": _plain_expectation,
    "needs_soft_labels": _needs_soft_labels,
    "needs_convex_loss": _needs_convex_loss,
    "needs_likelihood": _needs_likelihood,
    "smooth": smooth_labels,
}


def growth_of_labels(labels: LabelModel, psi: MarginLoss, dtype: Dtype) -> str:
    """How fast the loss of some pair falls, margins of its reference pairs held."""
    order = ("none", "linear", "quadratic")
    every = [
        _growth(lambda m, y=y, g=g: _losses(labels, psi, m, y, g, 0.5), dtype)
        for y in (0.0, 1.0)
        for g in (0.0, 0.2, 0.8, 1.0)
    ]
    return max(every, key=order.index)


# Risks


def _draws(dtype: Dtype, count: int = 40) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    both = torch.randn(2, 9, count, generator=generator, dtype=torch.float64).exp().to(dtype)
    return both[0], both[1]


def _direction(risk: Risk, dtype: Dtype) -> str:
    losses, _ = _draws(dtype)
    weights = risk(losses).weights
    moved = ((losses - losses.mean(0)) * (weights - 1 / 9)).sum(0)
    if bool((moved.abs() < 1e-5).all()):
        return "none"
    return "against shift" if bool((moved > 0).all()) else "against noise"


def _convex_risk(risk: Risk, dtype: Dtype) -> bool:
    """Jensen's inequality, and weights that are not negative."""
    one, other = _draws(dtype)
    between = risk((one + other) / 2).value
    ends = (risk(one).value + risk(other).value) / 2
    return bool((between <= ends + 1e-5 * ends.abs()).all() and (risk(one).weights >= 0).all())


def _smooth_risk(risk: Risk, dtype: Dtype) -> bool:
    """Forward and backward slopes agree, also where losses are equal: all, smallest or largest."""
    way, start = _draws(dtype)
    way, step = (way - way.mean(0)) / way.std(0), 3e-4
    ranked = start.sort(0).values
    tied = ranked.clone()
    tied[1], tied[-2] = ranked[0], ranked[-1]
    for at in (torch.ones_like(start), tied):
        there, back = (risk(at + sign * step * way).value for sign in (1, -1))
        bend = (there + back - 2 * risk(at).value) / step
        if bool((bend.abs() > 0.02).any()):
            return False
    return True


def _stateful(risk: Risk, dtype: Dtype) -> bool:
    """Something is remembered before the first step, or after it."""
    losses = _draws(dtype)[0][:, 0]
    share = torch.full_like(losses, 1 / len(losses))
    return bool(risk.begin(share, 9 * share) or risk(losses).state)


def _neutral(risk: Risk, dtype: Dtype) -> object:
    """The declared options, where the risk is the mean under them; otherwise what it is off."""
    options = risk.properties.neutral
    if options is None:
        return None
    losses, _ = _draws(dtype)
    units = Units(torch.arange(9), 9)
    found = type(risk)(**options)(losses, units=units).value
    off = float((found - losses.mean(0)).abs().max())
    return options if off < 2e-4 else off


RISK = {
    "direction": _direction,
    "convex": _convex_risk,
    "smooth": _smooth_risk,
    "stateful": _stateful,
    "neutral": _neutral,
}


# Regularisers


def _outputs(dtype: Dtype, log_probs: bool = True) -> Outputs:
    generator = torch.Generator().manual_seed(1)
    scores, logs = torch.randn(2, 6, 2, generator=generator, dtype=torch.float64).to(dtype)
    return Outputs(scores, -logs.abs() if log_probs else None, torch.full((6, 2), 3.0).to(dtype))


def _needed_scores(regulariser: Regulariser, dtype: Dtype) -> str:
    """What of a scorer's outputs it cannot do without, or is nothing without."""
    if not isinstance(regulariser, PairPenalty):
        # Of the gradient in what is read: a policy's would be of beta log(pi / pi_ref), where the
        # reference moves with the embeddings, and is not computed; see `with_steepness`.
        return "rewards"
    label = torch.tensor([1.0, 0.0, 0.5, 0.8, 1.0, 0.0], dtype=dtype)
    try:
        found = regulariser(_outputs(dtype, log_probs=False), label)
    except TypeError:
        return "token sums"
    halves = _outputs(dtype, log_probs=False).scores
    halves = torch.stack([halves[:, 0], -halves[:, 0]], 1)  # of a model that judges pairs
    of_pairs = regulariser(Outputs(halves, None, torch.ones(6, 2)), label)
    return "rewards" if bool(found.any()) and not bool(of_pairs.any()) else "margins"


def _of_linear_heads(regulariser: Regulariser, dtype: Dtype) -> bool:
    """A head's objective is another with it."""
    from surefoot.scorers.head import Problem

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 2, 3, generator=generator, dtype=torch.float64)
    values = []
    for objective in (Objective(), Objective(regularisers=[regulariser])):
        ones = torch.ones(8, 1, dtype=torch.float64)
        problem = Problem(x, objective, Evidence(ones[:, 0]), ones, ones[0], (0,))
        margins = (x[:, 0] - x[:, 1]).sum(1, keepdim=True).to(dtype)
        values.append(problem.value(margins, 3 * ones[0].to(dtype), torch.tensor([0])))
    return _differ(*values)


REGULARISER = {"needs": _needed_scores, "of_linear_heads": _of_linear_heads}


#: By the class of the declaration: its measures. Regularisers declare on their own class.
MEASURES = {LossProperties: LOSS, LabelProperties: LABEL, RiskProperties: RISK}


def declared(member) -> dict[str, object]:
    """Every declared property of a member."""
    if isinstance(member, Regulariser):
        return {name: getattr(type(member), name) for name in REGULARISER}
    return {one.name: getattr(member.properties, one.name) for one in fields(member.properties)}


def wrong(member, dtype: Dtype, names=None) -> dict[str, tuple[object, object]]:
    """Declared and measured, by name, where they differ."""
    measures = REGULARISER if isinstance(member, Regulariser) else MEASURES[type(member.properties)]
    found = {}
    for name, said in declared(member).items():
        if names is not None and name not in names:
            continue
        seen = measures[name](member, dtype)
        if name == "kinks":
            said = tuple(sorted(said))
        if name == "lipschitz" and math.isclose(said, seen, rel_tol=1e-3):
            continue
        if said != seen:
            found[name] = (said, seen)
    return found


def members() -> list[object]:
    """Every member, at every setting that its reference is tried at."""
    slots = ((MarginLoss, MARGIN_LOSSES), (LabelModel, LABEL_MODELS), (Risk, RISKS))
    found = [
        slot.registry[kind](**options)
        for slot, references in slots
        for kind, (settings, _) in references.items()
        for options in settings
    ]
    for cls in Regulariser.registry.values():
        required = [name for name, one in cls.model_fields.items() if one.is_required()]
        found.append(cls(**dict.fromkeys(required, 0.3)))
    return found
