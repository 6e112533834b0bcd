"""How far two passes over the same text may differ by rounding alone.

Where batches have other shapes, sums are taken in another order. The error that this makes in the
log-probability of one token has a mean of about 0, and those of L tokens add like the steps of a
random walk: their sum has a deviation in proportion to the root of L. So the noise of a response is
given in nats per root of a token. It depends on precision and on the model: among models of random
weights, 32 to 512 wide, the largest was 7e-8 to 3e-6 in float32, and up to .007 in bfloat16
(`benchmarks/rounding.py`). That is some 2^12 times as much and not 2^16: a pass in bfloat16 adds up
in float32, and few of its sums round to another neighbour.

What is below the noise is no change: a policy that equals its reference has margins of 0, and a
risk weighs its pairs alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import torch
from torch import Tensor

from surefoot.scorers.language.precision import half_of, name_of

#: By how much the noise that a few pairs have shown is multiplied to cover all pairs.
SAFETY = 4.0


@dataclass(frozen=True)
class Noise:
    """Noise of a precision, in nats per root of a token."""

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
