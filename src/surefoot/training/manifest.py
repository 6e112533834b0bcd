"""What a run folder says of itself: versions, hashes, seeds, command, figures, model card."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from surefoot import plugins
from surefoot.escaping import fenced, markdown
from surefoot.scorers.named import PACKAGED
from surefoot.training.config import SeededConfig

SCHEMA_VERSION = 1
_PACKAGES = (
    *("surefoot", "torch", "transformers", "accelerate"),
    *("peft", "datasets", "numpy", "scipy"),
)


def manifest(data: Mapping[str, Any], figures: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Where a model came from: its data (fingerprints, counts), figures, seed, and the versions."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "seed": seed,
        "data": dict(data),
        "figures": dict(figures),
        "plugins": list(plugins.loaded()),
        "versions": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "machine": {"processor": platform.machine(), "system": platform.system()},
    }


def model_card(config: SeededConfig, figures: Mapping[str, str], notes: list[str]) -> str:
    """A README.md for the run folder, with the metadata block that the Hub reads."""
    rows = "\n".join(f"| {markdown(k)} | {markdown(v)} |" for k, v in figures.items())
    cautions = "\n".join(f"- {markdown(note)}" for note in notes) or "- none"
    kind = "pairs" if config.scorer.pairwise else config.scorer.kind
    library, tag = "surefoot", _TAGS.get(kind, "reward-model")
    how = _PAIRS if kind == "pairs" else _REWARDS
    if kind in _PLAIN:
        adapted = getattr(config.scorer, "adapter", None) is not None
        library = "peft" if adapted else "transformers"
        how = f"{_plain(*_PLAIN[kind], adapted)}\n```\n\nRewards:\n\n```python\n{how}"
    title = tag.replace("-", " ").capitalize()
    return f"""---
library_name: {library}
tags: [{tag}, preference-learning, surefoot]
---

# {title}

Objective: {markdown(config.objective.describe())}{_made_from(config.scorer)}

| figure | value |
|---|---|
{rows}

What the run warned of, and what the data showed:

{cautions}

Load it:

```python
{how}
```

Measure it: `surefoot evaluate path/to/this/folder DATA_OR_SUITE --output report`

Configuration:

{fenced(config.to_yaml(), "yaml")}
"""


def _made_from(scorer: Any) -> str:
    """Licence and origin of the model that it stands on, where they are known."""
    encoder = getattr(scorer, "encoder", None)
    name = str(getattr(scorer, "model", None) or getattr(encoder, "name", ""))
    known = PACKAGED.get(name)
    return f"\n\nMade from `{name}`: {known.about}" if known else ""


_LOADED = """\
from surefoot.data import read_preferences
from surefoot.scorers import load_scorer

model = load_scorer("path/to/this/folder")
"""
_REWARDS = f'{_LOADED}rewards = model.rewards(read_preferences("pairs.jsonl"))  # (N, 2)'
_PAIRS = f"""\
{_LOADED}chances = model.probabilities(read_preferences("pairs.jsonl"))  # (N,) P(a preferred)"""
_TAGS = {"pairs": "preference-model", "policy": "policy"}
#: Kinds that other libraries load: the class, by the end of its name, and its options.
_PLAIN = {"policy": ("CausalLM", ""), "reward-model": ("SequenceClassification", ", num_labels=1")}


def _plain(name: str, options: str, adapted: bool) -> str:
    """How to load a model without surefoot."""
    loader, place = f"AutoModelFor{name}", '"path/to/this/folder"'
    imported = f"from transformers import {loader}, AutoTokenizer"
    if adapted:
        loader = f"AutoPeftModelFor{name}"
        imported = f"from peft import {loader}\nfrom transformers import AutoTokenizer"
    return (
        f"{imported}\n\nmodel = {loader}.from_pretrained({place}{options})\n"
        f"tokenizer = AutoTokenizer.from_pretrained({place})"
    )
