"""Heads that judge pairs: antisymmetric, able to say cycles, and fitted like any other."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from surefoot.cli.app import app
from surefoot.data import Preferences
from surefoot.data.writing import write_preferences
from surefoot.errors import CompositionError, ConfigurationError
from surefoot.objectives import Evidence, Objective
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer, Head
from surefoot.scorers.head import Problem, margins_of
from surefoot.scorers.heads.general_preference import GeneralPreference
from surefoot.scorers.heads.linear import Linear
from surefoot.scorers.heads.mlp import MLP
from surefoot.scorers.heads.pairwise import Pairwise
from surefoot.scorers.skew import skew_score, unit_embeddings
from surefoot.statistics import hierarchical_difference

N, D, C = 60, 5, 3
HEADS = [
    GeneralPreference(blocks=1),
    GeneralPreference(blocks=3, prompt_weights=True),
    GeneralPreference(blocks=2, hidden=4, prompt_weights=True, reward=True),
    Pairwise(hidden=4),
    Pairwise(hidden=4, prompt=True),
]
EMBEDDING_HEADS = [
    {"kind": "general-preference", "blocks": 2, "steps": 60, "l2": 0.1},
    {"kind": "general-preference", "prompt_weights": True, "reward": True, "steps": 60, "l2": 0.1},
    {"kind": "pairwise", "hidden": 8, "steps": 60, "l2": 0.01},
    {"kind": "pairwise", "hidden": 8, "prompt": True, "steps": 60, "l2": 0.01},
]


def _problem(l2: tuple[float, ...] = (0.01,), **options) -> Problem:
    generator = torch.Generator().manual_seed(0)
    return Problem(
        features=torch.randn(N, 2, D, generator=generator),
        objective=Objective(),
        evidence=Evidence((torch.rand(N, generator=generator) < 0.5).double()),
        mass=torch.ones(N, len(l2), dtype=torch.float64),
        l2=torch.tensor(l2, dtype=torch.float64),
        seeds=tuple(range(len(l2))),
        context=torch.randn(N, C, generator=generator),
        **options,
    )


def _random(head: Head, count: int = 3) -> dict[str, Tensor]:
    """Parameters of some heads, none of them zero."""
    generator = torch.Generator().manual_seed(1)
    one = head.initial(D, C, generator)
    return {n: torch.randn(count, *p.shape, generator=generator) for n, p in one.items()}


class TestSkewScores:
    def test_three_vectors_at_120_degrees_are_a_cycle(self):
        angles = torch.arange(3) * 2 * math.pi / 3
        v = torch.stack([angles.cos(), angles.sin()], dim=-1)[:, None]
        s = skew_score(v[:, None], v[None])
        assert [float(s[i, j]) for i, j in ((1, 0), (2, 1), (0, 2))] == pytest.approx(
            [math.sqrt(3) / 2] * 3
        )
        assert torch.equal(s, -s.T)

    def test_it_is_the_matrix_of_the_paper(self):
        """v_a' R v_b with R written out, block by block."""
        generator = torch.Generator().manual_seed(0)
        a, b = torch.randn(2, 7, 6, generator=generator, dtype=torch.float64)
        weights = torch.rand(7, 3, generator=generator, dtype=torch.float64)
        block = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
        expected = [
            x @ torch.block_diag(*(w * block for w in each)) @ y
            for x, y, each in zip(a, b, weights, strict=True)
        ]
        found = skew_score(a.unflatten(1, (-1, 2)), b.unflatten(1, (-1, 2)), weights)
        torch.testing.assert_close(found, torch.stack(expected))

    def test_embeddings_have_norm_one_and_a_mean(self):
        offsets = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
        v = unit_embeddings(offsets, 0.1)
        torch.testing.assert_close(v.square().sum((-2, -1)), torch.ones(9))
        np.testing.assert_allclose(unit_embeddings(0 * offsets, 0.1)[0], [[3**-0.5, 0]] * 3)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("close", [0.0, 1e-30, 1e-6, 1e-3])
    def test_an_embedding_of_zero_ties_with_all(self, dtype, close):
        """Offsets that cancel the mean leave no direction: no NaN, and a bounded gradient."""
        tau, k = 0.25, 4
        cancel = -torch.tensor([k**-0.5 / tau**0.5, 0.0], dtype=dtype).repeat(k)
        a = (cancel + close).requires_grad_()
        b = torch.randn(2 * k, generator=torch.Generator().manual_seed(0), dtype=dtype)
        v = [unit_embeddings(offsets, tau) for offsets in (a, b)]
        score = skew_score(*v)
        (gradient,) = torch.autograd.grad(score, a)
        assert score.isfinite()
        assert gradient.isfinite().all()
        assert gradient.abs().max() <= 1e4
        assert v[0].square().sum() <= 1 + 1e-6
        if close < 1e-6:
            assert abs(float(score)) < 1e-6
        assert skew_score(*v[::-1]) == -score


