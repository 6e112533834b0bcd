"""A prompt read once for all of its responses: the same scores and gradients, or it is not done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from language_models import (
    VOCABULARY,
    bert_reward,
    bert_tokenizer,
    byte_tokenizer,
    gpt2,
    gpt2_reward,
    llama,
    llama_reward,
    pairs,
)
from peft import LoraConfig, get_peft_model
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma2ForSequenceClassification,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForSequenceClassification,
)

from surefoot.data import Preferences
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.scorers.language.batch import PADDING, PROMPT, lay_out
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.preference import PreferenceScores, labels_of
from surefoot.scorers.language.scores import RewardScores, log_probs, mode
from surefoot.scorers.language.sharing import spared, suited
from surefoot.scorers.skew import SkewOptions

CPU, PAD = torch.device("cpu"), 2
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,  # grouped queries
    "intermediate_size": 64,
    "max_position_embeddings": 256,
    "initializer_range": 0.15,
    "pad_token_id": PAD,
}


def _tokens(rows=None, tokenizer=None, length=64):
    return tokenise(
        Preferences.from_rows(rows or pairs(9, seed=4)), tokenizer or byte_tokenizer(), length
    )


@pytest.fixture(scope="module")
def tokens():
    return _tokens()


def _model(model, config, **options):
    torch.manual_seed(0)
    return model(config(**{**SHAPE, **options}))


def qwen2():
    return _model(Qwen2ForCausalLM, Qwen2Config, tie_word_embeddings=True)


def gemma2(window=256, **options):
    """Soft-capped logits and attention; every second layer has a window."""
    caps = {"final_logit_softcapping": 3.0, "attn_logit_softcapping": 5.0, "head_dim": 8}
    return _model(Gemma2ForCausalLM, Gemma2Config, sliding_window=window, **caps, **options)


def gemma2_reward():
    return _model(Gemma2ForSequenceClassification, Gemma2Config, num_labels=1, head_dim=8)


def qwen3_reward():
    return _model(Qwen3ForSequenceClassification, Qwen3Config, num_labels=1, head_dim=8)


def adapted():
    return get_peft_model(llama(), LoraConfig(target_modules=["q_proj"], init_lora_weights=False))


def adapted_reward():
    model = llama_reward(pad_token_id=PAD)
    return get_peft_model(model, LoraConfig(task_type="SEQ_CLS", init_lora_weights=False))


SKEW = SkewOptions(blocks=2, prompt_weights=True, reward=True)


def preference_model():
    return llama_reward(pad_token_id=PAD, num_labels=labels_of(SKEW))


POLICIES = [llama, gpt2, qwen2, gemma2, adapted]
REWARDS = [llama_reward, gpt2_reward, gemma2_reward, qwen3_reward, adapted_reward]
ASKED = [
    *((one, log_probs) for one in POLICIES),
    *((one, RewardScores(False).of_model) for one in REWARDS),
    (preference_model, PreferenceScores(SKEW).of_model),
]
NAMES = [one.__name__ for one, _ in ASKED]


def _padded(build):
    model = build()
    model.config.get_text_config().pad_token_id = PAD
    return model


@pytest.mark.parametrize(("build", "score"), ASKED, ids=NAMES)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_scores_and_gradients_are_those_of_texts_apart(
    tokens, build, score, attention, monkeypatch
):
    """In float64, to rounding; of several pairs of one prompt in one row, too."""
    # Norms and rotary places of transformers are in float32 whatever the model is in.
    monkeypatch.setattr(torch, "float32", torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    model = _padded(build).double()
    if attention == "sdpa" and "gemma2" in build.__name__:
        pytest.skip("this architecture knows eager attention alone")
    model.set_attn_implementation(attention)
    table = tokens.read(np.arange(9))
    table[4:6] = [(table[3][0], a, b) for _, a, b in table[4:6]]
    table[7] = ([], *table[7][1:])  # no prompt
    table[8] = (table[8][0], table[8][1], [])  # an empty response
    weights = torch.randn(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = []
    for together in (None, range(9), [0, 1, 2, 3, 3, 3, 6, 7, 8]):
        with mode(model):
            scores = score(model, lay_out(table, PAD, together)).double()
        parameters = [one for one in model.parameters() if one.requires_grad]
        slopes = torch.autograd.grad((weights * scores).sum(), parameters, allow_unused=True)
        found.append((scores.detach(), [one for one in slopes if one is not None]))
    (plain, expected), *others = found
    assert plain.std() > 1e-3
    largest = max(float(one.abs().max()) for one in expected)
    for scores, slopes in others:
        torch.testing.assert_close(scores, plain, rtol=1e-10, atol=1e-10)
        for one, other in zip(slopes, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-10 * max(largest, 1))


@pytest.mark.parametrize(("build", "score"), ASKED, ids=NAMES)
def test_it_is_done_where_it_is_the_same(tokens, build, score):
    model = _padded(build)
    engine, sharing = suited(Engine(CPU, PAD, pairs=4), model, score, tokens, learn=True)
    assert sharing.why_not == ""
    assert engine.shared
    assert all(one.grad is None for one in model.parameters())
    rows = np.arange(9)
    plain = over_rows(score, model, tokens, rows, replace(engine, shared=False), "")
    shared = over_rows(score, model, tokens, rows, engine, "")
    np.testing.assert_allclose(shared, plain, rtol=1e-4, atol=1e-4)
    assert f"{sharing.spared:.0%} fewer tokens" in str(sharing)


def test_what_is_spared(tokens):
    table = tokens.read(np.arange(9))
    apart = sum(2 * len(p) + len(a) + len(b) for p, a, b in table)
    together = sum(len(p) + len(a) + len(b) for p, a, b in table)
    assert spared(tokens) == pytest.approx(1 - together / apart)


def _why_not(model, tokens, score=log_probs, learn=True):
    engine, sharing = suited(Engine(CPU, PAD), model, score, tokens, learn=learn)
    assert not engine.shared
    assert sharing.why_not in str(sharing)
    return sharing.why_not


def test_why_it_is_not_done(tokens):
    encoder = _tokens(tokenizer=bert_tokenizer())
    bert = bert_reward(pad_token_id=0)
    assert "both directions" in _why_not(bert, encoder, RewardScores().of_model)
    assert "sees 16 tokens back" in _why_not(gemma2(window=16), tokens)
    long = "good " * 90
    short = _tokens([{**r, "prompt": "x", "response_a": long} for r in pairs(9)], length=128)
    assert "would spare" in _why_not(llama(), short)
    flash = llama()
    flash.config._attn_implementation = "flash_attention_2"
    assert "no mask of its own" in _why_not(flash, tokens)


def test_a_model_that_reads_on_in_order_is_found_out(tokens):
    """It takes the mask and the places, and does what it likes."""
    model = llama()
    forward = model.model.forward
    model.model.forward = lambda *given, position_ids=None, **named: forward(*given, **named)
    assert "scores would not be the same" in _why_not(model, tokens)
    model.model.forward = lambda *given, attention_mask=None, **named: forward(*given, **named)
    assert "scores would not be the same" in _why_not(model, tokens)

    def refuses(*given, attention_mask=None, **named):
        if attention_mask is not None and attention_mask.dim() == 4:
            raise ValueError("a mask has two dimensions")
        return forward(*given, attention_mask=attention_mask, **named)

    model.model.forward = refuses
    assert "takes no mask of its own (ValueError)" in _why_not(model, tokens)


def test_a_gradient_that_differs_is_found_out(tokens):
    model = llama()

    def stops(module, inputs, output):
        rows_of_trees = len(output) == 2  # two pairs, a row each
        return output.detach() + 0 * output if rows_of_trees else output

    model.model.embed_tokens.register_forward_hook(stops)
    assert "gradients would not be the same" in _why_not(model, tokens)
    engine, sharing = suited(Engine(CPU, PAD), model, log_probs, tokens)
    assert engine.shared, sharing


@given(st.data())
def test_every_text_can_be_read_back(data):
    """From its prompt and its branch, at its own places; each token is predicted once, but for the
    first of a text.
    """
    words = st.lists(st.integers(3, 9), max_size=5)
    prompts = data.draw(st.lists(words, min_size=1, max_size=3))
    chosen = data.draw(st.lists(st.sampled_from(range(len(prompts))), min_size=1, max_size=6))
    items = [(prompts[i], data.draw(words), data.draw(words)) for i in chosen]
    together = data.draw(st.sampled_from([chosen, list(range(len(items))), [0] * len(items)]))
    batch = lay_out(items, PAD, together)
    flat, branch = batch.input_ids.flatten(), batch.branches.flatten()
    assert int((branch != PADDING).sum()) <= sum(len(p) + len(a) + len(b) for p, a, b in items)
    for number, (prompt, response) in enumerate((p, r) for p, *both in items for r in both):
        own = batch.owners == number
        expected = response if prompt else response[1:]
        assert batch.targets[own].tolist() == expected
        before = [*prompt, *response][:-1][len(prompt) - 1 if prompt else 0 :]
        assert flat[batch.predicts[own]].tolist() == before[: len(expected)]
        end = int(batch.ends.flatten()[number])
        assert (end < 0) == (not prompt and not response)
        if response:
            assert flat[end] == response[-1]
            row = end // batch.input_ids.shape[1]
            same = (batch.branches[row] == branch[end]).nonzero().flatten()
            assert batch.input_ids[row][same].tolist() == response
            places = batch.places[row][same]
            assert places.tolist() == list(range(len(prompt), len(prompt) + len(response)))
            assert batch.input_ids[row][batch.branches[row] == PROMPT].tolist() == prompt
