"""A step is one number and one gradient, however it is cut: against one plain padded forward."""

from __future__ import annotations

import contextlib
import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from compositions import LABELS, LOSSES, RISKS, Setting, composed, named
from language_models import bert_reward, bert_tokenizer, byte_tokenizer, llama, llama_reward, pairs

from surefoot.errors import ConfigurationError
from surefoot.objectives import Objective, Outputs, PairPenalty, Regulariser
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.scores import PolicyScores, RewardScores
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.language.step import StepRunner

#: Float32 sums in another order: relative to the largest entry of the gradient.
TOLERANCE = 2e-5
BETA = 0.3
N = 8


class World:
    """A model, N pairs, and the scores that the plain call of transformers gives."""

    def __init__(self, model, tokenizer, score, encoder=False):
        self.model, self.score = model, score
        rows = pairs(
            N,
            label=[1.0, 0.0, 0.7, 0.5, 0.2, 1.0, 0.0, 0.9],
            auxiliary=[0.9, 0.2, 0.6, 0.5, 0.1, 0.7, 0.4, 0.8],
            weight=[1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 1.0, 0.25],
            source=["one", "two", "two"],
            group=["x", "y"],
            references=[["a short one", "another"], ["yes", "no", "perhaps", "I do not know"]],
            reference_auxiliary=[[0.8], [0.3, 0.6]],
        )
        for i in (3, 5):  # prompts that several pairs share
            rows[i]["prompt"] = rows[0]["prompt"]
        self.pairs = TrainingPairs.of(
            rows, tokenizer, Objective(), score.kind, 64, encoder, learning=True
        )
        self.rows, self.tokenizer, self.encoder = rows, tokenizer, encoder
        self.outputs = self._plainly(self.pairs)
        self.known = {}

    def of_objective(self, objective):
        """The same tokens with this objective's units, columns and references; their outputs."""
        labels = objective.labels.properties
        key = labels.needs, objective.labels.columns, objective.risk.unit
        if key not in self.known:
            self.known[key] = self._of(objective, "references" in labels.needs)
        return self.known[key]

    def _of(self, objective, with_references):
        mean = {"kind": "mean", "unit": objective.risk.unit}
        made = self._made(
            Objective(labels="observed" if with_references else objective.labels, risk=mean)
        )
        if not with_references:
            made.tokens, made.reference = self.pairs.tokens, self.pairs.reference
            return made, self.outputs
        units, names = made.units, made.unit_names
        made = self._made(Objective(labels=objective.labels))
        made.units, made.unit_names = units, names
        return made, self._plainly(made)

    def _made(self, objective):
        return TrainingPairs.of(
            self.rows, self.tokenizer, objective, self.score.kind, 64, self.encoder
        )

    def _plainly(self, pairs) -> Outputs:
        """One padded forward of everything, with the attention mask, and sums by hand."""
        count = len(pairs.tokens)
        table = pairs.tokens.read(np.arange(count))
        sequences = [(p, response) for p, *both in table for response in both]
        width = max(len(p) + len(r) for p, r in sequences)
        ids = torch.full((2 * count, width), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for i, (p, r) in enumerate(sequences):
            ids[i, : len(p) + len(r)] = torch.tensor(p + r)
            mask[i, : len(p) + len(r)] = 1
        logits = self.model(input_ids=ids, attention_mask=mask).logits
        lengths = torch.tensor([len(r) for _, r in sequences]).view(count, 2)
        if self.score.kind == "rewards":
            return Outputs(logits.view(count, 2), None, lengths)
        log_softmax = logits.log_softmax(-1)
        found = torch.stack(
            [
                sum(log_softmax[i, len(p) + j - 1, token] for j, token in enumerate(r))
                for i, (p, r) in enumerate(sequences)
            ]
        ).view(count, 2)
        torch.manual_seed(5)  # a reference that differs, so that margins do
        pairs.reference = found.detach() + 4 * torch.randn(count, 2)
        return Outputs(BETA * (found - pairs.reference), found, lengths)

    def gradients(self):
        return [p.grad for p in self.model.parameters()]


#: The step sees scores alone: one layer makes as good ones as two, in half of the time.
ONE = {"num_hidden_layers": 1}


def _policy():
    return World(llama(**ONE), byte_tokenizer(), PolicyScores(BETA))


def _reward():
    model = llama_reward(pad_token_id=2, **ONE)
    return World(model, byte_tokenizer(), RewardScores(bidirectional=False))


def _encoder():
    model = bert_reward(pad_token_id=0, **ONE)
    return World(model, bert_tokenizer(), RewardScores(), encoder=True)


@pytest.fixture(scope="module", params=[_policy, _reward, _encoder], ids=lambda f: f.__name__)
def world(request):
    return request.param()


@pytest.fixture(scope="module")
def policy():
    return _policy()


def _assert_equals_the_plain_sum(world, objective, sizes, tokens=None):
    found, outputs = world.of_objective(objective)
    step = found.step(np.arange(N))
    margins = objective.loss.margins(outputs.scores, outputs.lengths).double()
    evidence, mass = found.evidence, found.mass
    plain = objective(
        margins[:N], evidence, mass=mass, units=step.units, reference_margins=margins[N:]
    )
    outputs = outputs.first(N)
    penalty = objective.penalties(outputs, evidence.label)
    value = plain.value + (mass / mass.sum() * penalty).sum()
    parameters = list(world.model.parameters())
    expected = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    scale = max(float(g.abs().max()) for g in expected if g is not None)
    assert scale > 1e-4  # otherwise the comparison says nothing
    for size in sizes:
        shared = size == sizes[0] and not world.encoder  # prompts read once, in one of the cuts
        engine = Engine(torch.device("cpu"), world.tokenizer.pad_token_id, size, tokens)
        engine = replace(engine, shared=shared)
        runner = StepRunner(objective, world.score, found.tokens, engine, torch.Tensor.backward)
        world.model.zero_grad()
        result = runner.run(world.model, step, {})
        assert result.value == pytest.approx(float(value.detach()), rel=1e-5, abs=1e-5)
        assert float(result.risk.value) == pytest.approx(
            float(plain.value.detach()), rel=1e-5, abs=1e-5
        )
        torch.testing.assert_close(result.risk.weights, plain.weights, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(
            result.outputs.scores, outputs.scores.detach().double(), rtol=1e-4, atol=2e-5
        )
        for got, want in zip(world.gradients(), expected, strict=True):
            if want is None:
                assert got is None
            else:
                torch.testing.assert_close(got, want, rtol=0, atol=TOLERANCE * scale)


def _composed(**slots):
    return [pytest.param(one, id=named(settings)) for one, settings in composed(**slots)]


def _over(unit, settings=RISKS):
    """These risks over units of this kind, those that take them."""
    found = []
    for one in settings:
        with contextlib.suppress(ConfigurationError):
            options = one.options | {"unit": unit}
            found.append(Setting(type(one.member)(**options), options, one.reference))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("objective", _composed(loss=LOSSES, labels=LABELS, risk=RISKS))
def test_every_objective_in_micro_batches(world, objective):
    """Of 3 pairs, and of 2 that are left; and the whole step at once."""
    _assert_equals_the_plain_sum(world, objective, sizes=(3, 8))


@pytest.mark.parametrize(
    "objective",
    [one for unit in ("pair", "prompt", "source") for one in _composed(risk=_over(unit))],
)
def test_every_risk_over_every_unit_in_every_cut(world, objective):
    _assert_equals_the_plain_sum(world, objective, sizes=(1, 2, 3, 8))


@pytest.mark.parametrize("risk", [pytest.param(one.member, id=str(one)) for one in RISKS])
def test_units_of_equal_mass(policy, risk):
    equal = risk.model_copy(update={"unit": "source", "unit_mass": "equal"})
    _assert_equals_the_plain_sum(policy, Objective(risk=equal), sizes=(2, 8))


PENALISED = [one for one in RISKS if one.member.kind == "kl-penalised"]


@pytest.mark.parametrize(
    "objective",
    [
        one
        for unit in ("pair", "source")
        for one in _composed(labels=LABELS, risk=_over(unit, PENALISED))
    ],
)
def test_every_label_model_in_every_cut(policy, objective):
    _assert_equals_the_plain_sum(policy, objective, sizes=(1, 2, 3, 8))


@pytest.mark.parametrize("loss", [pytest.param(one.member, id=str(one)) for one in LOSSES])
def test_every_margin_loss_in_every_cut(policy, loss):
    _assert_equals_the_plain_sum(policy, Objective(loss=loss, risk="cvar"), sizes=(1, 2, 3, 8))


@pytest.mark.parametrize("risk", ["mean", "kl-penalised"])
def test_length_normalised(policy, risk):
    loss = {"kind": "squared", "length_normalised": True, "tau": 2.0}
    _assert_equals_the_plain_sum(policy, Objective(loss=loss, risk=risk), sizes=(1, 3, 8))


@pytest.mark.parametrize("risk", [pytest.param(one.member, id=str(one)) for one in RISKS])
def test_penalties_per_pair(world, risk):
    """Those of what this model gives."""
    slots = Regulariser.registry.items()
    penalties = [kind for kind, cls in slots if issubclass(cls, PairPenalty)]
    own = [kind for kind in penalties if Regulariser.registry[kind].needs == world.score.kind]
    assert own
    for kind in own:
        objective = Objective(risk=risk, regularisers=({"kind": kind, "weight": 0.3},))
        _assert_equals_the_plain_sum(world, objective, sizes=(1, 2, 3, 8))


@pytest.mark.parametrize(
    ("risk", "size", "runs"),
    [
        ("mean", 8, [True]),
        ("mean", 4, [True, True]),
        ("cvar", 8, [True]),  # one micro-batch keeps its graph, and is not run again
        ("cvar", 4, [False, False, True, True]),
    ],
)
def test_the_model_runs_no_more_often_than_it_has_to(policy, risk, size, runs):
    """Whether each forward pass records a graph."""
    seen = []
    hook = policy.model.register_forward_hook(lambda *_: seen.append(torch.is_grad_enabled()))
    engine = Engine(torch.device("cpu"), 2, size)
    objective, tokens = Objective(risk=risk), policy.pairs.tokens
    runner = StepRunner(objective, policy.score, tokens, engine, torch.Tensor.backward)
    runner.run(policy.model, policy.pairs.step(np.arange(N)), {})
    hook.remove()
    assert seen == runs


def test_a_budget_of_tokens_changes_nothing(policy):
    _assert_equals_the_plain_sum(policy, Objective(risk="cvar"), sizes=(8,), tokens=100)


class Ranks:
    """Processes as threads: the sum over ranks of a tensor of each."""

    def __init__(self, count):
        self.count, self.barrier = count, threading.Barrier(count)
        self.given = [None] * count

    def sum_of(self, rank):
        def over_ranks(tensor):
            self.given[rank] = tensor.clone()
            self.barrier.wait(timeout=20)
            total = sum(self.given)
            self.barrier.wait(timeout=20)
            return total

        return over_ranks

    def run(self, work):
        with ThreadPoolExecutor(self.count) as pool:
            return list(pool.map(work, range(self.count)))


@pytest.mark.parametrize("rows", [[2], range(3), range(N)], ids=len)
@pytest.mark.parametrize(
    "members",
    [{}, {"risk": "cvar"}, {"labels": {"kind": "control-variate", "coefficient": 0.5}}],
    ids=str,
)
@pytest.mark.parametrize("count", [2, 3])
def test_every_rank_has_the_gradient_of_the_whole(policy, members, count, rows):
    """Also with fewer pairs than ranks: the idle one takes part, and counts for nothing."""
    objective = Objective(**members)
    pairs, _ = policy.of_objective(objective)
    step = pairs.step(np.array(rows))
    ranks = Ranks(count)

    def run(rank, size=2, **of_many):
        engine = Engine(torch.device("cpu"), 2, size, rank=rank, **of_many)
        runner = StepRunner(objective, policy.score, pairs.tokens, engine, torch.Tensor.backward)
        model = copy.deepcopy(policy.model)
        model.zero_grad()
        return runner.run(model, step, {}), [p.grad for p in model.parameters()]

    parts = ranks.run(lambda r: run(r, ranks=count, sum_over_ranks=ranks.sum_of(r)))
    whole, expected = run(0, size=N)
    assert all(result.value == pytest.approx(whole.value, rel=1e-5) for result, _ in parts)
    assert all(torch.equal(result.risk.weights, parts[0][0].risk.weights) for result, _ in parts)
    scale = max(float(g.abs().max()) for g in expected)
    for want, *given in zip(expected, *(gradients for _, gradients in parts), strict=True):
        for gradient in given:
            torch.testing.assert_close(gradient, want, rtol=0, atol=TOLERANCE * scale)
            assert torch.equal(gradient, given[0])