@pytest.mark.parametrize("head", HEADS, ids=repr)
class TestEveryPairwiseHead:
    def test_antisymmetric_and_zero_against_itself(self, head):
        problem, parameters = _problem(), _random(head)
        x, context = problem.features, problem.context
        scores = head.scores(parameters, x, context)
        assert scores.shape == (N, 2, 3)
        assert torch.equal(scores[:, 0], -scores[:, 1])
        assert scores.abs().max() > 0.1
        assert torch.equal(head.scores(parameters, x.flip(1), context), scores.flip(1))
        same = head.scores(parameters, x[:, :1].expand(-1, 2, -1), context)
        assert not same.any()

    def test_declares_what_it_is(self, head):
        assert head.pairwise
        assert not head.linear
        assert head.context == ("prompt" in _random(head))

    def test_prompts_count_where_they_are_asked_for(self, head):
        problem, parameters = _problem(), _random(head)
        x, context = problem.features, problem.context
        here, there = (head.scores(parameters, x, c) for c in (context, context.flip(0)))
        assert torch.equal(here, there) != head.context

    def test_heads_do_not_depend_on_their_neighbours(self, head):
        head = head.model_copy(update={"steps": 15})
        together, alone = head.fit(_problem((0.01, 0.1))), head.fit(_problem((0.01,)))
        for name, value in alone.parameters.items():
            torch.testing.assert_close(together.parameters[name][:1], value, rtol=1e-3, atol=1e-4)

    def test_a_batch_that_is_too_large_is_cut_and_nothing_changes(self, head, monkeypatch):
        head = head.model_copy(update={"steps": 10})
        problem = _problem((0.01, 0.1, 0.03))
        whole = head.fit(problem)
        scores = problem.scores(head, whole.parameters)
        limit = 2 * (2 * N) * head.width
        monkeypatch.setattr("surefoot.scorers.solvers.trained.ACTIVATIONS", limit)
        cut = head.fit(problem)  # two heads, and one
        torch.testing.assert_close(cut.parameters, whole.parameters, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(problem.scores(head, whole.parameters), scores)


class TestNesting:
    def test_a_small_temperature_makes_differences_of_rewards(self):
        """The limit: the second coordinate of each plane, over sqrt(k tau), is a reward."""
        problem = _problem()
        head = GeneralPreference(blocks=2, temperature=1e-12)
        x, parameters = problem.features.double(), _random(head)
        rewards = x @ parameters["embedding"][..., 1::2].sum(-1).double().T / 2e-12**0.5
        found, expected = margins_of(head.scores(parameters, x)), margins_of(rewards)
        scale = float(expected.abs().max())
        torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=1e-4)

    def test_rewards_alone(self):
        problem = _problem()
        head = GeneralPreference(blocks=2, reward=True)
        parameters = _random(head) | {"embedding": torch.zeros(3, D, 4)}
        linear = Linear().scores({"weight": parameters["reward"].T}, problem.features)
        torch.testing.assert_close(margins_of(problem.scores(head, parameters)), margins_of(linear))

    def test_a_classifier_of_one_response_is_a_reward(self):
        problem = _problem()
        parameters = _random(Pairwise(hidden=4)) | {"other": torch.zeros(3, D, 4)}
        names = {"weight": "own", "bias": "bias", "out": "out"}
        mlp = MLP(hidden=4).scores(
            {ours: parameters[theirs] for ours, theirs in names.items()}, problem.features
        )
        found = margins_of(problem.scores(Pairwise(hidden=4), parameters))
        torch.testing.assert_close(found, margins_of(mlp), rtol=1e-4, atol=1e-5)

    def test_no_margin_is_beyond_the_temperature(self):
        head = GeneralPreference(blocks=2, temperature=0.5)
        parameters = {n: 1e3 * p for n, p in _random(head).items()}
        margins = margins_of(_problem().scores(head, parameters))
        assert 1.5 < float(margins.abs().max()) <= 2.0 + 1e-5


