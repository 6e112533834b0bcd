"""A step is one number and one gradient, however it is cut: against one plain padded forward."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference
import torch
from language_models import bert_reward, bert_tokenizer, byte_tokenizer, llama, llama_reward, pairs

from surefoot.errors import CompositionError, ConfigurationError
from surefoot.objectives import (
    LabelModel,
    MarginLoss,
    Objective,
    Outputs,
    PairPenalty,
    Regulariser,
    Risk,
)
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.scores import PolicyScores, RewardScores
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.language.step import StepRunner

#: Float32 sums in another order: relative to the largest entry of the gradient.
TOLERANCE = 2e-5
BETA = 0.3
N = 8


def _members(registry, references):
    return [
        pytest.param(registry[kind](**options), id=f"{kind}-{options}" if options else kind)
        for kind, (settings, _) in references.items()
        for options in settings
    ]


def _composed(**members):
    try:
        return Objective(**members)
    except CompositionError as refusal:
        pytest.skip(f"refused by the validator: {refusal}")


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
        self._with_references = None

    def of_objective(self, objective):
        """The same tokens with this objective's units, columns and references; their outputs."""
        if "references" in objective.labels.properties.needs:
            return self.with_references(objective)
        columns = objective.labels.properties.columns
        if objective.risk.unit == "pair" and not columns:
            return self.pairs, self.outputs
        mean = {"kind": "mean", "unit": objective.risk.unit}
        labels = objective.labels if columns else "observed"
        made = self._made(Objective(labels=labels, risk=mean))
        made.tokens, made.reference = self.pairs.tokens, self.pairs.reference
        return made, self.outputs

    def with_references(self, objective):
        made = self._made(Objective(labels=objective.labels))
        if objective.risk.unit != "pair":
            by_unit = self._made(Objective(risk={"kind": "mean", "unit": objective.risk.unit}))
            made.units, made.unit_names = by_unit.units, by_unit.unit_names
        if self._with_references is None:
            self._with_references = self._plainly(made), made.reference
        outputs, made.reference = self._with_references
        return made, outputs

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


def _policy():
    return World(llama(), byte_tokenizer(), PolicyScores(BETA))


def _reward():
    model = llama_reward(pad_token_id=2)
    return World(model, byte_tokenizer(), RewardScores(bidirectional=False))


def _encoder():
    return World(bert_reward(pad_token_id=0), bert_tokenizer(), RewardScores(), encoder=True)


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
        engine = Engine(torch.device("cpu"), world.tokenizer.pad_token_id, size, tokens)
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


LOSSES = _members(MarginLoss.registry, reference.MARGIN_LOSSES)
LABELS = _members(LabelModel.registry, reference.LABEL_MODELS)
RISKS = _members(Risk.registry, reference.RISKS)


@pytest.mark.slow
@pytest.mark.parametrize("risk", RISKS)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_objective_in_every_cut(world, loss, labels, risk):
    """Micro-batches of 1, 2 and 8 pairs, the last of which is the whole step."""
    _assert_equals_the_plain_sum(
        world, _composed(loss=loss, labels=labels, risk=risk), sizes=(1, 2, 8)
    )


@pytest.mark.parametrize("unit", ["pair", "prompt", "source"])
@pytest.mark.parametrize("risk", RISKS)
def test_every_risk_over_every_unit(world, risk, unit):
    try:
        objective = Objective(risk=type(risk)(**{**dict(risk), "unit": unit}))
    except ConfigurationError as refusal:
        pytest.skip(f"refused: {refusal}")
    _assert_equals_the_plain_sum(world, objective, sizes=(3, 8))


@pytest.mark.parametrize("risk", RISKS)
def test_units_of_equal_mass(policy, risk):
    equal = risk.model_copy(update={"unit": "source", "unit_mass": "equal"})
    _assert_equals_the_plain_sum(policy, Objective(risk=equal), sizes=(2, 8))


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("unit", ["pair", "source"])
def test_every_label_model(policy, labels, unit):
    objective = _composed(labels=labels, risk={"kind": "kl-penalised", "unit": unit})
    _assert_equals_the_plain_sum(policy, objective, sizes=(3, 8))


@pytest.mark.parametrize("loss", LOSSES)
def test_every_margin_loss(policy, loss):
    _assert_equals_the_plain_sum(policy, Objective(loss=loss, risk="cvar"), sizes=(3, 8))


@pytest.mark.parametrize("risk", ["mean", "kl-penalised"])
def test_length_normalised(policy, risk):
    loss = {"kind": "squared", "length_normalised": True, "tau": 2.0}
    _assert_equals_the_plain_sum(policy, Objective(loss=loss, risk=risk), sizes=(1, 3, 8))


@pytest.mark.parametrize("risk", RISKS)
@pytest.mark.parametrize(
    "kind", [kind for kind, cls in Regulariser.registry.items() if issubclass(cls, PairPenalty)]
)
def test_penalties_per_pair(world, risk, kind):
    if Regulariser.registry[kind].needs != world.score.kind:
        pytest.skip("for the other kind of score")
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
