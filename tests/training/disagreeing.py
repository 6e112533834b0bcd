"""Two processes that estimate other things from the same data; run by `several_processes.py`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest import mock

from language_models import byte_tokenizer, llama, pairs

from surefoot.errors import SurefootError
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.scorers.fit.coefficient import Coefficient
from surefoot.training import PreferenceTrainer, run
from surefoot.training.config import RunConfig
from surefoot.training.language import language_run
from surefoot.training.language.preference_config import PreferenceConfig

RANKS, RANK = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
ROWS = pairs(
    24,
    auxiliary=[0.9, 0.2, 0.6],
    references=[["a short one", "another"]],
    reference_auxiliary=[[0.8], [0.3]],
    votes=[[1, 1, 0], [1, 1]],
)
#: Objectives whose every number is estimated by each process.
CASES = {
    "fitted": {"labels": "control-variate"},
    "clusters": {"risk": {"kind": "cvar", "unit": "cluster", "clusters": 4}},
    "trim": {"risk": {"kind": "cvar", "trim": "auto"}},
}


def config(name: str, folder: Path) -> RunConfig:
    place = folder / f"model {RANK}"  # the same, written by each
    llama().save_pretrained(place)
    byte_tokenizer().save_pretrained(place)
    path = folder / f"pairs {RANK}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return RunConfig(
        data={"train": [str(path)], "damaged": "keep", "held_out": 0.25},
        scorer={"kind": "policy", "model": str(place), "max_length": 64},
        objective=CASES[name],
        training={"max_steps": 1, "pairs_per_step": 8, "micro_batch_pairs": 4},
        output=str(folder / f"{name} {RANK}"),
    )


def what_is_learnt(name: str, folder: Path) -> dict:
    """What each process would train on, where each estimates something else."""
    seen = {}

    def stop(self, **given):
        seen["settings"] = self._settings()
        seen["evaluated"] = {k: v.key for k, v in self.eval_pairs.items()}
        seen["clusters"] = self.pairs.preferences.strings("cluster")
        raise KeyboardInterrupt

    fit, trimmed = PromptClusters.fit.__func__, language_run.with_trim

    def another_trim(objective, data):
        found, told = trimmed(objective, data)
        if told is not None:
            moved = found.risk.model_copy(update={"trim": found.risk.trim + 0.01 * RANK})
            found = found.model_copy(update={"risk": moved})
        return found, told

    with (
        mock.patch.object(PreferenceTrainer, "train", stop),
        mock.patch.object(
            language_run, "_coefficient", return_value=Coefficient(0.3 + 0.1 * RANK, 0.5, 0.1)
        ),
        mock.patch.object(
            PromptClusters,
            "fit",
            classmethod(lambda cls, data, of, count, seed: fit(cls, data, of, count, seed + RANK)),
        ),
        mock.patch.object(language_run, "with_trim", another_trim),
    ):
        try:
            run.train(config(name, folder))
        except KeyboardInterrupt:
            return seen
    raise AssertionError("nothing was trained")


def other_data(folder: Path) -> str:
    """What is said where a trainer's own data differ."""
    rows = ROWS if RANK == 0 else [row | {"label": 1 - row["label"]} for row in ROWS]
    trainer = PreferenceTrainer(
        model=llama(),
        args=PreferenceConfig(
            output_dir=str(folder / "other"),
            use_cpu=True,
            ddp_backend="gloo" if RANKS > 1 else None,
            per_device_train_batch_size=4,
            save_strategy="no",
            report_to=[],
        ),
        train_dataset=rows,
        processing_class=byte_tokenizer(),
    )
    try:
        trainer.train()
    except SurefootError as error:
        return str(error)
    return ""


def learn_all(folder: Path) -> None:
    """Write what came of every case into the folder."""
    found = {name: what_is_learnt(name, folder) for name in CASES}
    found["other data"] = other_data(folder)
    (folder / f"learnt-{RANK}.json").write_text(json.dumps(found))
