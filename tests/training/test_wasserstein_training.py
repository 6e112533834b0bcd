"""A Wasserstein ball around input embeddings: gradients of gradients, where they are exact."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from language_models import (
    bert_reward,
    bert_tokenizer,
    byte_tokenizer,
    gpt2_reward,
    llama,
    llama_reward,
    pairs,
    save,
)
from torch import nn

from surefoot.errors import CompositionError, ConfigurationError
from surefoot.objectives import Objective
from surefoot.scorers.language.batch import lay_out
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.scores import RewardScores, with_steepness
from surefoot.training import train
from surefoot.training.language import at_start
from surefoot.training.language.at_start import require_exact
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.language.step import StepRunner

N, RADIUS = 8, 0.7
BALL = [{"kind": "wasserstein", "radius": RADIUS}]
EAGER = {"attn_implementation": "eager"}


class World:
    """A reward model in float64, and N pairs of different lengths."""

    def __init__(self, model, tokenizer, encoder):
        self.model, self.score = model.double().eval(), RewardScores(bidirectional=encoder)
        rows = pairs(N, label=[1.0, 0.0, 0.7, 0.5], weight=[1.0, 2.0, 0.5])
        self.objective = Objective(regularisers=BALL, labels={"kind": "smoothed", "flip_rate": 0.1})
        self.pairs = TrainingPairs.of(rows, tokenizer, self.objective, "rewards", 64, encoder)
        self.pad_id = tokenizer.pad_token_id

    def batch(self, rows=range(N)):
        return lay_out(self.pairs.tokens.read(np.array(rows)), self.pad_id)

    def steepness_by_hand(self, row):
        """Each response alone, without padding, from its embeddings."""
        table = self.model.get_input_embeddings()
        ((prompt, *both),) = self.pairs.tokens.read(np.array([row]))
        found = torch.zeros((), dtype=torch.float64)
        for response in both:
            e = table(torch.tensor([prompt + response])).detach().requires_grad_()
            reward = self.model(inputs_embeds=e).logits.sum()
            found += torch.autograd.grad(reward, e)[0].square().sum()
        return found

    def value(self):
        """The whole objective in one graph, written out."""
        outputs = with_steepness(self.score, self.model, self.batch(), learn=True)
        margins = outputs.scores[:, 0].double() - outputs.scores[:, 1].double()
        y = 0.9 * self.pairs.evidence.label + 0.1 * (1 - self.pairs.evidence.label)
        share = self.pairs.mass / self.pairs.mass.sum()
        losses = nn.functional.softplus(-margins) + (1 - y) * margins
        slopes = margins.sigmoid() - y
        gradient = (share * slopes.square() * outputs.steepness).sum().sqrt()
        return (share * losses).sum() + RADIUS * gradient


def _llama(**options):
    model = llama_reward(pad_token_id=2, **EAGER, **options)
    return World(model, byte_tokenizer(), encoder=False)


def _gpt2():
    return World(gpt2_reward(pad_token_id=2, **EAGER), byte_tokenizer(), encoder=False)


def _bert():
    return World(bert_reward(pad_token_id=0, **EAGER), bert_tokenizer(), encoder=True)


@pytest.fixture(scope="module", params=[_llama, _gpt2, _bert], ids=lambda f: f.__name__)
def world(request):
    return request.param()


def test_steepness_is_that_of_each_response_alone(world):
    """Without padding: from embeddings a model cannot tell which token is padding."""
    found = with_steepness(world.score, world.model, world.batch())
    expected = torch.stack([world.steepness_by_hand(row) for row in range(N)])
    assert expected.max() > 1.2 * expected.min() > 0
    torch.testing.assert_close(found.steepness, expected, rtol=1e-6, atol=0)  # rewards: float32
    assert not found.scores.requires_grad


def test_padding_changes_nothing(world):
    together = with_steepness(world.score, world.model, world.batch()).steepness
    alone = torch.cat(
        [with_steepness(world.score, world.model, world.batch([i])).steepness for i in range(N)]
    )
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=0)


def _change(world, direction, step):
    """Central difference of the objective along a direction in the parameters."""
    found = []
    for sign in (1, -1):
        with torch.no_grad():
            for p, d in zip(world.model.parameters(), direction, strict=True):
                p += sign * step * d
        found.append(float(world.value().detach()))
        with torch.no_grad():
            for p, d in zip(world.model.parameters(), direction, strict=True):
                p -= sign * step * d
    return (found[0] - found[1]) / (2 * step)


def _run(world, size, model=None, objective=None, **of_many):
    engine = Engine(torch.device("cpu"), world.pad_id, size, **of_many)
    runner = StepRunner(
        objective or world.objective,
        world.score,
        world.pairs.tokens,
        engine,
        torch.Tensor.backward,
    )
    model = model or world.model
    model.zero_grad()
    result = runner.run(model, world.pairs.step(np.arange(N)), {})
    return result, [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]


def test_the_gradient_of_a_step_is_that_of_its_value(world):
    """Along random directions in all weights, and in those of the embedding table alone."""
    _, gradients = _run(world, size=3)
    table = world.model.get_input_embeddings().weight
    torch.manual_seed(0)
    for of_table in (False, True):
        direction = [
            torch.randn_like(p) * (not of_table or p is table) for p in world.model.parameters()
        ]
        expected = sum(float((g * d).sum()) for g, d in zip(gradients, direction, strict=True))
        assert abs(expected) > 1e-2
        # Rewards are read in float32, and a difference of 1e-3 has four digits of them.
        assert _change(world, direction, 1e-3) == pytest.approx(expected, rel=2e-2)


def test_the_embedding_table_learns_from_the_penalty(world):
    """With it detached, as in published code, its gradient would be another one."""
    _, gradients = _run(world, size=N)
    _, plain = _run(world, size=N, objective=Objective(labels=world.objective.labels))
    names = [name for name, _ in world.model.named_parameters()]
    found = dict(zip(names, zip(gradients, plain, strict=True), strict=True))
    table = world.model.get_input_embeddings().weight
    (name,) = (n for n, p in world.model.named_parameters() if p is table)
    with_penalty, without = found[name]
    assert (with_penalty - without).norm() > 0.1 * without.norm()


@pytest.mark.parametrize("size", [1, 2, 3, N])
def test_every_cut_of_a_step_is_the_same(world, size):
    whole, expected = _run(world, size=N)
    result, gradients = _run(world, size=size)
    assert whole.value == pytest.approx(float(world.value().detach()), rel=1e-5)
    assert result.value == pytest.approx(whole.value, rel=1e-6)
    assert result.value == pytest.approx(float(result.risk.value) + RADIUS * result.gradient)
    scale = max(float(g.abs().max()) for g in expected)
    for got, want in zip(gradients, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("count", [2, 3])
def test_every_rank_has_the_gradient_of_the_whole(count):
    from test_steps_of_pairs import Ranks

    world = _llama()
    ranks = Ranks(count)
    parts = ranks.run(
        lambda r: _run(
            world,
            2,
            model=copy.deepcopy(world.model),
            rank=r,
            ranks=count,
            sum_over_ranks=ranks.sum_of(r),
        )
    )
    whole, expected = _run(world, size=N)
    scale = max(float(g.abs().max()) for g in expected)
    for result, gradients in parts:
        assert result.value == pytest.approx(whole.value, rel=1e-6)
        for got, want in zip(gradients, expected, strict=True):
            torch.testing.assert_close(got, want, rtol=0, atol=2e-5 * scale)


def _arguments(**changed):
    return SimpleNamespace(**{"gradient_checkpointing": False, "disable_dropout": True, **changed})


def _require(world, precision=None, **arguments):
    engine = Engine(torch.device("cpu"), world.pad_id, precision=precision)
    require_exact(
        world.objective, world.score, world.model, engine, _arguments(**arguments), world.pairs
    )


def test_models_that_are_exact_are_taken_and_left_as_they_were(world):
    before = copy.deepcopy(world.model.state_dict())
    _require(world)
    assert all(torch.equal(before[k], v) for k, v in world.model.state_dict().items())


class WrongTwice(torch.autograd.Function):
    """The identity, whose backward pass says the truth and nothing of its own derivative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 2 * x.detach()