def test_weights_of_one_plane_are_refused():
    with pytest.raises(ConfigurationError, match="prompt_weights has no effect on one plane"):
        GeneralPreference(blocks=1, prompt_weights=True)


# A world whose truth is known: true margins of pairs whose features are a plane among others.


def _world(truth: str, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Features (n, 2, 8) and true P(a preferred) (n,)."""
    x = torch.randn(n, 2, 8, generator=torch.Generator().manual_seed(seed))
    angle = torch.atan2(x[..., 0], x[..., 1])
    of = {"cycles": lambda a, b: 3 * (a - b).sin(), "rewards": lambda a, b: a - b}
    by = {"cycles": angle, "rewards": 2 * x[..., 2]}[truth]
    return x, of[truth](by[:, 0], by[:, 1]).sigmoid().double()


def _outcomes(head: Head, l2: float, truth: str, seed: int) -> tuple[Tensor, Tensor]:
    """Expected log-loss and accuracy of each held-out pair, over its label."""
    x, p = _world(truth, 1000, seed)
    y = (torch.rand(1000, generator=torch.Generator().manual_seed(seed)) < p).double()
    mass, ridge = torch.ones(1000, 1, dtype=torch.float64), torch.tensor([l2]).double()
    problem = Problem(x, Objective(), Evidence(y), mass, ridge, (seed,))
    fitted = head.fit(problem, certify=False)
    x, p = _world(truth, 2000, 1000 + seed)
    chance = margins_of(head.scores(fitted.parameters, x)).sigmoid()[:, 0].double()
    losses = -(p * chance.log() + (1 - p) * (1 - chance).log())
    return losses, torch.where(chance > 0.5, p, 1 - p)


PAIRWISE = [(GeneralPreference(), 0.03), (Pairwise(), 0.01)]


@pytest.mark.slow
@pytest.mark.parametrize(("head", "l2"), PAIRWISE, ids=["general-preference", "pairwise"])
class TestAgainstRewards:
    """Held-out pairs of five draws of each world, paired with the best head of rewards there."""

    def _gain(self, head: Head, l2: float, truth: str, what: int):
        found = [
            [_outcomes(*fit, truth, seed)[what].numpy() for seed in range(5)]
            for fit in ((head, l2), (Linear(), 0.01))
        ]
        return hierarchical_difference(*found, [np.arange(2000)] * 5).difference

    def test_cycles_are_learnt(self, head, l2):
        assert self._gain(head, l2, "cycles", 1).low > 0.2  # accuracy of rewards: a coin's
        assert self._gain(head, l2, "cycles", 0).high < -0.1

    def test_nothing_notable_is_lost_where_there_are_rewards(self, head, l2):
        assert self._gain(head, l2, "rewards", 1).low > -0.01
        assert self._gain(head, l2, "rewards", 0).high < 0.02


def _model(encoder: str, head: dict, **options) -> EmbeddingRewardModel:
    encoder_options = {"name": encoder, "precision": "float32"}
    return EmbeddingRewardModel(EmbeddingScorer(encoder=encoder_options, head=head, **options))


@pytest.fixture(scope="module")
def train(rows):
    return Preferences.from_rows(rows(150, seed=1, flip_rate=0.1, source="one"))


@pytest.fixture(scope="module")
def test(rows):
    return Preferences.from_rows(rows(100, seed=2, source="one"))


@pytest.mark.parametrize("head", EMBEDDING_HEADS, ids=str)
class TestOnEmbeddings:
    def test_learns_saves_and_loads(self, small_encoder, train, test, head, tmp_path):
        model = _model(small_encoder, head).fit(train)
        assert model.score(test) > 0.7
        model.save(tmp_path)
        loaded = EmbeddingRewardModel.load(tmp_path)
        np.testing.assert_array_equal(loaded.scores(test), model.scores(test))
        np.testing.assert_array_equal(loaded.predict(test), model.predict(test))
        scores = model.scores(train)
        np.testing.assert_array_equal(scores[:, 0], -scores[:, 1])
        assert scores.std() == pytest.approx(1, abs=0.01)

    def test_swapped_pairs_get_swapped_answers(self, small_encoder, train, test, head):
        model = _model(small_encoder, head, members=2).fit(train)
        turned = {"response_a": "response_b", "response_b": "response_a"}
        swapped = test.dataset.rename_columns({"response_a": "x"})
        swapped = swapped.rename_columns({"response_b": "response_a", "x": "response_b"})
        again = Preferences.from_rows(
            {"prompt": r["prompt"], **{n: r[n] for n in turned}, "label": 1 - r["label"]}
            for r in swapped
        )
        np.testing.assert_allclose(model.predict(again), 1 - model.predict(test), atol=1e-9)

    def test_there_are_no_rewards(self, small_encoder, train, test, head):
        model = _model(small_encoder, head).fit(train)
        assert model.pairwise
        with pytest.raises(ConfigurationError, match="judges pairs: a response alone has no"):
            model.rewards(test)


def test_reference_pairs_bring_their_prompts(small_encoder, rows):
    """A head that looks at prompts takes them from the reference pairs, too."""
    given = [
        {**row, "auxiliary": 0.5, "references": ["good yes", "bad no"], "reference_auxiliary": [p]}
        for row, p in zip(rows(40, seed=3), np.linspace(0.1, 0.9, 40).tolist(), strict=True)
    ]
    objective = Objective(labels={"kind": "control-variate", "coefficient": 0.5})
    head = {"kind": "general-preference", "prompt_weights": True, "steps": 20, "l2": 0.1}
    scorer = EmbeddingScorer(encoder={"name": small_encoder, "precision": "float32"}, head=head)
    data = Preferences.from_rows(given)
    model = EmbeddingRewardModel(scorer, objective).fit(data)
    plain = EmbeddingRewardModel(scorer).fit(data)
    assert np.abs(model.scores(data) - plain.scores(data)).max() > 1e-3


def test_what_is_of_tokens_is_refused(small_encoder, train):
    scorer = EmbeddingScorer(encoder=small_encoder, head="pairwise")
    objective = Objective(loss={"kind": "squared", "length_normalised": True})
    with pytest.raises(CompositionError, match="this scorer gives one margin per pair"):
        EmbeddingRewardModel(scorer, objective).fit(train)


def test_command_line(small_encoder, train, test, tmp_path):
    """Trained, evaluated against Bradley-Terry and scored, as any scorer."""
    write_preferences(train, tmp_path / "train.jsonl")
    write_preferences(test, tmp_path / "test.jsonl")
    config = tmp_path / "config.yaml"
    config.write_text(
        f"data: {{train: {tmp_path}/train.jsonl}}\n"
        f"scorer: {{kind: embedding, encoder: {{name: {small_encoder}, precision: float32}}}}\n"
        f"output: {tmp_path}/plain\n"
    )

    def run(*command: object) -> str:
        found = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.output

    run("train", config)
    run(
        *("train", config, "--output", tmp_path / "pairs"),
        *("--scorer.head", "{kind: general-preference, steps: 40, l2: 0.1}"),
    )
    data = tmp_path / "test.jsonl"
    run(
        *("evaluate", tmp_path / "pairs", data, "--baseline", tmp_path / "plain"),
        *("--output", tmp_path / "report"),
    )
    evaluation = json.loads((tmp_path / "report/evaluation.json").read_text())
    (result,) = evaluation["results"].values()
    model = EmbeddingRewardModel.load(tmp_path / "pairs")
    assert result["accuracy"]["estimate"] == pytest.approx(model.score(test))
    assert result["comparison"]["accuracy"]["difference"]["low"] is not None
    said = run("score", tmp_path / "pairs", data, "--output", tmp_path / "scores.jsonl")
    assert "a response alone has no reward" in " ".join(said.split())
    scored = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert set(scored[0]) == {"id", "file", "row", "margin", "p_a_preferred"}
    margins = model.scores(test) @ [1.0, -1.0]
    np.testing.assert_allclose([one["margin"] for one in scored], margins)
    np.testing.assert_allclose([one["p_a_preferred"] for one in scored], model.predict(test))
