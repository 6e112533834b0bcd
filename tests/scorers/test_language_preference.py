"""A general preference model on a language model, against its formula written out text by text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from language_models import bert_reward, bert_tokenizer, byte_tokenizer, gpt2_reward, llama_reward
from language_models import pairs as make_pairs

from surefoot.errors import CompositionError, ConfigurationError
from surefoot.objectives import Objective
from surefoot.scorers.language.batch import lay_out
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.preference import (
    PreferenceScores,
    labels_of,
    score_function,
)
from surefoot.scorers.skew import SkewOptions
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.language.step import StepRunner

OPTIONS = [
    SkewOptions(blocks=1),
    SkewOptions(blocks=2, temperature=0.5, reward=True),
    SkewOptions(blocks=2, prompt_weights=True),
    SkewOptions(blocks=3, temperature=1.0, prompt_weights=True, reward=True),
]
N = 8


def _training_pairs(objective: Objective | None = None) -> TrainingPairs:
    rows = make_pairs(N, label=[1.0, 0.0, 0.7, 0.5], weight=[1.0, 2.0, 0.5])
    return TrainingPairs.of(rows, byte_tokenizer(), objective or Objective(), "margins", 64)


def _model(options: SkewOptions, make=llama_reward):
    return make(pad_token_id=2, num_labels=labels_of(options))


def _margin(model, options: SkewOptions, prompt: list[int], a: list[int], b: list[int]):
    """From one text at a time: no padding, no hook, R as a matrix."""
    k = options.blocks

    def outputs(tokens: list[int]) -> torch.Tensor:
        states = model.get_decoder()(input_ids=torch.tensor([tokens])).last_hidden_state
        return model.score(states)[0]

    def unit(z: torch.Tensor) -> torch.Tensor:
        u = torch.tensor([1.0, 0.0] * k) / k**0.5 + options.temperature**0.5 * z
        return u / u.norm()

    whole_a, whole_b = outputs(prompt + a), outputs(prompt + b)
    weights = torch.ones(k)
    if options.prompt_weights:
        weights = whole_a[len(prompt) - 1, 2 * k : 3 * k].softmax(0)
    matrix = torch.block_diag(*(w * torch.tensor([[0.0, -1.0], [1.0, 0.0]]) for w in weights))
    s = unit(whole_a[-1, : 2 * k]) @ matrix @ unit(whole_b[-1, : 2 * k])
    reward = whole_a[-1, -1] - whole_b[-1, -1] if options.reward else 0.0
    return s / options.temperature + reward


@pytest.mark.parametrize("make", [llama_reward, gpt2_reward])
@pytest.mark.parametrize("options", OPTIONS, ids=repr)
class TestScores:
    def test_are_the_formula(self, options, make):
        model = _model(options, make)
        if make is gpt2_reward:
            model.get_decoder = lambda: model.transformer
        tokens = _training_pairs().tokens.read(np.arange(N))
        with torch.no_grad():
            found = PreferenceScores(options).of_model(model, lay_out(tokens, 2))
            expected = torch.stack([_margin(model, options, *one) for one in tokens])
        assert expected.abs().max() > 0.1
        torch.testing.assert_close(found[:, 0] - found[:, 1], expected, rtol=1e-3, atol=1e-4)
        assert torch.equal(found[:, 0], -found[:, 1])

    def test_are_opposite_for_a_swapped_pair_and_zero_against_itself(self, options, make):
        model, score = _model(options, make), PreferenceScores(options)
        tokens = _training_pairs().tokens.read(np.arange(N))
        with torch.no_grad():
            found = score.of_model(model, lay_out(tokens, 2))
            swapped = score.of_model(model, lay_out([(p, b, a) for p, a, b in tokens], 2))
            same = score.of_model(model, lay_out([(p, a, a) for p, a, _ in tokens], 2))
        torch.testing.assert_close(swapped, -found, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(same, torch.zeros(N, 2), rtol=0, atol=1e-5)


def test_both_responses_have_the_same_prompt_to_a_causal_model():
    model = _model(OPTIONS[2])
    batch = lay_out(_training_pairs().tokens.read(np.arange(N)), 2)
    states = model.model(input_ids=batch.input_ids).last_hidden_state
    ends = (batch.branches >= 0).sum(1) - batch.lengths.flatten() - 1
    at_ends = states[torch.arange(2 * N), ends].unflatten(0, (-1, 2))
    torch.testing.assert_close(at_ends[:, 0], at_ends[:, 1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(batch.at(states, batch.prompt_ends), at_ends)


def test_no_prompt_weighs_the_planes_alike():
    batch = lay_out([([], [5, 6], [7])], 2)
    assert not batch.at(torch.ones(2, 2, 3), batch.prompt_ends).any()


@pytest.mark.parametrize("risk", ["mean", "kl-penalised"])
@pytest.mark.parametrize("options", OPTIONS[2:], ids=repr)
def test_a_step_is_one_number_and_one_gradient_however_it_is_cut(options, risk):
    model, objective = _model(options), Objective(risk=risk)
    pairs = _training_pairs(objective)
    tokens = pairs.tokens.read(np.arange(N))
    margins = torch.stack([_margin(model, options, *one) for one in tokens]).double()
    plain = objective(margins, pairs.evidence, mass=pairs.mass)
    parameters = list(model.parameters())
    expected = torch.autograd.grad(plain.value, parameters, allow_unused=True)
    scale = max(float(g.abs().max()) for g in expected if g is not None)
    assert scale > 1e-4
    for size in (1, 2, 8):
        engine = Engine(torch.device("cpu"), 2, size)
        score = PreferenceScores(options)
        runner = StepRunner(objective, score, pairs.tokens, engine, torch.Tensor.backward)
        model.zero_grad()
        result = runner.run(model, pairs.step(np.arange(N)), {})
        assert result.value == pytest.approx(float(plain.value), rel=1e-5)
        for got, want in zip((p.grad for p in parameters), expected, strict=True):
            if want is not None:
                torch.testing.assert_close(got, want, rtol=0, atol=1e-4 * scale)


class TestEncoders:
    def test_weights_by_prompt_are_refused(self):
        with pytest.raises(ConfigurationError, match="reads a text in both directions"):
            score_function("reward-model", True, 0.1, OPTIONS[2])

    def test_without_them_padding_is_not_seen(self):
        model = bert_reward(pad_token_id=0, num_labels=labels_of(OPTIONS[1]))
        rows = make_pairs(N)
        pairs = TrainingPairs.of(rows, bert_tokenizer(), Objective(), "margins", 64, encoder=True)
        tokens = pairs.tokens.read(np.arange(N))
        score = score_function("reward-model", True, 0.1, OPTIONS[1])
        with torch.no_grad():
            together = score.of_model(model, lay_out(tokens, 0))
            alone = torch.cat([score.of_model(model, lay_out([one], 0)) for one in tokens])
        assert together.abs().max() > 0.01
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_a_policy_has_no_planes():
    with pytest.raises(ConfigurationError, match="num_labels=4"):
        score_function("policy", False, 0.1, SkewOptions(blocks=2))


@pytest.mark.parametrize("kind", ["reward-centring", "chosen-likelihood"])
def test_penalties_on_single_responses_are_refused(kind):
    objective = Objective(regularisers=[{"kind": kind, "weight": 0.1}])
    with pytest.raises(CompositionError, match="this scorer is a model that judges pairs"):
        _training_pairs(objective)
