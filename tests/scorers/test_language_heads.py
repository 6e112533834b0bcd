"""Heads of reward models and what lies below adapters: in which precision, and what is refused."""

from __future__ import annotations

import pytest
import torch
from language_models import bert_reward, bert_tokenizer, byte_tokenizer, llama, llama_reward, pairs
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM
from transformers.quantizers.base import HfQuantizer
from transformers.quantizers.quantizers_utils import should_convert_module

from surefoot.data import Preferences
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.errors import ConfigurationError
from surefoot.scorers.language.adapters import below_adapter
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.loading import prepare_model
from surefoot.scorers.language.options import PolicyScorer, RewardModelScorer
from surefoot.scorers.language.precision import master_weights
from surefoot.scorers.language.reference import weights_key
from surefoot.scorers.language.scores import RewardScores

pytestmark = pytest.mark.filterwarnings("ignore")
CPU = torch.device("cpu")
MODELS = [
    (llama_reward, byte_tokenizer, ["q_proj", "v_proj"]),
    (bert_reward, bert_tokenizer, ["query", "value"]),
]


@pytest.mark.parametrize(("build", "tokenizer", "targets"), MODELS, ids=["llama", "bert"])
@pytest.mark.parametrize("precision", [None, torch.bfloat16])
def test_the_head_on_a_base_in_half_precision_is_trained_in_float32(
    build, tokenizer, targets, precision
):
    """In bfloat16 a small step changes nothing. With mixed precision, and without."""
    model = build().to(torch.bfloat16)
    prepared = prepare_model(model, tokenizer(), LoraConfig(r=4, target_modules=targets))
    masters = master_weights(prepared.model)  # as every trainer does
    trained = {n: p for n, p in prepared.model.named_parameters() if p.requires_grad}
    assert any(".modules_to_save." in name for name in trained)
    assert {p.dtype for p in trained.values()} == {torch.float32}
    tokens = tokenise(Preferences.from_rows(pairs(3)), prepared.tokenizer, 40, prepared.encoder)
    engine = Engine(CPU, prepared.pad_id, precision=precision or masters.passes)
    with engine.autocast():
        batch = engine.batch(tokens, torch.arange(3).numpy())
        RewardScores(prepared.encoder).of_model(prepared.model, batch).sum().backward()
    head = [p.grad for n, p in trained.items() if ".modules_to_save." in n]
    assert all(float(grad.abs().max()) > 0 for grad in head)


@pytest.mark.parametrize(("build", "tokenizer", "targets"), MODELS, ids=["llama", "bert"])
@pytest.mark.parametrize("adapted", [False, True])
def test_rewards_in_mixed_precision_do_not_tie(build, tokenizer, targets, adapted):
    """bfloat16 has three digits, and rewards of different texts would be equal."""
    made = LoraConfig(target_modules=targets, init_lora_weights=False) if adapted else None
    prepared = prepare_model(build(), tokenizer(), made)
    rows = Preferences.from_rows(pairs(200))
    tokens = tokenise(rows, prepared.tokenizer, 60, prepared.encoder)
    score = RewardScores(prepared.encoder)

    def scores(precision):
        return over_rows(
            score.of_model,
            prepared.model,
            tokens,
            torch.arange(200).numpy(),
            Engine(CPU, prepared.pad_id, precision=precision),
            "",
        )

    rounded, whole = scores(torch.bfloat16), scores(None)
    assert len(set(rounded.flatten())) > 390
    assert abs(rounded - whole).std() < 0.1 * whole.std()
    inner = prepared.model.get_base_model() if adapted else prepared.model
    head = inner.classifier if build is bert_reward else inner.score
    assert "forward" not in vars(head)  # as it was


def test_a_quantised_base_is_the_same_in_training_and_when_it_is_loaded(tmp_path):
    """A stand-in, said to be in 4 bits: PEFT then holds what is not quantised in float32."""
    llama().to(torch.bfloat16).save_pretrained(tmp_path)
    lora = LoraConfig(target_modules=["q_proj"])

    def base():
        model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
        model.is_loaded_in_4bit = True
        return model

    trained = prepare_model(base(), byte_tokenizer(), lora).model
    loaded = get_peft_model(below_adapter(base()), lora)
    assert weights_key(trained) == weights_key(loaded) != weights_key(base())
    assert {p.dtype for p in below_adapter(base()).parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("scorer", "build", "whole"),
    [
        (RewardModelScorer, llama_reward, ["score"]),
        (RewardModelScorer, bert_reward, ["bert.pooler.dense", "classifier"]),
        (PolicyScorer, llama, ["lm_head"]),
    ],
)
def test_what_is_trained_whole_is_not_quantised(scorer, build, whole):
    """By transformers' own rule for what bitsandbytes replaces."""
    pytest.importorskip("bitsandbytes", reason="quantised adapters need bitsandbytes")
    made = scorer(model="x", adapter={"quantised": True}).load_options["quantization_config"]
    model = build()
    spared = HfQuantizer.get_modules_to_not_convert(model, made.llm_int8_skip_modules)
    linear = [name for name, one in model.named_modules() if isinstance(one, torch.nn.Linear)]
    assert [name for name in linear if not should_convert_module(name, spared)] == whole


@pytest.mark.parametrize("adapter", [PromptTuningConfig, PrefixTuningConfig])
def test_adapters_that_write_a_prompt_are_refused(adapter):
    given = adapter(num_virtual_tokens=3, task_type="CAUSAL_LM")
    for model, peft_config in ((llama(), given), (get_peft_model(llama(), given), None)):
        with pytest.raises(ConfigurationError, match="TuningConfig is refused"):
            prepare_model(model, byte_tokenizer(), peft_config)
