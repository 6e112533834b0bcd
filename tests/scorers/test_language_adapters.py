"""Adapters that do not go with a model, in one message each."""

from __future__ import annotations

import pytest
from language_models import byte_tokenizer, gpt2, llama
from peft import LoraConfig, get_peft_model

from surefoot.errors import ConfigurationError
from surefoot.scorers.language.adapters import with_adapter
from surefoot.scorers.language.loading import load_model


def test_a_layer_that_the_model_does_not_have_is_refused_with_those_it_has():
    for targets in (["nope"], ["q_proj", "nope"]):  # PEFT itself minds only if none fits
        with pytest.raises(ConfigurationError, match=r"'nope' are no layers .* k_proj, lm_head"):
            with_adapter(llama(), LoraConfig(target_modules=targets), "policy")
    with pytest.raises(ConfigurationError, match=r"does not go with the model: .*is not supported"):
        with_adapter(llama(), LoraConfig(target_modules=["norm"]), "policy")


@pytest.mark.parametrize("targets", [["c_attn"], ["h.0.attn.c_attn"], "all-linear", r".*c_attn"])
def test_layers_may_be_named_in_each_of_peft_s_ways(targets):
    model = with_adapter(gpt2(), LoraConfig(target_modules=targets), "policy")
    assert any("c_attn.lora_A" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize("kind", ["policy", "reward-model"])
def test_an_adapter_alone_is_no_model_to_train_on(tmp_path, kind):
    get_peft_model(llama(), LoraConfig(target_modules=["q_proj"])).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    wanted = {"policy": "CausalLM", "reward-model": "SequenceClassification"}[kind]
    with pytest.raises(ConfigurationError, match=f"holds an adapter.*AutoPeftModelFor{wanted}"):
        load_model(str(tmp_path), kind)
