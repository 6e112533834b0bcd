"""Worlds in which a fault of known size is planted: each file here that defines `FAULT` is one."""

from __future__ import annotations

from surefoot import plugins
from surefoot.worlds.planted.fault import PlantedFault


def faults() -> dict[str, PlantedFault]:
    """Every planted fault by name."""
    return {one.name: one for one in plugins.found(__name__, "FAULT")}


__all__ = ["PlantedFault", "faults"]
