"""Objectives by name, as published code has them."""

from __future__ import annotations

from surefoot.objectives.label_models.control_variate import ControlVariate
from surefoot.objectives.margin_losses.ramp import Ramp
from surefoot.objectives.objective import Objective

#: By the name that `objective:` takes in a configuration.
PRESETS = {
    # VRPO's published trainers: one reference pair, coefficient 1, and the ramp whatever their
    # option for the loss says. With one pair and a true auxiliary model, the variance of the loss
    # is the plain loss's: nothing is gained. Hence no default.
    "vrpo-official": Objective(loss=Ramp(), labels=ControlVariate(coefficient=1.0)),
}
