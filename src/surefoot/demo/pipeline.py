"""The demo itself: check, train over seeds, evaluate, write."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from surefoot.data import Preferences
from surefoot.data.checks import DamageReport, check, without
from surefoot.demo.evaluate import rows_of
from surefoot.demo.files import write_examples
from surefoot.demo.methods import COLUMNS, PLAIN, Method, methods
from surefoot.demo.page import demo_page
from surefoot.demo.policies.methods import POLICY_COLUMNS
from surefoot.demo.policies.part import run_policies, why_not
from surefoot.demo.policies.training import PolicyOptions
from surefoot.demo.progress import PARTS, DemoProgress, Record
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

#: Where the first seed's supervised model is left, to train it by hand.
LANGUAGE_MODEL = "language-model"

_RESULTS = ("demo.json", "report.html", "table.md", "policies.md")


def run_demo(
    output: Path,
    seeds: int = 10,
    world: TextWorld | None = None,
    policies: PolicyOptions | None = None,
    say: Callable[[str], None] = lambda line: None,
    overwrite: bool = False,
    resume: bool = False,
) -> DemoResult:
    """Run the demo and write `demo.json`, `report.html`, `table.md`, data, configurations.

    Args:
        output: folder for them, made if absent.
        seeds: draws of training pairs and labels; every method is trained on each.
        world: another world, instead of the demo's own.
        policies: of language models to train too; None: none. Without TRL that part is left out,
            and the result says so.
        say: called with one line per stage.
        overwrite: write into an output folder that is not empty.
        resume: go on with what a demo that was stopped has computed.
    """
    world = world or TextWorld()
    with claim(output, "demo --full", overwrite=overwrite, resume=resume) as folder:
        output = folder.path
        progress = DemoProgress(output / PARTS, say)
        folder.begin(partial(_clear, goes_on=resume))
        rows, damage, notes = _reward_models(world, seeds, progress)
        left_out, trained = why_not() if policies else "left out on request", None
        if policies and not left_out:
            say(f"language models: {policies.seeds} seeds")
            trained = run_policies(policies, None, output / LANGUAGE_MODEL, progress)
        result = DemoResult(
            world=world,
            seeds=seeds,
            rows=rows,
            notes=notes,
            damage=damage,
            planted=world.damaged(0).planted,
            seconds=progress.seconds,
            policies=trained,
            no_policies=left_out,
        )
        write_examples(output, world, methods(world))
        folder.write("demo.json", result.to_dict())
        folder.write("report.html", demo_page(result))
        folder.write("table.md", markdown(result.rows, COLUMNS))
        if trained is not None:
            folder.write("policies.md", markdown(trained.rows, POLICY_COLUMNS))
        folder.finish(_RESULTS)
        progress.clear()
    return result


def _clear(folder: Path, goes_on: bool) -> None:
    for name in _RESULTS:
        (folder / name).unlink(missing_ok=True)
    if not goes_on:
        DemoProgress(folder / PARTS).clear()


def _reward_models(
    world: TextWorld, seeds: int, progress: DemoProgress
) -> tuple[tuple[Row, ...], DamageReport, dict[str, tuple[str, ...]]]:
    """Train every method on every seed: the table, the first seed's damage, and warnings."""
    encoder, tests, compared = Encoder(), world.tests(), methods(world)
    progress.say("embedding the texts of the world")
    with progress.timed("embedding"):
        _embed(world, encoder)
    reports: list[DamageReport] = []

    def prepare(seed: int) -> Callable[[Method], Record]:
        with progress.timed("checking"):
            # Topics are no annotators: without `source` no fit tries them on each other.
            rows = [{**row, "source": None} for row in world.damaged(seed).rows]
            given = Preferences.from_rows(rows, f"training data of seed {seed}")
            reports.append(check(given))
            kept = without(given, [f for f in reports[-1].findings if f.severity != "note"])
        penalty = 0.0

        def trained(method: Method) -> Record:
            nonlocal penalty

            def make() -> dict[str, Any]:
                with progress.timed("training"):
                    model = _fit(method, kept, seed, encoder, penalty)
                with progress.timed("evaluating"):
                    return _measured(model, kept, world.training(seed), tests)

            depends_on = [world.model_dump(mode="json"), seed, asdict(method), penalty]
            record = progress.kept(["reward model", *depends_on], make)
            if method.name == PLAIN:
                penalty = record["l2"]
            return record

        return trained

    with one_thread():
        fitted, notes = progress.every("reward model", compared, seeds, prepare)
    with progress.timed("evaluating"):
        return rows_of(compared, fitted, tests), reports[0], notes


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


def _measured(
    model: EmbeddingRewardModel,
    train: Preferences,
    drawn: WorldPairs,
    tests: dict[str, WorldPairs],
) -> dict[str, Any]:
    """Rewards and probabilities on every test set, and where the training weight went."""
    rewards = {name: model.rewards(pairs.observed) for name, pairs in tests.items()}
    weights = model.report_.risk.weights.numpy().reshape(-1)
    flipped = dict(zip((row["id"] for row in drawn.rows), drawn.flipped, strict=True))
    wrong = np.array([flipped[name] for name in train.strings("id")])
    rare = np.array([group == RARE for group in train.strings("group")])
    return {
        "rewards": {name: one.tolist() for name, one in rewards.items()},
        "probabilities": {
            name: model.to_probabilities(one[:, 0] - one[:, 1]).tolist()
            for name, one in rewards.items()
        },
        "weight_on_rare": float(weights[rare].sum()),
        "weight_on_flipped": float(weights[wrong].sum()),
        "l2": model.report_.l2,
        "notes": list(model.report_.warnings),
    }
