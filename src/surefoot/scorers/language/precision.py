"""Which precision weights are held in, and which one passes are in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from surefoot.escaping import warn

#: Floating types that lose what an optimiser adds to a weight.
HALF = (torch.bfloat16, torch.float16)
#: What PEFT puts into the names of layers that it wraps.
_BELOW_ADAPTER = re.compile(r"\.(base_layer|original_module|token_adapter|modules_to_save\.\w+)")


def half_of(model: nn.Module) -> torch.dtype | None:
    """The half precision that any weight of a model is in; None where all are whole."""
    return next((one.dtype for one in model.parameters() if one.dtype in HALF), None)


def whole_tables(model: Any) -> None:
    """Compute tables that a cast has rounded anew, such as rotary frequencies.

    They are no part of a saved model, which has them in float32 wherever it is read: with rounded
    ones, what is trained would be another model than what is saved. The model is the one of
    transformers, below an adapter if there is one.
    """
    from accelerate import init_empty_weights

    saved = model.state_dict().keys()
    rounded = {name: t for name, t in model.named_buffers() if name not in saved and _rounded(t)}
    if not rounded:
        return
    with torch.random.fork_rng(devices=[]), init_empty_weights(include_buffers=False):
        tables = dict(type(model)(model.config).named_buffers())
    for name, table in rounded.items():
        place, _, own = name.rpartition(".")
        whole = tables.get(_BELOW_ADAPTER.sub("", name))
        if whole is not None:
            setattr(model.get_submodule(place), own, whole.to(table.device))


def _rounded(table: torch.Tensor) -> bool:
    """Whether a table has no more digits than half precision, whatever it is held in."""
    kinds = HALF if table.is_floating_point() else ()
    return any(torch.equal(table.float(), table.to(kind).float()) for kind in kinds)


@dataclass(frozen=True)
class Masters:
    """What was made of the weights that are trained."""

    original: torch.dtype | None  #: the half precision that they came in; None: nothing was changed
    cast: int  #: number of weights that were cast to float32
    passes: torch.dtype | None  #: of mixed precision where the trainer has none; None: as they are


def master_weights(model: Any) -> Masters:
    """Hold every weight that is trained in float32, whatever it came in.

    AdamW moves a weight by about the learning rate, and bfloat16 has eight bits: next to a weight
    of 0.02 steps of less than 4e-5 are rounded away, so that a model that is trained in bfloat16
    hardly moves. The values are the same in float32, so that the model stays the one that was
    given. Passes go on in the precision that it came in, as mixed precision. Not in float16,
    though, whose small gradients vanish without a scaler (that is `fp16=True`).

    The model holds the same parameters afterwards, so that an optimiser that was made for them goes
    on with them.
    """
    original, cast = half_of(model), 0
    if original is None:
        return Masters(None, 0, None)
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        # A norm computes in one type: its frozen weight goes with a bias that is trained.
        together = any(one.requires_grad for one in own) and all(one.dim() == 1 for one in own)
        for one in own:
            if one.dtype in HALF and (one.requires_grad or together):
                one.data = one.data.float()
                cast += one.numel() if one.requires_grad else 0
    frozen = half_of(model)
    passes = frozen or (original if original is torch.bfloat16 else None)
    return Masters(original, cast, passes)


def warn_of_masters(masters: Masters, passes: torch.dtype | None) -> None:
    """Warn of a cast: how much it was, and what saved files and passes (now in force) are in."""
    if not masters.cast:
        return
    warn(
        f"the model came in {name_of(masters.original)}, in which AdamW's steps would be rounded "
        f"away: its {masters.cast:,} trained weights are held in float32, and saved so. Passes are "
        f"in {name_of(passes)}" + ("." if passes else "; bf16=True makes them smaller and faster."),
        stacklevel=3,
    )


def name_of(dtype: torch.dtype | None) -> str:
    """`bfloat16` of torch.bfloat16; None is `float32`."""
    return "float32" if dtype is None else str(dtype).removeprefix("torch.")
