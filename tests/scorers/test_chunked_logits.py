"""Logits of some tokens at a time: the same log-probabilities and gradients, in less memory."""

from __future__ import annotations

import pytest
import torch
from language_models import VOCABULARY, byte_tokenizer, gpt2, llama, opt, pairs
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
)

from surefoot.data import Preferences
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.scorers.language import chunked
from surefoot.scorers.language.batch import lay_out
from surefoot.scorers.language.scores import log_probs, mode

SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 64,
    "initializer_range": 0.15,
    "pad_token_id": 2,
}


def capped():
    torch.manual_seed(0)
    return Gemma2ForCausalLM(Gemma2Config(**SHAPE, head_dim=8, final_logit_softcapping=2.0))


def divided():
    torch.manual_seed(0)
    return GraniteForCausalLM(GraniteConfig(**SHAPE, logits_scaling=3.0))


def multiplied():
    torch.manual_seed(0)
    return CohereForCausalLM(CohereConfig(**SHAPE, logit_scale=0.4))


def tied():
    return llama(tie_word_embeddings=True)


def adapted_head():
    options = LoraConfig(target_modules=["lm_head", "q_proj"], init_lora_weights=False)
    return get_peft_model(llama(), options)


MODELS = [llama, gpt2, opt, tied, capped, divided, multiplied, adapted_head]


@pytest.fixture(scope="module")
def batch():
    rows = Preferences.from_rows(pairs(6, seed=4))
    return lay_out(tokenise(rows, byte_tokenizer(), 64).read(torch.arange(6).numpy()), 2, range(6))


class Sizes(TorchDispatchMode):
    """Notes the largest tensor with as many columns as the vocabulary has tokens."""

    largest = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for one in tree_leaves(found):
            if isinstance(one, torch.Tensor) and one.shape[-1:] == (VOCABULARY,):
                self.largest = max(self.largest, one.numel())
        return found


@pytest.mark.parametrize("build", MODELS)
def test_log_probabilities_and_gradients_are_the_same(build, batch, monkeypatch):
    model, found = build(), []
    weights = torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
    tokens = len(batch.targets)
    assert tokens > 40
    for most in (2**23, 10 * VOCABULARY):
        monkeypatch.setattr(chunked, "MOST", most)
        model.zero_grad()
        with Sizes() as sizes, mode(model):
            scores = log_probs(model, batch)
            (weights * scores).sum().backward()
        slopes = [one.grad for one in model.parameters() if one.requires_grad]
        found.append((scores.detach(), slopes))
        most_tokens = tokens if most == 2**23 else 10
        assert sizes.largest <= max(most_tokens, 32) * VOCABULARY  # the head's own weights have 32
        assert sizes.largest >= most_tokens * VOCABULARY
    assert model not in chunked._WHOLE
    (plain, expected), (scores, slopes) = found
    torch.testing.assert_close(scores, plain, rtol=1e-6, atol=1e-5)
    for one, other in zip(slopes, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * float(other.abs().max() + 1))


def test_a_head_that_cannot_be_asked_alone(batch, monkeypatch):
    """What is behind the head depends on what the layers said: all logits are made at once."""
    model = llama()
    plain = log_probs(model, batch)
    forward = model.forward

    def shifted(**given):
        found = forward(**given, output_hidden_states=True)
        found.logits = found.logits + found.hidden_states[0].mean()
        return found

    model.forward = shifted
    monkeypatch.setattr(chunked, "MOST", 10 * VOCABULARY)
    with pytest.warns(UserWarning, match="cannot be asked alone"):
        found = log_probs(model, batch)
    torch.testing.assert_close(found, plain)  # a shift of all logits changes nothing
    assert model in chunked._WHOLE
