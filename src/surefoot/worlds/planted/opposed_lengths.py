"""Two sources of which one likes long responses and the other short ones."""

from __future__ import annotations

from dataclasses import replace

from surefoot.worlds.planted import opposed

FAULT = replace(
    opposed.FAULT, name="two sources that like opposite forms", diagnostic="opposed shortcuts"
)
