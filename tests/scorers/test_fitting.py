"""Several seeds at once: each ends as it would alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surefoot.data import Preferences, concatenate
from surefoot.errors import ConfigurationError, DataError
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer, fit_models
from surefoot.scorers.fit.fitting import prompt_bootstrap

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SEEDS = (3, 0)
MLP = {"kind": "mlp", "hidden": 8, "steps": 40}


@pytest.fixture(scope="module")
def train(rows):
    """Two sources that are opposed, and large enough for halves of them to be tried."""
    one = rows(250, seed=1, flip_rate=0.1, source="one")
    two = [{**row, "label": 1 - row["label"], "source": "two"} for row in rows(250, seed=2)]
    return concatenate([Preferences.from_rows(one), Preferences.from_rows(two)])


def _scorer(encoder: str, **options) -> EmbeddingScorer:
    return EmbeddingScorer(encoder={"name": encoder, "precision": "float32"}, **options)


def _models(encoder: str, objective: dict, **options) -> list[EmbeddingRewardModel]:
    scorer = _scorer(encoder, **options)
    return [EmbeddingRewardModel(scorer, Objective(**objective), seed) for seed in SEEDS]


@pytest.mark.parametrize("bootstrap", [False, True])
@pytest.mark.parametrize(
    ("objective", "options"),
    [
        ({}, {}),
        ({}, {"members": 3, "source_aware": True}),
        ({"loss": "hinge"}, {"head": {"kind": "linear", "l2": 0.1}}),
        ({"risk": {"kind": "cvar", "unit": "source"}}, {"members": 2}),
        ({"risk": {"kind": "soft-minimum"}}, {}),
        ({}, {"head": MLP}),
        ({}, {"head": MLP, "members": 2}),
    ],
    ids=str,
)
def test_a_seed_in_a_batch_equals_the_seed_alone(
    small_encoder, train, objective, options, bootstrap
):
    drawn = prompt_bootstrap(train.prompt_keys(), SEEDS)
    together, alone = (_models(small_encoder, objective, **options) for _ in range(2))
    fit_models(together, train, drawn if bootstrap else None)
    for k, (one, other) in enumerate(zip(together, alone, strict=True)):
        other.fit(train, drawn[:, k] if bootstrap else None)
        ours, theirs = one.report_, other.report_
        assert ours.l2 == theirs.l2
        np.testing.assert_allclose(one.member_scores(train), other.member_scores(train), atol=1e-5)
        np.testing.assert_allclose(ours.out_of_fold_margins, theirs.out_of_fold_margins, atol=1e-5)
        assert one.temperature_ == pytest.approx(other.temperature_, rel=1e-4)
        assert ours.conflict == theirs.conflict
        assert ours.warnings == theirs.warnings
        assert ours.optimum.split(":")[0] == theirs.optimum.split(":")[0]
        torch.testing.assert_close(
            ours.risk.unit_weights, theirs.risk.unit_weights, atol=1e-5, rtol=0
        )
    if bootstrap:
        assert not np.allclose(*(model.rewards(train) for model in together))


def test_each_seed_chooses_its_own_penalty(small_encoder, rows):
    """Half of the seeds see labels, the others coins: the penalties cannot be the same."""
    coins = np.random.default_rng(0).random(200) < 0.5
    some = Preferences.from_rows(
        [
            *rows(200, seed=1),
            *(
                {**row, "label": float(coin)}
                for row, coin in zip(rows(200, seed=2), coins, strict=True)
            ),
        ]
    )
    clear, noise, both = (np.repeat(pair, 200) for pair in ([1, 0], [0, 1], [1, 1]))
    models = [EmbeddingRewardModel(_scorer(small_encoder)) for _ in range(3)]
    fit_models(models, some, np.stack([clear, noise, both], axis=1))
    l2 = [model.report_.l2 for model in models]
    assert l2[0] < l2[1]
    assert l2[0] <= l2[2] <= l2[1]


def test_models_that_differ_in_more_than_the_seed_are_refused(small_encoder, train):
    plain, hinge = _models(small_encoder, {})[0], _models(small_encoder, {"loss": "hinge"})[0]
    with pytest.raises(ConfigurationError, match="seed alone"):
        fit_models([plain, hinge], train)


def test_a_seed_without_rows_is_refused(small_encoder, train):
    mass = np.ones((len(train), 2))
    mass[:, 1] = 0
    with pytest.raises(DataError, match="no pair is left"):
        fit_models(_models(small_encoder, {}), train, mass)