class OnceOnly(WrongTwice):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 2 * x


@pytest.mark.parametrize("function", [WrongTwice, OnceOnly])
def test_a_layer_without_a_second_derivative_is_found(function):
    """Also one that says so itself: a gradient in chosen tensors passes it by."""
    world = _llama()
    norm = world.model.model.norm
    before = norm.forward
    _require(world)
    norm.forward = lambda x: function.apply(before(x))
    with pytest.raises(ConfigurationError, match=r"second derivative of this model is wrong.* 64%"):
        _require(world)


def test_fused_attention_cannot_be_differentiated_twice():
    """What the name of the attention is refused for."""
    world = _llama()
    world.model.set_attn_implementation("sdpa")
    assert "cannot be differentiated twice (derivative for aten::" in at_start._found(
        world.score, world.model, world.batch([0])
    )


def test_a_head_of_zeros_has_nothing_to_try():
    world = _llama()
    nn.init.zeros_(world.model.score.weight)
    _require(world)


@pytest.mark.parametrize(
    ("precision", "arguments", "message"),
    [
        (torch.bfloat16, {}, "bfloat16 is mostly rounding.*scorer.precision: float32"),
        (None, {"gradient_checkpointing": True}, "gradient checkpointing computes"),
        (None, {"disable_dropout": False}, "disable_dropout=False: the pass"),
    ],
)
def test_what_is_not_exact_is_refused(precision, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        _require(_llama(), precision, **arguments)


def test_half_weights_are_refused():
    world = _llama()
    world.model.bfloat16()
    with pytest.raises(ConfigurationError, match="bfloat16 is mostly rounding"):
        _require(world)


def test_other_attention_is_refused_and_told_how_to_change(trained):
    model = llama_reward(attn_implementation="sdpa")
    trainer = trained(model=model, objective={"regularisers": BALL}, train=False)
    with pytest.raises(ConfigurationError, match=r"attention 'sdpa'.*set_attn_implementation"):
        trainer.train()
    trainer.model.set_attn_implementation("eager")
    trainer.train()


def test_policies_are_refused(trained):
    with pytest.raises(CompositionError, match="this scorer is a policy"):
        trained(model=llama(**EAGER), objective={"regularisers": BALL})


def test_training_lowers_the_objective_with_its_penalty(trained):
    """Against a plain run, on pairs of which a third comes again with the other label."""
    data = pairs(16)
    data += [{**row, "label": 1 - row["label"]} for row in data[:8]]
    ends = []
    for ball in ([], BALL):
        trainer = trained(
            model=llama_reward(**EAGER),
            data=data,
            eval_data=data,
            objective={"regularisers": ball},
            num_train_epochs=10,
            per_device_train_batch_size=24,
            learning_rate=3e-3,
        )
        tokens, rows = trainer.pairs.tokens, np.arange(24)
        apart = replace(trainer.engine, shared=False)
        found = with_steepness(trainer.score, trainer.model, apart.batch(tokens, rows))
        margins, y = found.scores[:, 0] - found.scores[:, 1], trainer.pairs.evidence.label
        losses = nn.functional.softplus(margins) - y * margins
        gradient = ((margins.sigmoid() - y).square() * found.steepness).mean().sqrt()
        ends.append((float(losses.mean() + RADIUS * gradient), float(gradient)))
        evaluated = trainer.evaluate()
        assert evaluated["eval_mean_loss"] == pytest.approx(float(losses.mean()), rel=1e-4)
        value = ends[-1][0] if ball else float(losses.mean())
        assert evaluated["eval_loss"] == pytest.approx(value, rel=1e-4)
        assert any("input_gradient" in row for row in trainer.state.log_history) == bool(ball)
    (plain, steep), (robust, flat) = ends
    assert robust < 0.9 * plain
    assert flat < 0.8 * steep


@pytest.mark.parametrize("adapter", [None, {"rank": 4}])
def test_a_run_from_a_configuration(tmp_path, configure, adapter):
    """The run loads its model with the attention that it needs; the saved one is as any other."""
    model = save(tmp_path / "base", llama_reward(), byte_tokenizer())
    scorer = {"kind": "reward-model", "model": model, "adapter": adapter}
    config = configure(scorer, objective={"regularisers": BALL})
    train(config)
    figures = json.loads((tmp_path / "run" / "manifest.json").read_text())["figures"]
    assert figures["last"]["input_gradient"] > 0
    ball = figures["last"]["loss"] - figures["last"]["mean_loss"]
    assert ball == pytest.approx(RADIUS * figures["last"]["input_gradient"], rel=1e-3)


def test_a_refused_run_takes_nothing_away(tmp_path, configure):
    scorer = {
        "kind": "reward-model",
        "model": save(tmp_path / "model", llama_reward(), byte_tokenizer()),
    }
    train(configure(scorer, training={"max_steps": 1}))
    before = {path.name for path in (tmp_path / "run").iterdir()}
    config = configure({**scorer, "precision": "bfloat16"}, objective={"regularisers": BALL})
    with pytest.raises(ConfigurationError, match="mostly rounding"):
        train(config, overwrite=True)
    assert {path.name for path in (tmp_path / "run").iterdir()} == before
