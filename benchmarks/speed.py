"""Results of the benchmarks of speed in one file, and a table of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from surefoot.runs.atomic import write_text


def keep(place: Path, name: str, said: str, figures: Mapping[str, Any]) -> None:
    """Put the figures of a benchmark into a file of them, and all into the table beside it.

    Args:
        place: the JSON file; the table has its name.
        name: of the benchmark; what was measured under it before is replaced.
        said: the figures in words.
        figures: JSON-ready.
    """
    known = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    machine = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        # Others at work make seconds longer; ratios of what alternates mind it less.
        "load": round(os.getloadavg()[0], 1),
    }
    known[name] = {"said": said, **figures, "machine": machine}
    rows = ",\n".join(f" {json.dumps(one)}: {json.dumps(of)}" for one, of in known.items())
    write_text(place, f"{{\n{rows}\n}}\n")
    write_text(place.with_suffix(".md"), table(known))


def table(known: Mapping[str, Any]) -> str:
    """As Markdown."""
    lines = [f"| {name} | {one['said']} |" for name, one in known.items()]
    return "\n".join(["| what | measured |", "|---|---|", *lines]) + "\n"
