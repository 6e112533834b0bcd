"""Models in half precision: what is trained is held in float32, and moves as it does there."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from language_models import (
    VOCABULARY,
    bert_reward,
    bert_tokenizer,
    byte_tokenizer,
    llama,
    llama_reward,
    pairs,
)
from peft import LoraConfig
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GemmaConfig, GemmaForCausalLM, LlamaForCausalLM

from surefoot.data import Preferences
from surefoot.scorers.language.loading import prepare_model
from surefoot.scorers.language.precision import master_weights
from surefoot.scorers.language.scores import base_of

HALF = [torch.bfloat16, torch.float16]
SLOW = {"learning_rate": 5e-7, "max_steps": 20, "per_device_train_batch_size": 6}


def _before(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def _share_moved(model, before):
    """Share of the trained weights that are not what they were."""
    moved = [
        (p.detach().double() != before[name].double()).flatten()
        for name, p in model.named_parameters()
        if p.requires_grad
    ]
    return float(torch.cat(moved).double().mean())


@pytest.mark.parametrize("build", [llama, llama_reward], ids=["policy", "reward-model"])
@pytest.mark.parametrize("bf16", [False, True])
def test_as_many_weights_move_from_a_checkpoint_in_half_precision(trained, weights, build, bf16):
    found = {}
    for dtype in (torch.bfloat16, torch.float32):
        model = build().to(torch.bfloat16).to(dtype)  # the same numbers
        before = _before(model)
        trainer = trained(model, **SLOW, bf16=bf16)
        assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
        mixed = bf16 or dtype is torch.bfloat16
        assert trainer.engine.precision == (torch.bfloat16 if mixed else None)
        found[dtype] = _share_moved(trainer.model, before), weights(trainer.model)
    (half, ours), (whole, theirs) = found.values()
    assert whole > 0.6  # all but rows of tokens that do not occur
    assert half == pytest.approx(whole, abs=0.02)
    if bf16:
        assert torch.equal(ours, theirs)


def test_without_it_hardly_any_would():
    """What AdamW makes of the same steps in bfloat16."""
    model = llama().to(torch.bfloat16)
    before = _before(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-7, weight_decay=0)
    for i in range(20):
        model(input_ids=torch.tensor([[1, 5 + i, 9]])).logits.square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    assert _share_moved(model, before) < 0.05


@pytest.mark.parametrize("dtype", HALF)
def test_float16_has_no_scaler_and_passes_in_float32(trained, dtype):
    with pytest.warns(UserWarning, match=r"trained weights are held in float32, and saved so"):
        trainer = trained(llama().to(dtype), train=False)
    assert trainer.engine.precision == (torch.bfloat16 if dtype is torch.bfloat16 else None)


@pytest.mark.parametrize(
    "lora",
    [
        {"target_modules": "all-linear"},
        {"target_modules": ["q_proj"], "bias": "all"},
        {"target_modules": ["q_proj"], "use_dora": True},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    ],
    ids=["linear", "bias", "dora", "head"],
)
@pytest.mark.parametrize("dtype", HALF)
def test_of_an_adapted_model_what_is_trained_is_whole_and_the_rest_as_it_was(trained, dtype, lora):
    model = llama(attention_bias=True).to(dtype)
    trainer = trained(model, peft_config=LoraConfig(**lora), max_steps=2, learning_rate=1e-4)
    kinds = {flag: set() for flag in (True, False)}
    for one in trainer.model.parameters():
        kinds[one.requires_grad].add(one.dtype)
    assert kinds == {True: {torch.float32}, False: {dtype}}
    assert trainer.engine.precision == dtype  # the frozen weights' own


def test_an_optimiser_made_before_goes_on_with_the_same_parameters():
    model = llama().to(torch.bfloat16)
    held = list(model.parameters())
    found = master_weights(model)
    assert all(one is other for one, other in zip(held, model.parameters(), strict=True))
    assert found.cast == sum(one.numel() for one in held)
    assert master_weights(llama()).cast == 0


def test_what_is_saved_is_in_float32_and_says_so(trained, tmp_path):
    llama().to(torch.bfloat16).save_pretrained(tmp_path / "half")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "half")
    assert model.dtype is torch.bfloat16  # which transformers takes from the file
    trainer = trained(model, max_steps=1)
    trainer.save_model(str(tmp_path / "saved"))
    kinds = {one.dtype for one in load_file(tmp_path / "saved" / "model.safetensors").values()}
    assert kinds == {torch.float32}
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["dtype"] == "float32"


@pytest.mark.parametrize("build", [llama_reward, bert_reward])
def test_rewards_of_a_model_in_half_precision_are_as_many_as_texts(trained, build):
    """Its head is held in float32: in bfloat16, 488 of 600 differ."""
    tokenizer = bert_tokenizer() if build is bert_reward else byte_tokenizer()
    trainer = trained(build().to(torch.bfloat16), pairs(300, seed=3), tokenizer, train=False)
    step = trainer.engine.batch(trainer.pairs.tokens, np.arange(300))
    with torch.no_grad(), trainer.engine.autocast():
        rewards = trainer.score.of_model(trainer.model.eval(), step).flatten()
    assert rewards.dtype is torch.float32
    assert len(rewards.unique()) > 590
    assert len(rewards.bfloat16().unique()) < 550


def test_a_frozen_head_in_half_precision_is_whole_too():
    model = llama_reward().to(torch.bfloat16).requires_grad_(False)
    found = prepare_model(model, byte_tokenizer()).model
    assert found.score.weight.dtype is torch.float32
    assert found.model.norm.weight.dtype is torch.bfloat16


def test_gradients_of_many_micro_batches_add_up_in_float32(trained):
    """64 micro-batches against one: .8 % apart where gradients are kept in bfloat16."""
    gradients = []
    for size in (1, 64):
        trainer = trained(
            llama_reward().to(torch.bfloat16),
            Preferences.from_rows(pairs(64, seed=2)),
            per_device_train_batch_size=size,
            gradient_accumulation_steps=64 // size,
            train=False,
        )
        trainer.accelerator.backward = lambda loss: loss.backward()
        rows = np.arange(64)
        trainer.training_step(trainer.model, rows)
        assert {p.grad.dtype for p in trainer.model.parameters()} == {torch.float32}
        gradients.append(torch.cat([p.grad.flatten() for p in trainer.model.parameters()]))
    one, whole = gradients
    assert float((one - whole).norm() / whole.norm()) < 2e-3


@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize("kind", ["cast", "cast and back", "read in half precision"])
def test_what_a_cast_rounds_and_no_file_holds_is_as_a_reader_has_it(
    trained, tmp_path, kind, adapter
):
    """Rotary frequencies and the scale of Gemma's embeddings: else the saved model is another."""
    if kind.startswith("cast"):
        model, reader = llama().bfloat16(), LlamaForCausalLM
        model = model.float() if kind == "cast and back" else model
    else:
        shape = {"hidden_size": 40, "num_hidden_layers": 1, "num_attention_heads": 4, "head_dim": 8}
        shape |= {"num_key_value_heads": 2, "intermediate_size": 64, "vocab_size": VOCABULARY}
        torch.manual_seed(0)
        GemmaForCausalLM(GemmaConfig(**shape)).save_pretrained(tmp_path / "given")
        reader = GemmaForCausalLM
        model = reader.from_pretrained(tmp_path / "given", dtype=torch.bfloat16)
    lora = LoraConfig(target_modules=["q_proj"]) if adapter else None
    trainer = trained(model, peft_config=lora, max_steps=1)
    if adapter:
        trainer.model.merge_and_unload().save_pretrained(tmp_path / "saved")
    else:
        trainer.save_model(tmp_path / "saved")
    saved = reader.from_pretrained(tmp_path / "saved", dtype=torch.float32)
    ours = dict(base_of(trainer.model).named_buffers())
    for name, table in saved.named_buffers():
        torch.testing.assert_close(ours[name], table, atol=0, rtol=0)
