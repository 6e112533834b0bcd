"""Adapters of every kind are read whole, or refused: none is drawn anew or left unread in part."""

from __future__ import annotations

import numpy as np
import peft
import pytest
import torch
from language_models import byte_tokenizer, llama, opt, pairs, save
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from surefoot.data import Preferences
from surefoot.errors import ConfigurationError
from surefoot.scorers.language.adapters import rounding
from surefoot.scorers.loading import of_transformers

pytestmark = pytest.mark.filterwarnings("ignore")
_Q = {"target_modules": ["q_proj", "v_proj"]}

#: An adapter, what it lies on, and a part of the name of a weight that is lost.
KINDS = {
    "lora": (LoraConfig(**_Q, r=2), llama, "lora_A"),
    "dora": (LoraConfig(**_Q, r=2, use_dora=True), llama, "lora_magnitude"),
    "embeddings": (LoraConfig(**_Q, r=2, modules_to_save=["embed_tokens"]), llama, "embed"),
    "output": (LoraConfig(**_Q, r=2, modules_to_save=["lm_head"]), llama, "lm_head"),
    "some tokens": (LoraConfig(**_Q, r=2, trainable_token_indices=[5, 6]), llama, "delta"),
    "biases": (LoraConfig(**_Q, r=2, bias="all"), opt, "bias"),
    "ia3": (
        peft.IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
        llama,
        "ia3",
    ),
    "vera": (peft.VeraConfig(r=4, target_modules=["q_proj"]), llama, "vera_lambda"),
    "loha": (peft.LoHaConfig(r=2, target_modules=["q_proj"]), llama, "hada_w1_a"),
    "oft": (peft.OFTConfig(oft_block_size=8, target_modules=["q_proj"]), llama, "oft_R"),
    "norms": (peft.LNTuningConfig(target_modules=["input_layernorm"]), llama, "norm"),
}


@pytest.fixture
def adapter(tmp_path):
    """Saves an adapter of random weights beside its base; returns its folder and the model."""

    def make(kind):
        config, build, _ = KINDS[kind]
        base = save(tmp_path / "base", build(), byte_tokenizer())
        config.task_type = "CAUSAL_LM"
        torch.manual_seed(1)
        model = get_peft_model(type(build()).from_pretrained(base), config)
        model.peft_config["default"].base_model_name_or_path = base
        for one in model.parameters():
            if one.requires_grad:
                one.data += 0.1 * torch.randn_like(one)
        model.save_pretrained(tmp_path / "adapter")
        return tmp_path / "adapter", model.eval()

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_one_is_read_and_one_in_part_is_refused(adapter, kind):
    place, model = adapter(kind)
    read = of_transformers(str(place), precision="float32")
    rows = Preferences.from_rows(pairs(3))
    assert np.abs(read.raw_scores(rows)).max() > 1e-4
    text = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        ours, theirs = read.prepared.model(text).logits, model(text).logits
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    weights = load_file(place / "adapter_model.safetensors")
    lost = next(name for name in weights if KINDS[kind][2] in name)
    del weights[lost]
    save_file(weights, place / "adapter_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match="does not go with its base"):
        of_transformers(str(place))


@pytest.mark.parametrize("kind", ["lora", "ia3", "norms"])
def test_a_base_of_fewer_layers_is_refused(adapter, kind):
    place, _ = adapter(kind)
    save(place.parent / "base", llama(num_hidden_layers=1), byte_tokenizer())
    with pytest.raises(ConfigurationError, match=r"has no layer for model\.layers\.1"):
        of_transformers(str(place))


def test_layers_in_few_bits_are_compared_as_they_compute():
    """Whatever the model around them is in: their products are rounded to half precision."""
    model = llama()
    assert rounding(model) == 1e-4
    model.model.layers[0].mlp.up_proj.compute_dtype = torch.bfloat16
    assert rounding(model) == 1e-2
