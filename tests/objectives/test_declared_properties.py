"""What members declare is what they do; and a wrong declaration does not pass."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from properties import (
    MEASURES,
    REGULARISER,
    declared,
    growth_of_labels,
    members,
    read_columns,
    smooth_labels,
    wrong,
)

from surefoot.errors import CompositionError
from surefoot.objectives import Column, LabelModel, MarginLoss, Objective, Regulariser, Risk
from surefoot.objectives.duals import EstimatedRisk

DTYPES = [torch.float64, torch.float32]
MEMBERS = members()
#: One setting of each member: the last, which is the strongest.
EACH = list({type(member): member for member in MEMBERS}.values())
LABELS = [member for member in MEMBERS if isinstance(member, LabelModel)]
LOSSES = [member for member in MEMBERS if isinstance(member, MarginLoss)]


def _name(member) -> str:
    return "-".join([member.kind, *map(str, _own_options(member).values())])


def _own_options(member) -> dict[str, object]:
    return {name: getattr(member, name) for name in sorted(member.model_fields_set)}


def _composes(psi: MarginLoss, labels: LabelModel) -> bool:
    try:
        return bool(Objective(loss=psi, labels=labels))
    except CompositionError:
        return False


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("member", MEMBERS, ids=_name)
def test_what_is_declared_is_measured(member, dtype):
    assert not wrong(member, dtype, _of_the_class(member))


def _of_the_class(member) -> set[str]:
    """Properties that hold at every setting; those of labels as they are set are asked below."""
    if not isinstance(member, LabelModel):
        return set(declared(member))
    as_set = {"smooth"} if member.smooth != member.properties.smooth else set()
    if set(member.columns) - set(member.properties.columns):
        as_set |= {"columns"}
    return set(declared(member)) - as_set


@pytest.mark.parametrize("labels", LABELS, ids=_name)
def test_label_models_read_the_columns_that_they_say_as_they_are_set(labels):
    assert set(labels.columns) == set(read_columns(labels, torch.float64))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("labels", LABELS, ids=_name)
def test_label_models_are_smooth_as_they_are_set(labels, dtype):
    assert labels.smooth == smooth_labels(labels, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("psi", "labels"),
    [
        pytest.param(psi, labels, id=f"{_name(psi)}-{_name(labels)}")
        for psi in LOSSES
        for labels in LABELS
        # What falls too fast is refused as well, and is asked what it says of itself.
        if _composes(psi, labels)
        or not (labels.properties.needs_convex_loss or labels.properties.needs_likelihood)
    ],
)
def test_losses_fall_as_fast_as_declared(psi, labels, dtype):
    assert labels.growth(psi) == growth_of_labels(labels, psi, dtype)


@pytest.mark.parametrize(
    "kind", [k for k, c in Risk.registry.items() if issubclass(c, EstimatedRisk)]
)
@pytest.mark.parametrize("estimate", ["step", "dual"])
def test_running_duals_are_carried(kind, estimate):
    risk = Risk.parse({"kind": kind, "estimate": estimate})
    losses = torch.linspace(0, 1, 7, dtype=torch.float64)
    assert risk.stateful == bool(risk(losses).state) == (estimate == "dual")


def test_no_property_is_without_a_measure():
    for properties, measures in MEASURES.items():
        assert {one.name for one in fields(properties)} == set(measures)
    kinds = {type(member) for member in MEMBERS}
    for slot in (MarginLoss, LabelModel, Risk, Regulariser):
        assert kinds >= set(slot.registry.values())
    assert set(Regulariser.__annotations__) == set(REGULARISER)


#: What stands in place of a true declaration that is not a boolean.
OTHER = {
    "lipschitz": lambda said: 2.0 if said == 1 else 1.0,
    "signed_growth": lambda said: "linear" if said == "none" else "none",
    "kinks": lambda said: (*said, 2.0),
    "threat": lambda said: "flipped labels" if said != "flipped labels" else "",
    "needs": lambda said: (
        said ^ {"auxiliary"}
        if isinstance(said, frozenset)
        else {"rewards": "token sums"}.get(said, "rewards")
    ),
    "columns": lambda said: (*said, Column(name="never-read")),
    "direction": lambda said: "against shift" if said != "against shift" else "none",
}


def _another(member, name: str, said):
    if isinstance(said, bool):
        return not said
    if name == "neutral":
        return _own_options(member)
    return OTHER[name](said)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("member", "name"),
    [
        pytest.param(member, name, id=f"{member.kind}-{name}")
        for member in EACH
        for name in declared(member)
        # The mean has no option that takes it away from itself.
        if (member.kind, name) != ("mean", "neutral")
    ],
)
def test_a_wrong_declaration_is_reported(monkeypatch, member, name, dtype):
    cls, said = type(member), declared(member)[name]
    other = _another(member, name, said)
    if isinstance(member, Regulariser):
        monkeypatch.setattr(cls, name, other)
    else:
        monkeypatch.setattr(cls, "properties", replace(cls.properties, **{name: other}))
    assert declared(member)[name] == other != said
    names = {name} if name in _of_the_class(member) else {"smooth"}
    assert name in wrong(at_defaults(member) if names == {"smooth"} else member, dtype, names)


def at_defaults(member):
    """The setting that class-wide smoothness is said of."""
    return type(member)(**type(member).shown_at) if type(member).shown_at else member
