"""The reference is the model as given, whatever is put on it and trained: every kind of adapter."""

from __future__ import annotations

import warnings

import numpy as np
import peft
import pytest
import torch
from language_models import byte_tokenizer, gpt2, llama, pairs
from peft import LoraConfig

from surefoot.data import Preferences
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.errors import ConfigurationError
from surefoot.scorers.language import adapters
from surefoot.scorers.language.adapters import stays_below
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.loading import prepare_model
from surefoot.scorers.language.reference import ReferencePolicy, weights_key
from surefoot.scorers.language.scores import log_probs

pytestmark = pytest.mark.filterwarnings("ignore")
_Q = {"target_modules": ["q_proj", "v_proj"]}

#: Adapters by name, and whether a frozen copy is needed.
KINDS = {
    "lora": (LoraConfig(**_Q), False),
    "every linear layer": (LoraConfig(target_modules="all-linear"), False),
    "bias of all": (LoraConfig(**_Q, bias="all"), True),
    "bias of the adapted": (LoraConfig(**_Q, bias="lora_only"), True),
    "dora": (LoraConfig(**_Q, use_dora=True), False),
    "rank-stabilised": (LoraConfig(**_Q, use_rslora=True), False),
    "the output": (LoraConfig(target_modules=["lm_head"]), False),
    "the embeddings": (LoraConfig(target_modules=["embed_tokens", "q_proj"]), False),
    "the output, whole": (LoraConfig(**_Q, modules_to_save=["lm_head"]), False),
    "the embeddings, whole": (LoraConfig(**_Q, modules_to_save=["embed_tokens"]), False),
    "some tokens": (LoraConfig(**_Q, trainable_token_indices=[5, 6, 7]), False),
    "started at random": (LoraConfig(**_Q, init_lora_weights=False), False),
    "started with the weights": (LoraConfig(**_Q, init_lora_weights="pissa"), True),
    "started with their rotation": (LoraConfig(**_Q, init_lora_weights="olora"), True),
    "ia3": (peft.IA3Config(**_Q, feedforward_modules=[]), False),
    "loha": (peft.LoHaConfig(**_Q), False),
    "lokr": (peft.LoKrConfig(**_Q), False),
    "vera": (peft.VeraConfig(**_Q), False),
    "oft": (peft.OFTConfig(**_Q, oft_block_size=8), False),
    "fourier": (peft.FourierFTConfig(**_Q, n_frequency=20), False),
    "norms": (peft.LNTuningConfig(target_modules=["input_layernorm"]), False),
}


def _tokens():
    return tokenise(Preferences.from_rows(pairs(6)), byte_tokenizer(), 40)


def _model(tied=False):
    return llama(attention_bias=True, mlp_bias=True, tie_word_embeddings=tied)


def _given(engine, model, tokens):
    with torch.no_grad():
        return log_probs(model, engine.batch(tokens, np.arange(6)))


