"""Log-probabilities and rewards, against the naive computation on padded batches with a mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from language_models import (
    bert_reward,
    byte_tokenizer,
    gpt2,
    gpt2_reward,
    llama,
    llama_reward,
    opt,
    pairs,
)
from peft import LoraConfig, get_peft_model

from surefoot.data import Preferences
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.scorers.language.batch import lay_out
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.scores import (
    PolicyScores,
    RewardScores,
    log_probs,
    mode,
    quick_attention,
)

CPU = torch.device("cpu")
PAD = 2


@pytest.fixture(scope="module")
def tokens():
    return tokenise(Preferences.from_rows(pairs(9, seed=4)), byte_tokenizer(), 40)


def _naive(model, table):
    """Sums (n, 2) of log-softmax over the response, every text padded to the longest."""
    sequences = [(p, r) for p, *both in table for r in both]
    width = max(len(p) + len(r) for p, r in sequences) + 3
    ids = torch.full((len(sequences), width), PAD)
    mask = torch.zeros_like(ids)
    for i, (p, r) in enumerate(sequences):
        ids[i, : len(p) + len(r)] = torch.tensor(p + r)
        mask[i, : len(p) + len(r)] = 1
    with torch.no_grad():
        found = model(input_ids=ids, attention_mask=mask).logits.log_softmax(-1)
    return torch.tensor(
        [
            sum(float(found[i, len(p) - 1 + j, t]) for j, t in enumerate(r))
            for i, (p, r) in enumerate(sequences)
        ]
    ).view(-1, 2)


def _adapted():
    return get_peft_model(llama(), LoraConfig(target_modules=["q_proj"], init_lora_weights=False))


POLICIES = [llama, gpt2, opt, _adapted, lambda: llama(tie_word_embeddings=True)]


@pytest.mark.parametrize("build", POLICIES, ids=["llama", "gpt2", "opt", "lora", "tied"])
@pytest.mark.parametrize("pairs_at_once", [1, 4, 9])
def test_log_probabilities(tokens, build, pairs_at_once):
    model = build().eval()
    expected = _naive(model, tokens.read(np.arange(9)))
    engine = Engine(CPU, PAD, pairs_at_once)
    rows = np.arange(9)[::-1].copy()
    found = over_rows(log_probs, model, tokens, rows, engine, "")
    torch.testing.assert_close(
        torch.from_numpy(found).float(), expected.flip(0), rtol=1e-5, atol=1e-4
    )
    assert expected.std() > 1


@pytest.mark.parametrize("build", [llama, gpt2])
def test_in_mixed_precision_within_a_hundredth(tokens, build):
    model = build()
    table = tokens.read(np.arange(9))
    engine = Engine(CPU, PAD, precision=torch.bfloat16)
    with torch.no_grad(), engine.autocast():
        found = log_probs(model, lay_out(table, PAD))
    assert found.dtype == torch.float64  # the sum; its terms are of a pass in bfloat16
    expected = _naive(model, table).double()
    torch.testing.assert_close(found, expected, rtol=0.01, atol=0.2)
    assert not torch.equal(found, expected)


def test_logits_only_where_a_response_is_predicted(tokens):
    model, seen = llama(), []
    model.lm_head.register_forward_hook(lambda _, inputs, output: seen.append(output.shape))
    table = tokens.read(np.arange(4))
    log_probs(model, lay_out(table, PAD))
    predicted = sum(len(r) for _, *both in table for r in both)
    assert seen == [(1, predicted, model.config.vocab_size)]
    model(input_ids=torch.ones(1, 7, dtype=torch.long))  # and everywhere afterwards
    assert seen[-1] == (1, 7, model.config.vocab_size)


def test_without_a_prompt_the_first_token_is_predicted_by_nothing():
    model = llama()
    batch = lay_out([([], [5, 6, 7], [8])], PAD)
    with torch.no_grad():
        found = log_probs(model, batch)
        logits = model(input_ids=torch.tensor([[5, 6, 7]])).logits.log_softmax(-1)[0]
    assert float(found[0, 0]) == pytest.approx(float(logits[0, 6] + logits[1, 7]), rel=1e-5)
    assert float(found[0, 1]) == 0


def test_of_nothing_nothing_is_predicted():
    """A tokenizer without an end token makes no token of an empty response."""
    batch = lay_out([([], [], [8, 9]), ([4], [], [5])], PAD)
    with torch.no_grad():
        found = log_probs(llama(), batch)
    assert found[:, 0].tolist() == [0, 0]
    assert (found[:, 1] < 0).all()
    assert batch.owners.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("build", "masked"),
    [
        (llama_reward, True),
        (llama_reward, False),
        (gpt2_reward, True),
        (gpt2_reward, False),
        (bert_reward, True),
    ],
)
def test_rewards_are_those_of_each_text_alone(tokens, build, masked):
    """In a causal model also without a mask: no real token sees the padding."""
    model = build(pad_token_id=PAD)
    found = over_rows(
        RewardScores(masked).of_model,
        model,
        tokens,
        np.arange(9),
        Engine(CPU, PAD, 4),
        "",
    )
    with torch.no_grad():
        expected = [
            [float(model(input_ids=torch.tensor([p + r])).logits) for r in both]
            for p, *both in tokens.read(np.arange(9))
        ]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.std(expected) > 0.01


def test_a_policy_scores_its_change():
    score = PolicyScores(0.5, noise=1e-5)
    found = torch.tensor([[-3.0, -4.0]], requires_grad=True)
    reference = torch.tensor([[-5.0, -4.00003]])
    scores = score.of_log_probs(found, reference, torch.tensor([[9, 16]]))
    assert scores.tolist() == [[1.0, 0.0]]  # what padding alone would make counts for nothing
    short = score.of_log_probs(found.detach(), reference, torch.tensor([[9, 4]]))
    assert short[0, 1] > 0  # of 4 tokens it would make less
    scores.sum().backward()
    assert found.grad.tolist() == [[0.5, 0.5]]  # and has its gradient nevertheless
    with pytest.raises(TypeError, match="reference"):
        score(llama(), lay_out([([5], [6], [7])], PAD), None)


class TestLittleMemory:
    """Scoring cuts what does not fit, and goes on."""

    def _scores(self, tokens, most):
        sizes = []

        def score(model, batch):
            sizes.append(len(batch.lengths))
            if len(batch.lengths) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.")
            return batch.lengths * torch.tensor([1, -1])

        found = over_rows(score, llama(), tokens, np.arange(9), Engine(CPU, PAD, 9), "")
        return found, sizes

    def test_every_pair_is_scored(self, tokens):
        found, sizes = self._scores(tokens, 2)
        assert found.tolist() == (tokens.response_lengths * [1, -1]).tolist()
        assert len(np.unique(found, axis=0)) > 3
        assert max(sizes) == 9

    def test_a_pair_alone_that_does_not_fit_is_an_error(self, tokens):
        with pytest.raises(torch.OutOfMemoryError):
            self._scores(tokens, 0)


def test_attention_is_given_back():
    model = llama()
    with quick_attention(model, CPU, half=True):
        assert model.config._attn_implementation == "eager"
    assert model.config._attn_implementation == "sdpa"
    with quick_attention(model, CPU, half=False):
        assert model.config._attn_implementation == "sdpa"


def test_mode_is_given_back():
    model = gpt2().train()
    model.transformer.wte.eval()
    before = [module.training for module in model.modules()]
    with mode(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == before
    with mode(model.eval(), dropout=True):
        assert all(module.training for module in model.modules())
