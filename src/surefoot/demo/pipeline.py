"""The demo itself: check, train over seeds, evaluate, write."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from surefoot.data import Preferences
from surefoot.data.checks import DamageReport, check, without
from surefoot.demo.clock import Clock
from surefoot.demo.evaluate import MethodFit, rows_of
from surefoot.demo.files import write_examples
from surefoot.demo.methods import COLUMNS, PLAIN, Method, methods
from surefoot.demo.page import demo_page
from surefoot.demo.parts import PARTS, Parts
from surefoot.demo.policies.methods import POLICY_COLUMNS
from surefoot.demo.policies.part import QUICK as QUICK_POLICIES
from surefoot.demo.policies.part import PolicyOptions, run_policies, why_not
from surefoot.demo.result import DemoResult, Row
from surefoot.demo.table import markdown
from surefoot.objectives import Objective
from surefoot.runs import claim
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer, Encoder
from surefoot.scorers.heads.linear import Linear
from surefoot.scorers.solvers.linear import one_thread
from surefoot.scorers.temperature import fit_temperature
from surefoot.worlds import TextWorld, WorldPairs
from surefoot.worlds.pool import RARE

#: A smaller world for a first look and for tests.
QUICK = TextWorld(
    training_prompts=20,
    test_prompts=10,
    rare_prompts=4,
    responses=10,
    pairs=2000,
    rare_share=0.1,
    test_pairs=500,
)
QUICK_SEEDS = 5

#: Where the first seed's supervised model is left, to train it by hand.
LANGUAGE_MODEL = "language-model"


def run_demo(
    output: Path,
    seeds: int = 10,
    quick: bool = False,
    world: TextWorld | None = None,
    policies: bool = True,
    say: Callable[[str], None] = lambda line: None,
    overwrite: bool = False,
    resume: bool = False,
) -> DemoResult:
    """Run the demo and write `demo.json`, `report.html`, `table.md`, data, configurations.

    Args:
        output: folder for them, made if absent.
        seeds: draws of training pairs and labels; every method is trained on each.
        quick: a smaller world and at most five seeds.
        world: another world, instead of the demo's own.
        policies: train language models too; without TRL that part is left out, and the result says
            so.
        say: called with one line per stage.
        overwrite: write into an output folder that is not empty.
        resume: go on with what a demo that was stopped has computed.
    """
    world = world or (QUICK if quick else TextWorld())
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    with claim(output, "demo", overwrite=overwrite, resume=resume) as folder:
        output = folder.path
        parts = Parts(output / PARTS)
        folder.begin(partial(_clear, goes_on=resume))
        clock = Clock()
        heads = _reward_models(world, seeds, clock, parts, say)
        left_out = why_not() if policies else "left out on request"
        found_by_policies = None
        if not left_out:
            options = QUICK_POLICIES if quick else PolicyOptions()
            say(f"language models: {options.seeds} seeds")
            keep = output / LANGUAGE_MODEL
            found_by_policies = run_policies(options, None, clock, keep, parts, say)
        result = DemoResult(
            world,
            seeds,
            heads.table,
            heads.report,
            world.damaged(0).planted,
            clock.seconds,
            {note: tuple(names) for note, names in heads.notes.items()},
            found_by_policies,
            left_out,
        )
        write_examples(output, world, methods(world))
        folder.write("demo.json", result.to_dict())
        folder.write("report.html", demo_page(result))
        folder.write("table.md", markdown(result.rows, COLUMNS))
        if result.policies is not None:
            folder.write("policies.md", markdown(result.policies.rows, POLICY_COLUMNS))
        folder.finish(_RESULTS)
        parts.clear()
    return result


_RESULTS = ("demo.json", "report.html", "table.md", "policies.md")


def _clear(folder: Path, goes_on: bool) -> None:
    for name in _RESULTS:
        (folder / name).unlink(missing_ok=True)
    if not goes_on:
        Parts(folder / PARTS).clear()


@dataclass(frozen=True)
class _Heads:
    """What became of the reward models, with the damage report of the first seed."""

    table: tuple[Row, ...]
    report: DamageReport
    notes: dict[str, dict[str, None]]


def _reward_models(
    world: TextWorld, seeds: int, clock: Clock, parts: Parts, say: Callable[[str], None]
) -> _Heads:
    """Train every method on every seed."""
    encoder = Encoder()
    tests = {
        "test": world.test(),
        "shifted": world.test("deployment"),
        "alike": world.groups_alike(),
    }
    say("embedding the texts of the world")
    with clock("embedding"):
        _embed(world, encoder)
    compared = methods(world)
    fitted: dict[str, list[MethodFit]] = {method.name: [] for method in compared}
    reports: list[DamageReport] = []
    notes: dict[str, dict[str, None]] = {}
    started = time.perf_counter()
    with one_thread():
        for seed in range(seeds):
            with clock("checking"):
                # Topics are no annotators: without `source` no fit tries them on each other.
                rows = [{**row, "source": None} for row in world.damaged(seed).rows]
                given = Preferences.from_rows(rows, f"training data of seed {seed}")
                reports.append(check(given))
                found = [f for f in reports[-1].findings if f.severity != "note"]
                kept = without(given, found)
            penalty = 0.0
            for number, method in enumerate(compared, start=1):
                record = parts.kept(
                    ["head", world.model_dump(mode="json"), seed, asdict(method), penalty],
                    partial(_fitted, method, kept, seed, encoder, penalty, world, tests, clock),
                )
                if method.name == PLAIN:
                    penalty = record["l2"]
                for note in record["warnings"]:
                    notes.setdefault(note, {})[method.name] = None
                fitted[method.name].append(
                    MethodFit(
                        {name: np.array(of) for name, of in record["rewards"].items()},
                        {name: np.array(of) for name, of in record["probabilities"].items()},
                        record["weight_on_rare"],
                        record["weight_on_flipped"],
                    )
                )
                spent = time.perf_counter() - started
                say(
                    f"seed {seed + 1} of {seeds}, reward model {number} of {len(compared)}: "
                    f"{method.name} ({spent:.0f} s)"
                )
    with clock("evaluating"):
        return _Heads(rows_of(compared, fitted, tests), reports[0], notes)


def _fitted(
    method: Method,
    train: Preferences,
    seed: int,
    encoder: Encoder,
    penalty: float,
    world: TextWorld,
    tests: dict[str, WorldPairs],
    clock: Clock,
) -> dict[str, Any]:
    """One fit and its figures, JSON-ready."""
    with clock("training"):
        model = _fit(method, train, seed, encoder, penalty)
    with clock("evaluating"):
        found = _measure(model, train, world.training(seed), tests)
    return {
        "rewards": {name: of.tolist() for name, of in found.rewards.items()},
        "probabilities": {name: of.tolist() for name, of in found.probabilities.items()},
        "weight_on_rare": found.weight_on_rare,
        "weight_on_flipped": found.weight_on_flipped,
        "l2": model.report_.l2,
        "warnings": list(model.report_.warnings),
    }


def _embed(world: TextWorld, encoder: Encoder) -> None:
    """Embed the whole pool once: seeds then find their texts in the cache."""
    pool = [p for some in world.prompts.values() for p in some]
    texts = [f"{p.text}\n\n{r.text}" for p in pool for r in p.responses]
    encoder.embed(texts, "right", "embedding")


def _fit(
    method: Method, train: Preferences, seed: int, encoder: Encoder, penalty: float
) -> EmbeddingRewardModel:
    """One fit. The ridge penalty is chosen by cross-validation.

    Objectives with kinks or without convexity take the one that plain chose on the same seed: they
    are dearer to fit, and choosing for them would take most of the demo's time.
    """
    objective = Objective(**(method.objective or {}))
    easy = objective.smooth and objective.convex
    scorer = EmbeddingScorer() if easy else EmbeddingScorer(head=Linear(l2=penalty))
    model = EmbeddingRewardModel(scorer, objective, seed)
    model.encoder = encoder
    with warnings.catch_warnings():  # they are in the report, and from there on the page
        warnings.simplefilter("ignore")
        model.fit(train)
    if method.calibrated_for is not None:
        model.temperature_ = fit_temperature(
            model.report_.out_of_fold_margins,
            train.labels,
            train.weights,
            flip_rate=method.calibrated_for,
        ).value
    return model


def _measure(
    model: EmbeddingRewardModel,
    train: Preferences,
    drawn: WorldPairs,
    tests: dict[str, WorldPairs],
) -> MethodFit:
    """Rewards and probabilities on every test set, and where the training weight went."""
    rewards = {name: model.rewards(pairs.observed) for name, pairs in tests.items()}
    weights = model.report_.risk.weights.numpy().reshape(-1)
    flipped = dict(zip((row["id"] for row in drawn.rows), drawn.flipped, strict=True))
    wrong = np.array([flipped[name] for name in train.strings("id")])
    rare = np.array([group == RARE for group in train.strings("group")])
    return MethodFit(
        rewards=rewards,
        probabilities={n: model.to_probabilities(r[:, 0] - r[:, 1]) for n, r in rewards.items()},
        weight_on_rare=float(weights[rare].sum()),
        weight_on_flipped=float(weights[wrong].sum()),
    )
