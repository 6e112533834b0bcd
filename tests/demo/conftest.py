"""One demo for all tests of it: its quick world, and its policies in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.demo import DemoResult, run_demo
from surefoot.demo.policies.training import GenerationOptions, PolicyOptions
from surefoot.worlds import TextWorld
from surefoot.worlds.language_model import LanguageOptions

#: A smaller world of reward models.
QUICK = TextWorld(
    training_prompts=20,
    test_prompts=10,
    rare_prompts=4,
    responses=10,
    pairs=2000,
    rare_share=0.1,
    test_pairs=500,
)
#: What the policies are compared in.
WORLD = TextWorld(
    topics=("gardening",),
    training_prompts=11,
    test_prompts=11,
    rare_prompts=10,
    responses=14,
    pairs=60,
    test_pairs=80,
    rare_share=0.2,
)
POLICIES = PolicyOptions(
    seeds=1,
    language=LanguageOptions(vocabulary=600, width=16, layers=1, heads=2, epochs=1),
    epochs=1,
    pairs_per_step=16,
    writing=GenerationOptions(responses=1, min_new_tokens=4, max_new_tokens=8),
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def result(folder: Path) -> DemoResult:
    with pytest.MonkeyPatch.context() as small:
        small.setattr("surefoot.demo.policies.part.WORLD", WORLD)
        return run_demo(folder, seeds=5, world=QUICK, policies=POLICIES)
