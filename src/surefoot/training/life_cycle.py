"""The life of a run, the same for every kind: claimed, begun, trained, described, marked.

with open_runs(configs, ...) as runs:  # what still has to be done
for run in runs:
...                            # whatever can be refused: the folder is as it was
run.begin(data)                # it is marked as begun, and earlier runs are gone
...                            # the model is made and saved
run.finish(data, ...)          # figures and card are written, and the mark is the last
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors.torch import save_file

from surefoot.data import Preferences
from surefoot.data.prompts import training_prompt_keys
from surefoot.data.writing import write_preferences
from surefoot.errors import ConfigurationError
from surefoot.runs import RunFolder, claim
from surefoot.runs.atomic import appearing
from surefoot.runs.folder import is_first
from surefoot.training import folder as folders
from surefoot.training.agreement import of_first
from surefoot.training.checkpoint import newest, written
from surefoot.training.config import SeededConfig
from surefoot.training.data import TrainingData
from surefoot.training.manifest import manifest, model_card

C = TypeVar("C", bound=SeededConfig)
Say = Callable[[str], None]


def silent(line: str) -> None:
    """Say nothing."""


@dataclass
class _Together:
    """The runs of one command, one for each seed."""

    root: RunFolder | None  #: the claimed folder that holds several; None where one run is alone
    names: Sequence[str]  #: of the seeds' folders
    resume: bool  #: whether what is there stays
    finished: list[Path] = field(default_factory=list)  #: those that were so before

    def begin(self, data: Preferences) -> None:
        """Mark the common folder as begun, once; earlier runs are gone unless these go on.

        Raises:
            ConfigurationError: those that are finished were trained on other data.
        """
        for folder in self.finished:
            if folders.saved_fingerprint(folder) != data.fingerprint:
                raise ConfigurationError(
                    f"{folder} was trained on other data than {data.name} is now, or they were "
                    "read by another version of surefoot: seeds of one run share their data. Put "
                    "them back, or train all anew (--overwrite)."
                )
        if self.root is not None and not self.root.begun:
            clear = partial(folders.clear_run, ours=folders.is_run(self.root.path))
            self.root.begin(None if self.resume else clear, self.names)


@dataclass
class OpenRun(Generic[C]):
    """A run that this process has claimed, and has to do."""

    folder: RunFolder
    config: C  #: complete
    say: Say  #: one line per stage and per warning; silent on all processes but the first
    together: _Together
    checkpoint: str | None = None  #: from which it goes on
    warnings: list[str] = field(default_factory=list)  #: for its model card

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    def warn(self, sentences: Iterable[str], kind: str = "warning") -> None:
        """Say sentences now, and again in the model card."""
        for one in sentences:
            self.say(f"{kind}: {one}")
            self.warnings.append(one)

    def agree(self) -> None:
        """Take the first process's checkpoint, once the processes know each other."""
        self.checkpoint = of_first(self.checkpoint)

    def begin(self, data: TrainingData, size: int = 0) -> None:
        """Mark it as begun; what an earlier run left is gone, unless this one goes on with it.

        Clusters of prompts are kept, for when it is resumed; it will write about `size` bytes.

        Raises:
            SurefootError: there is no room.
        """
        self.folder.require_room(size)
        self.together.begin(data.train)
        if self.checkpoint is None:
            self.folder.begin(partial(folders.clear_run, ours=folders.is_run(self.path)))
            self.folder.write("config.yaml", self.config.to_yaml())
        else:
            self.folder.begin()
        if data.clusters is not None:
            data.clusters.save(self.path)

    def train(self, trainer: Any, data: TrainingData) -> bool:
        """Begin, and run a trainer of transformers from the checkpoint if there is one.

        Returns:
            Whether this is the process that saves.
        """
        # Imports transformers' Trainer.
        from surefoot.training.language.callbacks import NoCheckpointAtTheEnd

        trainer.add_callback(NoCheckpointAtTheEnd())
        if trainer.is_world_process_zero():
            size = _saved_bytes(trainer.model, self.config.training.save_every is not None)
            self.begin(data, size)
        trainer.accelerator.wait_for_everyone()
        trainer.train(resume_from_checkpoint=self.checkpoint)
        return bool(trainer.is_world_process_zero())

    def finish(
        self, data: TrainingData, figures: Mapping[str, Any], readable: Mapping[str, str]
    ) -> None:
        """Describe what was trained, and mark the run as finished; the model is there already.

        The manifest has all `figures`, and the model card the `readable` ones.
        """
        run, config = self.folder, self.config
        run.write("config.yaml", config.to_yaml())
        keys = torch.tensor(sorted(training_prompt_keys(data.train)), dtype=torch.int64)
        with appearing(run.path / folders.PROMPTS) as part:
            save_file({"keys": keys}, part)
        if data.held_out is not None:
            write_preferences(data.held_out, run.path / folders.HELD_OUT)
        run.write("damage.json", data.damage.to_dict())
        described = {"train": list(config.data.train), **data.to_dict()}
        written = manifest(described, figures, config.training.seed)
        run.write("manifest.json", written | {"warnings": self.warnings})
        pairs = f"{len(data.train)} ({data.removed} damaged removed)"
        damage = [f"{f.kind}: {f.count} row(s). {f.meaning}" for f in data.damage.findings]
        card = model_card(config, {"pairs": pairs, **readable}, [*self.warnings, *damage])
        run.write("README.md", card)
        folders.clear_checkpoints(run.path)
        run.finish([*folders.NEEDED, "config.yaml", "manifest.json"])


