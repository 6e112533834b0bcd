"""Which precision weights are held in, which one passes are in, and what that rounds away."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

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


#: By how much the noise that a few pairs have shown is multiplied to cover all pairs.
SAFETY = 4.0


@dataclass(frozen=True)
class Noise:
    """How far two passes over the same text may differ by rounding, in nats per root of a token.

    Where batches have other shapes, sums are taken in another order. The error that this makes in
    the log-probability of one token has a mean of about 0, and those of L tokens add like the steps
    of a random walk: their sum has a deviation in proportion to the root of L. It depends on
    precision and on the model: among models of random weights, 32 to 512 wide, the largest was 7e-8
    to 3e-6 in float32, and up to .007 in bfloat16 (`benchmarks/rounding.py`). That is some 2^12
    times as much and not 2^16: a pass in bfloat16 adds up in float32, and few of its sums round to
    another neighbour.

    What is below the noise is no change: a policy that equals its reference has margins of 0, and a
    risk weighs its pairs alike.
    """

    least: float  #: assumed where less was measured
    usual: float  #: assumed where nothing was measured
    most: float  #: two passes over one text with the same weights differ by no more

    def of(self, measured: float) -> float:
        """What counts as no change, by what a few pairs have shown."""
        return min(max(SAFETY * measured, self.least), self.most)


_WHOLE = Noise(2e-5, 2e-5, 1e-4)
_HALF = Noise(5e-3, 0.03, 0.1)


def noise_of(model: torch.nn.Module, passes: torch.dtype | None, device: torch.device) -> Noise:
    """The noise to expect of passes in mixed precision, or (None) as the weights are.

    A device that multiplies float32 numbers in fewer digits (TF32, or what
    `torch.set_float32_matmul_precision` asks for) counts as half precision.
    """
    half = passes is not None or half_of(model) is not None
    return _HALF if half or matmul_precision(device) != "ieee" else _WHOLE


def matmul_precision(device: torch.device) -> str:
    """How matrices in float32 are multiplied: `ieee` is in float32."""
    backend = torch.backends.cuda if device.type == "cuda" else torch.backends.mkldnn
    asked = str(backend.matmul.fp32_precision)
    return "ieee" if asked == "none" else asked


def per_root_token(change: Tensor, lengths: Tensor) -> Tensor:
    """Differences of log-probabilities in nats per root of a token, in the shape of both."""
    return change.abs() / lengths.to(change).clamp_min(1).sqrt()


def circumstances(
    model: torch.nn.Module, passes: torch.dtype | None, device: torch.device
) -> dict[str, str]:
    """All beside weights and texts that a log-probability depends on, by name."""
    attention = getattr(getattr(model, "config", None), "_attn_implementation", None)
    return {
        "precision": "as-is" if passes is None else name_of(passes),
        "matrices": matmul_precision(device),
        "device": device_name(device),
        "attention": str(attention),
        "torch": torch.__version__,
        "transformers": version("transformers"),
    }


def device_name(device: torch.device) -> str:
    """What computes: a GPU by its model, a processor by the instructions that torch uses on it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"cpu {torch.backends.cpu.get_cpu_capability()}"
    return device.type
