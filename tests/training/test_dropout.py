"""Dropout is off where equality is promised, and on where it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from language_models import gpt2, llama, opt
from peft import LoraConfig
from transformers import BioGptConfig, BioGptForCausalLM, XGLMConfig, XGLMForCausalLM

from surefoot.errors import ConfigurationError

pytestmark = pytest.mark.filterwarnings("ignore")
LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}


def _drops_at_the_top(model, config, **options):
    """Models that also drop outside of their layers, in a module with the layers' flag."""
    torch.manual_seed(0)
    shape = {"vocab_size": 400, "max_position_embeddings": 256, **options}
    return model(config(**shape))


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(
    "model",
    [
        lambda: gpt2(resid_pdrop=0.5, embd_pdrop=0.5, attn_pdrop=0.5),
        lambda: llama(attention_dropout=0.5),
        lambda: opt(dropout=0.5, attention_dropout=0.5),
        lambda: _drops_at_the_top(
            BioGptForCausalLM, BioGptConfig, hidden_size=32, num_hidden_layers=2,
            num_attention_heads=4, intermediate_size=64, hidden_dropout_prob=0.5,
        ),
        lambda: _drops_at_the_top(
            XGLMForCausalLM, XGLMConfig, d_model=32, num_layers=2, attention_heads=4, ffn_dim=64,
            dropout=0.5, layerdrop=0.5,
        ),
    ],
    ids=["gpt2", "llama", "opt", "biogpt", "xglm"],
)  # fmt: skip
def test_dropout_is_off_in_both_passes(trained, weights, model, checkpointing):
    """Whatever the seed; OPT drops inside of the checkpointed layers, BioGPT and XGLM above too."""
    ends = []
    for seed in (0, 1):
        trainer = trained(model(), train=False, gradient_checkpointing=checkpointing, max_steps=2)
        torch.manual_seed(seed)
        trainer.args.seed, trainer.args.data_seed = seed, 3
        trainer.train()
        ends.append(weights(trainer.model))
    assert torch.equal(*ends)


def test_dropout_is_on_where_it_was_asked_for(trained, weights):
    ends = [
        weights(trained(gpt2(resid_pdrop=0.5), disable_dropout=value, max_steps=2).model)
        for value in (True, False)
    ]
    assert not torch.equal(*ends)


def test_dropout_and_a_risk_that_looks_at_losses(trained):
    with pytest.raises(ConfigurationError, match=r"disable_dropout=False.*'cvar'"):
        trained(disable_dropout=False, objective={"risk": "cvar"})


def test_dropout_of_an_adapter_that_has_no_effect_is_told(trained):
    with pytest.warns(UserWarning, match="lora_dropout=0.1 has no effect"):
        trained(peft_config=LoraConfig(**LORA, lora_dropout=0.1), train=False)


def test_a_live_reference_is_without_dropout(trained):
    adapter = LoraConfig(**LORA, lora_dropout=0.9)
    model = gpt2(resid_pdrop=0.5)
    adapter.target_modules = ["c_attn"]
    trainer = trained(model, peft_config=adapter, reference="live", disable_dropout=False)
    batch = trainer.engine.batch(trainer.pairs.tokens, np.arange(3))
    trainer.model.train()
    assert torch.equal(trainer.reference(batch), trainer.reference(batch))
    assert trainer.model.training