@contextmanager
def open_runs(
    configs: Sequence[C],
    *,
    root: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    say: Say = silent,
    reads: Iterable[str | Path] = (),
    one_computation: bool = False,
) -> Iterator[list[OpenRun[C]]]:
    """Claim the folders of runs that differ in their seed and their output alone.

    Args:
        configs: of the runs.
        root: a folder of all, whose earlier runs are taken away once nothing is left that could be
            refused, and which is marked as finished at the end.
        overwrite: the folders may hold something, which is replaced.
        resume: the folders may hold something, which is gone on with: runs that are finished stay.
        say: called with one line per stage and per warning.
        reads: what is read beside what the configurations name.
        one_computation: all are run, or none, and there are no checkpoints.

    Yields:
        Those that still have to be run.

    Raises:
        ConfigurationError: a folder cannot be claimed, or there is nothing to go on with.
    """
    first = configs[0]
    if any(one.for_seed(first.training.seed, first.output) != first for one in configs):
        raise ConfigurationError("runs of one command may differ in their seed alone.")
    how: dict[str, Any] = {
        "overwrite": overwrite,
        "resume": resume,
        "reads": [*reads, *folders.reads_of(first)],
    }
    say = say if is_first() else silent
    with ExitStack() as stack:
        outer = None if root is None else stack.enter_context(claim(root, "train", **how))
        claimed = [stack.enter_context(claim(one.output, "train", **how)) for one in configs]
        together = _Together(outer, [folder.path.name for folder in claimed], resume)
        runs = [OpenRun(*one, say, together) for one in zip(claimed, configs, strict=True)]
        if resume:
            runs = _not_finished(runs, one_computation)
        if runs:
            say(f"objective: {first.objective.describe()}")
        yield runs
        if outer is not None:
            outer.finish(parts=together.names)


def _not_finished(runs: list[OpenRun[C]], one_computation: bool) -> list[OpenRun[C]]:
    """What a resumed command still has to run, each from its newest checkpoint."""
    states = [folders.progress_of(run.path, run.config) for run in runs]
    if all(state == "absent" for state in states):
        raise ConfigurationError(
            f"{runs[0].path} holds no checkpoint and nothing else of a run: there is nothing "
            "to resume. Leave --resume out."
        )
    anew = one_computation and any(state != "finished" for state in states)
    left = []
    for run, state in zip(runs, states, strict=True):
        if state == "finished" and not anew:
            run.say(f"{run.path} is finished already.")
            run.together.finished.append(run.path)
            continue
        left.append(run)
        if state != "begun":
            continue
        if not anew and written(run.path):
            run.checkpoint = newest(run.path)
            continue
        folders.require_same(run.path, run.config)
        if not anew:
            run.say(f"note: {run.path} was stopped before its first checkpoint: it begins anew.")
    return left


def _saved_bytes(model: Any, checkpoints: bool) -> int:
    """What a run leaves on the disk, about: a model or an adapter, and checkpoints on the way."""
    adapted = hasattr(model, "peft_config")
    weights = (p for p in model.parameters() if p.requires_grad or not adapted)
    once = sum(p.numel() * p.element_size() for p in weights)
    return once * (1 + (2 * 3 if checkpoints else 0))  # two, with the optimiser's two moments
