"""What the processor of this machine is good at."""

from __future__ import annotations


def has_bfloat16() -> bool:
    """Whether this machine computes in bfloat16 faster than in float32."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # private: absent is no
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
