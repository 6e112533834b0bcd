"""Real sets for the table of regrets: read, split by prompt, judged, trained on, tried."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from surefoot.auditing import audit
from surefoot.auditing.diagnosis import Diagnosis
from surefoot.auditing.remedy import Options
from surefoot.data import Preferences, read_preferences
from surefoot.data.age import aged
from surefoot.data.apart import set_apart
from surefoot.data.checks import check
from surefoot.evaluation.suites import load_suite, suites
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingRewardModel, Encoder, EncoderOptions, Scorer
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.statistics.ties import side_of_half

#: Rows of a set at most, drawn by prompt.
MOST = 2500
Record = dict[str, Any]
#: What makes a row of accuracies of ways of training.
Compared = Callable[[tuple[Diagnosis, ...], Options, Options, Callable[[Options], float]], Any]


@dataclass(frozen=True)
class RealSet:
    """Files of a set, which columns are what, and what becomes of a record where that is needed."""

    files: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    record: Callable[[Record], Record] | None = None


def _debate(row: Record) -> Record:
    return {
        "prompt": f"{row['debate']}: {row['stance']}",
        "response_a": row["a1"],
        "response_b": row["a2"],
        # one vote of several, as most data have it
        "label": {"a1": 1.0, "a2": 0.0, "equal": 0.5}[row["votes"][0]["value"]],
        "group": f"{row['topic']}, {row['stance']}",
    }


_BEHAVIOUR = {
    "prompt": "question",
    "chosen": "answer_matching_behavior",
    "rejected": "answer_not_matching_behavior",
    "group": "behavior",
}
#: Beside suites of their names.
SETS: dict[str, RealSet | None] = {
    "hh": RealSet(("hh_rlhf/helpful-base.test.jsonl.gz", "hh_rlhf/harmless-base.test.jsonl.gz")),
    "harmless, last turns": RealSet(("hh_rlhf/harmless-base.train5k.last-turn-only.jsonl.gz",)),
    "debates, single votes": RealSet(
        ("ukpconvarg1/pairs_with_annotators.jsonl.gz",), record=_debate
    ),
    "creativity": RealSet(
        ("creativity_ranking/rankings.jsonl.gz",), {"annotator": "writer", "group": "type"}
    ),
    "pandalm_testset": None,
    "xstest": None,
    "rm_bench": None,
    "llmfao": RealSet(("llmfao/pairs.jsonl.gz",), {"group": "type"}),
    "tulu": RealSet(
        ("tulu1_human_eval/annotations.jsonl.gz",),
        {"annotator": "evaluator", "time": "timestamp"},
    ),
    "behaviours": RealSet(("model_written_evals/ai_risk_human.jsonl.gz",), _BEHAVIOUR),
}


@cache
def real_set(name: str, folder: Path) -> Preferences:
    """A set without damage, some of it where it is large."""
    one = SETS[name]
    if one is None:
        assert name in suites()
        data = load_suite(name, folder)
    elif one.record is None:
        data = read_preferences([str(folder / f) for f in one.files], columns=dict(one.columns))
    else:
        with TemporaryDirectory() as place, gzip.open(folder / one.files[0], "rt") as lines:
            rows = [json.dumps(one.record(json.loads(line))) for line in lines]
            (Path(place) / "rows.jsonl").write_text("\n".join(rows))
            data = read_preferences([str(Path(place) / "rows.jsonl")])
    report = check(data)
    damaged = [f.positions for f in report.findings if f.severity == "error"]
    kept = np.ones(len(data), dtype=bool)
    kept[np.concatenate([*damaged, np.empty(0, np.int64)])] = False
    rng = np.random.default_rng(0)
    positions = rng.permutation(np.flatnonzero(kept))[:MOST]
    return data.select(np.sort(positions))


def outcomes_of_set(
    name: str, folder: Path, seed: int, compared: Compared, risk: Mapping[str, Any]
) -> Any:
    """Accuracies of all ways of training on a set, on prompts that neither audit nor head saw."""
    apart = set_apart(real_set(name, folder), seed)
    assert apart.held_out is not None
    encoder = Encoder(EncoderOptions())
    found = audit(apart.rest, encoder=lambda: encoder, seed=seed)
    named = (c for c in ("group", "source") if len(set(apart.rest.strings(c))) > 1)
    unit = next((c for c in named if None not in apart.rest.strings(c)), "cluster")

    def accuracy(options: Options) -> float:
        return _accuracy(options, apart.rest, apart.held_out, encoder, seed)

    default = {"objective": {"risk": {**risk, "unit": unit}}}
    return compared(found.diagnoses, found.remedy.options, default, accuracy)


def _accuracy(
    options: Options, training: Preferences, test: Any, encoder: Encoder, seed: int
) -> float:
    """Of a head trained with these options, on decided labels."""
    scorer = Scorer.parse({"kind": "embedding", **options.get("scorer", {})})
    objective = Objective(**options.get("objective", {}))
    if "half_life" in options.get("data", {}):
        training = aged(training, options["data"]["half_life"])
    risk = objective.risk
    if risk.unit == "cluster" and not training.has("cluster"):
        training = PromptClusters.fit(training, encoder, risk.clusters, seed).beside(training)
    model = EmbeddingRewardModel(scorer, objective, seed).fit(training)  # type: ignore[arg-type]
    decided = np.flatnonzero(side_of_half(test.labels) != 0)
    return model.score(test.select(decided))