def _train(policy, engine, tokens, steps=3):
    """Some steps that raise a likelihood by whatever is trained."""
    trained = [one for one in policy.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        (-log_probs(policy, engine.batch(tokens, np.arange(6))).mean()).backward()
        optimiser.step()


@pytest.mark.parametrize("tied", [False, True], ids=["", "tied"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_live_reference_after_some_steps_is_the_model_as_given(kind, tied):
    config, needs_copy = KINDS[kind]
    tokens, engine = _tokens(), Engine(torch.device("cpu"), 2, 4)
    expected = _given(engine, _model(tied), tokens)
    torch.manual_seed(1)
    prepared = prepare_model(_model(tied), byte_tokenizer(), config)
    policy = prepared.model
    assert prepared.new_adapter == (not kind.startswith("started with"))
    reference = ReferencePolicy.of(policy, engine, True, with_adapter=not prepared.new_adapter)
    assert (reference.model is not policy) == needs_copy
    assert not needs_copy or not any(one.requires_grad for one in reference.model.parameters())
    start = _given(engine, policy, tokens)
    _train(policy, engine, tokens)
    batch = engine.batch(tokens, np.arange(6))
    assert float((_given(engine, policy, tokens) - start).abs().min()) > 1e-3  # it did learn
    torch.testing.assert_close(reference(batch), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("started with")])
def test_what_lies_below_has_the_key_of_the_base(kind):
    """So that one file serves all adapters, and a trained one is not taken for another base."""
    config, needs_copy = KINDS[kind]
    tokens, engine = _tokens(), Engine(torch.device("cpu"), 2, 4)
    policy = prepare_model(_model(), byte_tokenizer(), config).model
    assert weights_key(policy) == weights_key(_model())
    _train(policy, engine, tokens, 1)
    assert (weights_key(policy) == weights_key(_model())) == (not needs_copy)


def test_a_layer_of_the_base_that_was_thawed_needs_a_copy():
    tokens, engine = _tokens(), Engine(torch.device("cpu"), 2, 4)
    expected = _given(engine, _model(), tokens)
    policy = prepare_model(_model(), byte_tokenizer(), LoraConfig(**_Q)).model
    assert stays_below(policy)
    policy.base_model.model.model.norm.weight.requires_grad_(True)
    assert not stays_below(policy)
    with pytest.warns(UserWarning, match="a frozen copy of the whole model"):
        reference = ReferencePolicy.of(policy, engine, True)
    _train(policy, engine, tokens)
    found = reference(engine.batch(tokens, np.arange(6)))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_looking_leaves_every_weight_and_flag_as_it_was():
    policy = prepare_model(_model(), byte_tokenizer(), KINDS["bias of all"][0]).model
    before = {name: (p.detach().clone(), p.requires_grad) for name, p in policy.named_parameters()}
    stays_below(policy)
    for name, one in policy.named_parameters():
        assert torch.equal(one, before[name][0])
        assert one.requires_grad == before[name][1]


def test_a_start_that_is_another_model_is_refused():
    def spoil(config):
        made = adapters.with_adapter

        def start(model, peft_config, kind):
            found = made(model, peft_config, kind)
            with torch.no_grad():  # as quantising starts do
                found.base_model.model.model.layers[0].self_attn.q_proj.base_layer.weight.add_(0.3)
            return found

        return start

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr("surefoot.scorers.language.adapters.with_adapter", spoil(None))
        with pytest.raises(ConfigurationError, match="start changes the model: neither"):
            prepare_model(_model(), byte_tokenizer(), LoraConfig(**_Q))


@pytest.mark.parametrize("build", [llama, gpt2])
def test_through_the_trainer_in_half_precision(tmp_path, build):
    """The base in bfloat16, biases trained in float32 beside it."""
    from surefoot.training import PreferenceConfig, PreferenceTrainer

    model = build().to(torch.bfloat16)
    tokens, engine = _tokens(), Engine(torch.device("cpu"), 2, 4, precision=torch.bfloat16)
    with engine.autocast():
        expected = _given(engine, model, tokens)
    targets = ["q_proj"] if build is llama else ["c_attn"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = PreferenceTrainer(
            model,
            PreferenceConfig(
                output_dir=str(tmp_path), use_cpu=True, disable_tqdm=True, save_strategy="no",
                reference="live", learning_rate=0.01, max_steps=3,
            ),
            pairs(6),
            processing_class=byte_tokenizer(),
            peft_config=LoraConfig(target_modules=targets, bias="all"),
        )  # fmt: skip
    trainer.train()
    with engine.autocast():
        found = trainer.reference(engine.batch(tokens, np.arange(6)))
        moved = _given(engine, trainer.model, tokens)
    noise = trainer.score.noise * 40**0.5
    torch.testing.assert_close(found, expected, rtol=0, atol=max(noise, 0.2))
    assert float((moved - expected).abs().max()) > 0.5


@pytest.mark.parametrize("how", ["alpha", "scale", "active"])
def test_what_an_adapter_adds_is_part_of_the_key(how):
    """The same weights, and another policy: figures of one are not kept for the other."""
    found = []
    for changed in (False, True):
        torch.manual_seed(0)
        alpha = 16 if changed and how == "alpha" else 8
        options = {"r": 4, "init_lora_weights": False, "task_type": "CAUSAL_LM", **_Q}
        policy = peft.get_peft_model(llama(), LoraConfig(lora_alpha=alpha, **options))
        policy.add_adapter("other", LoraConfig(lora_alpha=8, **options))
        if changed and how == "active":
            policy.set_adapter("other")
        if changed and how == "scale":
            for module in policy.modules():
                if hasattr(module, "scale_layer"):
                    module.scale_layer(0.5)
        with torch.no_grad():
            logits = policy(torch.tensor([[1, 2, 3]])).logits
        found.append((weights_key(policy, adapters=True), weights_key(policy), logits))
    (one, base, here), (other, same, there) = found
    assert (here - there).abs().max() > 0.01
    assert one != other
    assert base == same
