"""What members make of a few numbers, by running them."""

from __future__ import annotations

from typing import Any

import torch

from surefoot.objectives import (
    Evidence,
    LabelModel,
    MarginLoss,
    Outputs,
    PairPenalty,
    ReferencePairs,
    Regulariser,
    Risk,
)
from surefoot_docs.compositions import regularised
from surefoot_docs.markdown import code, table


def numbers(cls: type[Any]) -> str:
    """What a member makes of a few numbers, by running it."""
    shown = issubclass(cls, Regulariser)
    member = regularised(cls.kind).regularisers[0] if shown else cls(**cls.shown_at)
    if isinstance(member, MarginLoss):
        return loss_numbers(member)
    if isinstance(member, LabelModel):
        return label_numbers(member)
    if isinstance(member, Risk):
        return risk_numbers(member)
    return regulariser_numbers(member)


MARGINS = (-4.0, -2.0, -1.0, -0.25, 0.25, 1.0, 2.0, 4.0)


def loss_numbers(psi: MarginLoss) -> str:
    """Loss and pull at a few margins."""
    loss, pull = _loss_and_pull(psi)
    rows = [("loss", *map(_figure, loss)), ("pull", *map(_figure, pull))]
    grid = table(("margin", *map(_figure, MARGINS)), rows)
    return f"The pull is the slope with the sign turned: how hard a pair asks for more.\n\n{grid}"


def label_numbers(labels: LabelModel) -> str:
    """Loss and pull at a few margins, beside the plain model."""
    soft, expected = labels.properties.needs_soft_labels, "auxiliary" in labels.properties.needs
    psi, plain = MarginLoss.parse("logistic"), LabelModel.parse("observed")
    one_pair = ReferencePairs(
        torch.full((1,), 0.5, dtype=torch.float64),
        torch.zeros(1, dtype=torch.int64),
        torch.tensor(0),
        torch.ones(1, dtype=torch.float64),
    )
    evidence = Evidence(
        torch.tensor(0.7 if soft else 1.0, dtype=torch.float64),
        torch.tensor(0.7, dtype=torch.float64) if expected else None,
        one_pair,
        {
            column: torch.tensor(column.example, dtype=torch.float64)
            for column in labels.properties.columns
        },
    )
    tied = torch.zeros(1, dtype=torch.float64)
    rows = []
    for one in dict.fromkeys((plain, labels)):
        loss, pull = _loss_and_pull(lambda m, one=one: one(psi, m, tied, evidence))
        rows.append((f"{code(one.kind)}, loss", *map(_figure, loss)))
        rows.append((f"{code(one.kind)}, pull", *map(_figure, pull)))
    what = "the label 0.7" if soft else "the label 1" + (", auxiliary 0.7" if expected else "")
    what += ", a reference pair that ties" if "references" in labels.properties.needs else ""
    what += "".join(f", {one.name} {one.example:g}" for one in labels.properties.columns)
    what += "".join(f", {name} {value}" for name, value in labels.shown_at.items())
    grid = table(("margin", *map(_figure, MARGINS)), rows)
    return (
        f"With the logistic loss, {what}, other options at their defaults. The pull is the slope "
        f"with the sign turned: how hard a pair asks for more margin.\n\n{grid}"
    )


def _loss_and_pull(loss: Any) -> tuple[list[float], list[float]]:
    margins = torch.tensor(MARGINS, dtype=torch.float64, requires_grad=True)
    values = loss(margins)
    (slope,) = torch.autograd.grad(values.sum(), margins)
    return values.tolist(), (-slope).tolist()


LOSSES = (0.1, 0.3, 0.5, 1.0, 3.0)


def risk_numbers(risk: Risk) -> str:
    """Weights of five units."""
    found = risk(torch.tensor(LOSSES, dtype=torch.float64))
    rows = [
        ("weight under the mean", *(["0.2"] * len(LOSSES))),
        (f"weight under {code(risk.kind)}", *map(_figure, found.weights.tolist())),
    ]
    grid = table(("loss of the unit", *map(_figure, LOSSES)), rows)
    mean = sum(LOSSES) / len(LOSSES)
    return (
        f"Five units of equal mass, options at their defaults. The mean of their losses is "
        f"{_figure(mean)}; this risk is {_figure(float(found.value))}.\n\n{grid}"
    )


def regulariser_numbers(regulariser: Regulariser) -> str:
    """Penalties of three pairs of which the first response is preferred."""
    if not isinstance(regulariser, PairPenalty):
        return gradient_numbers(regulariser)
    if regulariser.needs == "rewards":
        scores = torch.tensor([[1.0, -1.0], [3.0, 1.0], [-1.0, -3.0]])
        found = regulariser(Outputs(scores, None, torch.ones(3, 2)), torch.ones(3))
        rows = [
            ("rewards", *(f"{_figure(a)}, {_figure(b)}" for a, b in scores.tolist())),
            ("penalty", *map(_figure, found.tolist())),
        ]
    else:
        log_probs = torch.tensor([[-10.0, -30.0], [-30.0, -10.0], [-30.0, -10.0]])
        lengths = torch.tensor([[10.0, 10.0], [10.0, 10.0], [30.0, 10.0]])
        found = regulariser(Outputs(log_probs, log_probs, lengths), torch.ones(3))
        rows = [
            ("log-probabilities", *(f"{_figure(a)}, {_figure(b)}" for a, b in log_probs.tolist())),
            ("tokens", *(f"{_figure(a)}, {_figure(b)}" for a, b in lengths.tolist())),
            ("penalty", *map(_figure, found.tolist())),
        ]
    grid = table(("", "pair 1", "pair 2", "pair 3"), rows)
    return f"Three pairs; the first response is the preferred one.\n\n{grid}"


def gradient_numbers(ball: Any) -> str:
    """Penalty of a linear head at several lengths, on three pairs that it turns the same way."""
    sides = torch.tensor([1.5, 0.5, -0.5], dtype=torch.float64)
    ones, third = torch.ones(3, dtype=torch.float64), torch.full((3,), 1 / 3, dtype=torch.float64)
    lengths = (0.5, 1.0, 2.0, 4.0, 8.0)
    objective, found = regularised(ball.kind), []
    for length in lengths:
        steepness = torch.tensor(length**2, dtype=torch.float64)
        squares = objective.squared_gradients(length * sides, Evidence(ones), steepness)
        loss = objective.pair_losses(length * sides, Evidence(ones)).mean()
        found.append((float(loss), float(ball(squares, third))))
    rows = [
        ("mean loss", *(_figure(loss) for loss, _ in found)),
        ("penalty", *(_figure(penalty) for _, penalty in found)),
    ]
    grid = table(("length of the head", *map(_figure, lengths)), rows)
    return (
        "A linear head on three pairs that lie 1.5, 0.5 and −0.5 along it, the first response "
        f"preferred, logistic loss, radius {ball.radius:g}.\n\n{grid}"
    )


def _figure(value: float) -> str:
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return {"-0": "0"}.get(text, text).replace("-", "−")
