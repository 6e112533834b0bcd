"""A tokenizer with tokens that the model has no row for: refused when the two are loaded."""

from __future__ import annotations

import pytest
import torch
from encoders import save_encoder
from language_models import (
    VOCABULARY,
    bert_reward,
    bert_tokenizer,
    byte_tokenizer,
    gpt2,
    llama,
    llama_reward,
    save,
)
from peft import LoraConfig
from transformers import AutoTokenizer, Gemma3Config, Gemma3ForSequenceClassification

from surefoot.errors import ConfigurationError
from surefoot.scorers import load_scorer
from surefoot.scorers.embeddings.encoder import EncoderOptions, load_encoder
from surefoot.scorers.language.loading import prepare_model


def _grown(tokenizer, tokens=VOCABULARY):
    """A tokenizer with tokens up to this number."""
    tokenizer.add_tokens([f"<extra {i}>" for i in range(tokens - len(tokenizer))])
    assert len(tokenizer) == tokens
    return tokenizer


@pytest.mark.parametrize(
    ("build", "tokenizer"),
    [
        (llama, byte_tokenizer),
        (gpt2, lambda: byte_tokenizer(pad=None)),
        (llama_reward, byte_tokenizer),
        (llama_reward, lambda: byte_tokenizer(pad=None)),  # which would grow the embeddings
        (bert_reward, bert_tokenizer),
    ],
)
@pytest.mark.parametrize("adapter", [None, LoraConfig(target_modules="all-linear")])
def test_both_numbers_are_named(build, tokenizer, adapter):
    fits = prepare_model(build(), _grown(tokenizer()), adapter)
    assert fits.tokenizer is not None
    numbers = rf"has {VOCABULARY + 7} tokens .*<extra .*rows for {VOCABULARY}:.*resize_token"
    with pytest.raises(ConfigurationError, match=numbers):
        prepare_model(build(), _grown(tokenizer(), VOCABULARY + 7), adapter)


def test_an_added_token_far_above_the_others_counts_by_its_number():
    """Numbers may have holes: there are few tokens, and one of them has no row."""
    tokenizer = byte_tokenizer()
    with pytest.raises(ConfigurationError, match="rows for 200"):
        prepare_model(llama(vocab_size=200), tokenizer)


def test_a_smaller_output_counts_too():
    model = llama()
    model.set_output_embeddings(type(model.lm_head)(32, VOCABULARY - 50, bias=False))
    with pytest.raises(ConfigurationError, match=f"model output rows for {VOCABULARY - 50}"):
        prepare_model(model, _grown(byte_tokenizer()))


def test_a_model_of_another_origin_is_refused_before_it_scores(tmp_path):
    place = save(tmp_path, llama_reward(), _grown(byte_tokenizer(), VOCABULARY + 1))
    with pytest.raises(ConfigurationError, match=f"{VOCABULARY + 1} tokens"):
        load_scorer(place)


def test_an_encoder_is_too(tmp_path):
    place = save_encoder(tmp_path / "encoder")
    tokenizer = AutoTokenizer.from_pretrained(place)
    tokenizer.add_tokens([f"<extra {i}>" for i in range(3000)])
    tokenizer.save_pretrained(place)
    with pytest.raises(ConfigurationError, match="the two do not belong together"):
        load_encoder(EncoderOptions(name=str(place))).embed(["good"])


def test_the_pad_token_of_a_text_inside_a_larger_configuration():
    """Gemma 3 looks for it among the configuration of its text model, and has no other."""
    text = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "head_dim": 8}
    text |= {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64}
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision |= {"intermediate_size": 16, "image_size": 28, "patch_size": 14}
    shape = {"text_config": text, "vision_config": vision, "mm_tokens_per_image": 4}
    torch.manual_seed(0)
    model = Gemma3ForSequenceClassification(Gemma3Config(**shape, num_labels=1)).eval()
    prepared = prepare_model(model, byte_tokenizer(pad=None))
    assert (
        prepared.pad_id == prepared.tokenizer.pad_token_id == model.config.text_config.pad_token_id
    )
    assert prepared.pad_id != prepared.tokenizer.eos_token_id
    with torch.no_grad():
        alone = model(torch.tensor([[5, 6, 7]])).logits
        padded = model(torch.tensor([[5, 6, 7, prepared.pad_id, prepared.pad_id]])).logits
    torch.testing.assert_close(alone, padded)
