"""One policy: trained, sampled, judged; kept."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from experiments.common.work import Work
from experiments.sentiment.data import (
    VERSION,
    Labelled,
    Method,
    Settings,
    Task,
    attributes,
    pairs_of,
    quietly,
    written,
)
from surefoot.scorers.loading import load_scorer
from surefoot.training import RunConfig, train

#: Where seeds of what policies write are counted from; those of data are below.
_POLICY = 1_000_000
#: Stands for the folder of the auxiliary model that was fitted on this seed's labels.
FITTED = "fitted"


def run_cell(
    settings: Settings, method: Method, task: Task, data: Labelled, number: int, work: Work
) -> Mapping[str, np.ndarray]:
    """Train one policy, as `surefoot train` does, let it write, and score what it wrote; kept."""
    scorer = {"kind": "policy", **settings.scorer, **method.scorer}
    training = {**settings.training, **method.training, "seed": number}
    key = [VERSION, scorer, training, method.objective, task.small.name, data.path.parent.name]
    path = work.cell([*key, settings.tested_on, len(task.prompts), settings.samples])
    if path.is_file():
        return np.load(path)
    started, cpu = time.monotonic(), time.process_time()
    objective = dict(method.objective)
    if objective.get("auxiliary") == FITTED:
        objective["auxiliary"] = str(data.fitted())
    scratch = work.scratch()
    config = RunConfig(
        data={"train": str(data.path)},
        scorer={**scorer, "model": str(task.small)},
        objective=objective,
        training=training,
        output=str(scratch / "run"),
    )
    run = quietly(train, config)
    trained = time.process_time() - cpu
    own = _POLICY + int(path.stem[:6], 16)
    drawn = written(settings, task.small, run.folder, task.prompts, settings.samples, own)
    coefficient = run.report.coefficient
    np.savez(
        scratch / "cell.npz",
        attributes=attributes(task.scorer, task.prompts, drawn.texts),
        log_ratios=drawn.log_ratios,
        words=np.vectorize(lambda text: len(text.split()))(drawn.texts),
        cut=drawn.cut,
        coefficient=np.nan if coefficient is None else coefficient.value,
        training_seconds=trained,
        seconds=time.monotonic() - started,
        texts=drawn.texts,
    )
    (scratch / "cell.npz").replace(path)
    return np.load(path)


def judged_by_auxiliary(
    task: Task, data: Labelled, cell: Mapping[str, np.ndarray], work: Work
) -> np.ndarray:
    """Wins over the reference (P,) as the auxiliary model sees them; kept.

    It was fitted on the labels that the policy was trained on.
    """
    path = work.cell([VERSION, "judged", data.path.parent.name, cell["texts"].tolist()])
    if not path.is_file():
        both = np.stack([cell["texts"], task.texts], axis=-1).reshape(len(task.prompts), -1)
        found = load_scorer(data.fitted()).probabilities(pairs_of(task.prompts, both))
        scratch = work.scratch() / "judged.npz"
        np.savez(scratch, wins=found.reshape(task.texts.shape).mean(1))
        scratch.replace(path)
    wins: np.ndarray = np.load(path)["wins"]
    return wins
