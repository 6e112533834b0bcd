"""What a run folder says of itself: versions, hashes, seeds, command, figures, model card."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
_PACKAGES = ("surefoot", "torch", "transformers", "datasets", "numpy", "scipy")


def manifest(data: Mapping[str, Any], figures: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Everything needed to say where a model came from.

    Args:
        data: fingerprints and counts of the training data.
        figures: what the run measured.
        seed: training seed.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "seed": seed,
        "data": dict(data),
        "figures": dict(figures),
        "versions": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "machine": {"processor": platform.machine(), "system": platform.system()},
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON for people and machines; refuses numbers that JSON does not have."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def model_card(config: str, objective: str, figures: Mapping[str, str], notes: list[str]) -> str:
    """A README.md for the run folder, with the metadata block that the Hub reads."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in figures.items())
    cautions = "\n".join(f"- {note}" for note in notes) or "- none"
    return f"""---
library_name: surefoot
tags: [reward-model, preference-learning, surefoot]
---

# Reward model

Objective: {objective}

| figure | value |
|---|---|
{rows}

What the run warned of, and what the data showed:

{cautions}

Load it:

```python
from surefoot.data import read_preferences
from surefoot.scorers import EmbeddingRewardModel

model = EmbeddingRewardModel.load("path/to/this/folder")
rewards = model.rewards(read_preferences("pairs.jsonl"))  # (N, 2)
```

Measure it: `surefoot evaluate path/to/this/folder DATA_OR_SUITE --output report`

Configuration:

```yaml
{config.rstrip()}
```
"""
