"""The commands that the demo is made of, and which of them are done."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from surefoot.auditing.configuration import HELD_OUT, PLAIN, REMEDY
from surefoot.runs import is_finished

#: In the demo's folder: seconds by the steps that are done.
DONE = "steps.json"
AUDIT, EVALUATION = "audit", "evaluation"


@dataclass(frozen=True)
class DemoStep:
    """One command."""

    name: str  #: what it does, in words
    words: tuple[str, ...]  #: of the command, after `surefoot`
    folder: Path  #: that it writes
    about: float  #: seconds that it takes on two quiet cores, with 4,600 real pairs

    @property
    def command(self) -> str:
        """What to type."""
        return shlex.join(["surefoot", *self.words])


def demo_steps(pairs: str, folder: Path) -> tuple[DemoStep, ...]:
    """The main job on a file of pairs, all of it written into a folder."""
    audit, remedy, plain = (folder / name for name in (AUDIT, REMEDY, PLAIN))
    evaluation = folder / EVALUATION

    def step(name: str, words: list[object], output: Path, about: float) -> DemoStep:
        return DemoStep(name, (*map(str, words), "--output", str(output)), output, about)

    compared = [remedy, audit / HELD_OUT, "--baseline", plain]
    return (
        step("audit the pairs", ["audit", pairs], audit, 60),
        step("train with the remedy", ["train", audit / "remedy.yaml"], remedy, 4),
        step("train plainly", ["train", audit / "plain.yaml"], plain, 2),
        step("compare both on held-out pairs", ["evaluate", *compared], evaluation, 4),
    )


@dataclass
class DoneSteps:
    """How far a demo is."""

    every: tuple[DemoStep, ...]
    seconds: dict[str, float] = field(default_factory=dict)  #: by the steps that are done

    @classmethod
    def read(cls, folder: Path, every: tuple[DemoStep, ...]) -> DoneSteps:
        """How far the demo in a folder is; what follows a step that is gone is done again."""
        done, kept = cls(every), {}
        if (folder / DONE).is_file():
            kept = json.loads((folder / DONE).read_bytes())
        for step in every:
            if step.name not in kept or not is_finished(step.folder):
                break
            done.seconds[step.name] = kept[step.name]
        return done

    @property
    def left(self) -> float:
        """Seconds that the rest will take, at the pace so far."""
        done = sum(step.about for step in self.every if step.name in self.seconds)
        pace = sum(self.seconds.values()) / done if done else 1.0
        return pace * sum(step.about for step in self.every if step.name not in self.seconds)
