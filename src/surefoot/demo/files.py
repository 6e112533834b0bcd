"""Data and configurations to repeat a piece of the demo by hand."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from surefoot.demo.methods import PLAIN, Method
from surefoot.worlds import TextWorld, WorldPairs

#: The rows that get a configuration file, by its name.
CONFIGURATIONS = {"plain": PLAIN, "robust": "KL over groups, flip-corrected"}


def write_examples(output: Path, world: TextWorld, compared: Sequence[Method]) -> None:
    """Write the first seed's training data (damaged, noisy), two test sets (true), two configs."""
    _write(output / "train.jsonl", world.damaged(0).rows)
    _write(output / "test.jsonl", _true(world.test()))
    _write(output / "deployment.jsonl", _true(world.test("deployment")))
    by_name = {method.name: method for method in compared}
    for file, name in CONFIGURATIONS.items():
        config = {
            "data": {"train": [str(output / "train.jsonl")]},
            "scorer": {"kind": "embedding"},
            "objective": dict(by_name[name].objective or {}),
            "training": {"seed": 0},
            "output": str(output / "runs" / file),
        }
        (output / f"{file}.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def commands(output: str) -> tuple[str, ...]:
    """What to type to repeat a piece by hand."""

    def at(*parts: str) -> str:
        return shlex.quote(str(Path(output, *parts)))

    return (
        f"surefoot audit {at('train.jsonl')} --output {at('audit')}",
        f"surefoot train {at('plain.yaml')}",
        f"surefoot train {at('robust.yaml')}",
        f"surefoot evaluate {at('runs', 'robust')} {at('deployment.jsonl')} "
        f"--baseline {at('runs', 'plain')} --output {at('evaluation')}",
    )


def _true(pairs: WorldPairs) -> Iterable[Mapping[str, Any]]:
    """Rows with the true P(a preferred) as label."""
    return (
        {**row, "label": round(float(p), 6)} for row, p in zip(pairs.rows, pairs.truth, strict=True)
    )


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
