"""The policy part: small language models, then preferences, plain and robust, on every seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from surefoot.demo.methods import Method
from surefoot.demo.policies.figures import Outcomes, rows_of
from surefoot.demo.policies.methods import policy_methods
from surefoot.demo.policies.training import PolicyOptions, Seed, every_response
from surefoot.demo.progress import DemoProgress, Record
from surefoot.demo.result import PolicyResult
from surefoot.worlds import TextWorld

#: What to type where TRL is absent.
WITHOUT_TRL = "TRL is not installed: pip install 'surefoot[encoder,trl]'"

#: Questions on one topic: in the minute there is, a model of this size learns the sentences but not
#: (in pilot runs with all five) to tell by the question which topic's advice is asked for.
WORLD = TextWorld(
    topics=("gardening",),
    training_prompts=14,
    test_prompts=14,
    rare_prompts=11,
    responses=24,
    pairs=1000,
    test_pairs=1000,
    rare_share=0.1,
)


def why_not() -> str:
    """Why the policy part cannot run here; empty where it can."""
    return "" if find_spec("trl") else WITHOUT_TRL


def run_policies(
    options: PolicyOptions | None = None,
    world: TextWorld | None = None,
    keep: Path | None = None,
    progress: DemoProgress | None = None,
) -> PolicyResult:
    """Train every policy on every seed, let it write, and compare.

    Args:
        options: sizes; by default those of the whole demo.
        world: questions and answers; by default those of one topic.
        keep: where to save the first seed's supervised model.
        progress: what was computed before, and who hears of what is.
    """
    options, world, progress = (
        options or PolicyOptions(),
        world or WORLD,
        progress or DemoProgress(),
    )
    compared, pool = policy_methods(world), every_response(world.prompts["test"])
    described = [options.model_dump(mode="json"), world.model_dump(mode="json")]
    supervised: list[Record] = []

    def prepare(number: int) -> Callable[[Method], Record]:
        seed = Seed(number, options, world, pool, progress)
        make = partial(seed.supervised, None if number else keep)
        supervised.append(progress.kept(["supervised", *described, number], make))
        return lambda method: progress.kept(
            ["policy", *described, number, asdict(method)], partial(seed.policy, method)
        )

    records, notes = progress.every("language model", compared, options.seeds, prepare)
    outcomes = {
        name: [Outcomes.of(one, options.beta) for one in some] for name, some in records.items()
    }
    return PolicyResult(
        world=world,
        seeds=options.seeds,
        rows=rows_of(compared, outcomes, world.tests(), world),
        notes=notes,
        options=described[0],
        parameters=supervised[-1]["parameters"],
        supervised_loss=float(np.mean([one["loss"] for one in supervised])),
        samples={name: found[0].written for name, found in outcomes.items()},
    )
