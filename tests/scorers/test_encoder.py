"""Embeddings: pooling, truncation, the cache, and independence of the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encoders import save_causal, save_encoder
from language_models import byte_tokenizer, gpt2, llama, save
from safetensors.torch import load_file, save_file
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoConfig,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    LlamaModel,
    MPNetConfig,
    MPNetModel,
    RobertaConfig,
    RobertaModel,
    XLNetConfig,
)

from surefoot.errors import ConfigurationError, SurefootError
from surefoot.scorers import Encoder, EncoderOptions
from surefoot.scorers.embeddings import encoder as encoder_module
from surefoot.scorers.language.architecture import is_causal, positions_in

TEXTS = ["good help", "bad harm really very", "the question is long long long long", "yes"]


def _encoder(folder: str, **options) -> Encoder:
    return Encoder(EncoderOptions(name=folder, precision="float32", **options))


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_pooling_equals_one_text_at_a_time(small_encoder, pooling):
    encoder = _encoder(small_encoder, pooling=pooling)
    together = encoder.embed(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        batch = encoder.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = encoder.model(**batch).last_hidden_state[0]
        one = {"mean": states.mean(0), "first": states[0], "last": states[-1]}[pooling]
        np.testing.assert_allclose(vector, torch.nn.functional.normalize(one, dim=0), atol=1e-5)


def test_a_causal_model_takes_its_last_token(tmp_path):
    encoder = _encoder(save_causal(tmp_path))
    assert encoder.pooling == "last"
    together, alone = encoder.embed(TEXTS), [encoder.embed([text])[0] for text in TEXTS]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_cached_equals_live(small_encoder, monkeypatch):
    encoder = _encoder(small_encoder)
    live = encoder.embed([*TEXTS, TEXTS[0]])
    monkeypatch.setattr(Encoder, "forward", None)  # from here on, nothing can be computed
    again = _encoder(small_encoder).embed([*TEXTS, TEXTS[0]])
    np.testing.assert_array_equal(live, again)
    np.testing.assert_array_equal(again[0], again[-1])


def test_who_embeds_at_the_same_time_takes_the_same_vectors(small_encoder, monkeypatch, tmp_path):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path))
    forward, first = Encoder.forward, _encoder(small_encoder)

    def overtaken(self, tokens, description="embedding"):
        monkeypatch.setattr(Encoder, "forward", forward)
        self.others = first.embed(TEXTS)  # another process ends before this one
        return forward(self, tokens) + 1e-6

    monkeypatch.setattr(Encoder, "forward", overtaken)
    second = _encoder(small_encoder)
    np.testing.assert_array_equal(second.embed(TEXTS), second.others)


def test_small_batches_and_saves_change_nothing(small_encoder, monkeypatch, tmp_path):
    whole = _encoder(small_encoder).embed(TEXTS)
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path))
    monkeypatch.setattr(encoder_module, "TOKENS_PER_BATCH", 8)
    monkeypatch.setattr(encoder_module, "TEXTS_PER_SAVE", 2)
    np.testing.assert_allclose(_encoder(small_encoder).embed(TEXTS), whole, atol=1e-5)


def test_the_key_covers_what_vectors_depend_on(small_encoder, tmp_path):
    key = _encoder(small_encoder).key
    assert key == _encoder(small_encoder).key
    assert key != _encoder(save_encoder(tmp_path / "other", seed=1)).key
    assert key != _encoder(small_encoder, max_length=16).key
    assert key != _encoder(small_encoder, pooling="first").key


def test_truncation_keeps_the_asked_end_and_counts(small_encoder):
    encoder = _encoder(small_encoder, max_length=8)
    long, start, end = "good " * 9 + "bad " * 9, "good " * 9, "bad " * 9
    left = encoder.embed([long, start], keep="left")
    assert encoder.truncated == 2
    np.testing.assert_allclose(left[0], left[1], atol=1e-6)
    right = encoder.embed([long, end], keep="right")
    np.testing.assert_allclose(right[0], right[1], atol=1e-6)
    assert not np.allclose(left[0], right[0])


def test_texts_of_the_same_tokens_share_a_vector_to_the_bit(small_encoder):
    """Also when they are embedded at different times, in batches of other shapes."""
    encoder = _encoder(small_encoder, max_length=12)
    start = "good " * 10
    first = encoder.embed(["the question " * 3, start + "yes", "a"])[1]
    later = encoder.embed([start + "no no no no"])[0]
    np.testing.assert_array_equal(first, later)


def test_the_key_is_that_of_the_tokenizer_as_it_was_loaded(small_encoder):
    """Texts that were cut before leave their limit in the tokenizer."""
    used = _encoder(small_encoder)
    used.tokenizer(TEXTS, truncation=True, max_length=5, padding=True)
    assert used.key == _encoder(small_encoder).key


class TestWeightsThatAreMissing:
    """Drawn at random by transformers, which only logs it."""

    @staticmethod
    def _save(folder, model, rename=lambda name: name) -> str:
        save_encoder(folder)  # for its tokenizer
        model.save_pretrained(folder)
        weights = load_file(folder / "model.safetensors")
        named = {rename(name): value for name, value in weights.items()}
        save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
        return str(folder)

    def test_a_pooler_that_nobody_asks_is_not_in_the_key(self, tmp_path):
        config = AutoConfig.from_pretrained(save_encoder(tmp_path / "shape"))
        folder = self._save(tmp_path / "masked", BertForMaskedLM(config))
        first, again = _encoder(folder), _encoder(folder)
        assert not torch.equal(first.model.pooler.dense.weight, again.model.pooler.dense.weight)
        assert first.key == again.key
        np.testing.assert_array_equal(first.embed(TEXTS), again.embed(TEXTS))

    def test_anything_else_is_refused(self, tmp_path):
        config = AutoConfig.from_pretrained(save_encoder(tmp_path / "shape"))
        folder = self._save(tmp_path / "odd", BertModel(config), "student.{}".format)
        with pytest.raises(ConfigurationError, match=r"has no embeddings.*drawn at random"):
            _encoder(folder).embed(TEXTS)


class TestByItsConfiguration:
    SHAPE = {  # noqa: RUF012
        "vocab_size": 60,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 66,
    }

    @pytest.mark.parametrize(
        ("model", "config", "limit"),
        [
            (RobertaModel, RobertaConfig(**SHAPE, pad_token_id=1), 64),
            (RobertaModel, RobertaConfig(**SHAPE, pad_token_id=3), 62),
            (MPNetModel, MPNetConfig(**SHAPE), 64),
            (BertModel, BertConfig(**SHAPE, pad_token_id=1), 66),
        ],
        ids=["roberta", "padding 3", "mpnet", "bert"],
    )
    def test_a_text_is_as_long_as_the_model_can_read(self, tmp_path, model, config, limit):
        """RoBERTa's table begins behind its padding token; one more would be an index error."""
        save_encoder(tmp_path)
        model(config).save_pretrained(tmp_path)
        encoder = _encoder(str(tmp_path))
        assert encoder.limit == limit
        assert np.isfinite(encoder.embed(["good " * 200])).all()
        with pytest.raises((IndexError, RuntimeError)):
            encoder.forward([[5] * (limit + 1)])

    def test_no_table_no_limit(self):
        assert positions_in(XLNetConfig()) > 10**6

    def test_causal_models_by_any_head(self, tmp_path):
        headless = LlamaModel(llama().config)
        for name, model in {"gpt2": gpt2(), "llama": llama(), "headless": headless}.items():
            folder = save(tmp_path / name, model, byte_tokenizer())
            assert _encoder(folder).pooling == "last", name
        assert not is_causal(BertConfig())
        assert is_causal(BertConfig(is_decoder=True))


def test_an_empty_text_of_a_causal_model(tmp_path):
    encoder = _encoder(save_causal(tmp_path))
    encoder.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A")
    assert encoder.tokenizer("")["input_ids"] == []
    assert np.isfinite(encoder.embed(["", "good"])).all()


def test_vectors_have_unit_length_and_empty_text_is_fine(small_encoder):
    vectors = _encoder(small_encoder).embed(["", "good"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_vectors_that_are_not_finite_are_not_kept(tmp_path):
    folder = save_encoder(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][7] = float("nan")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    encoder = _encoder(folder)
    for _ in range(2):  # nor found again in the cache
        with pytest.raises(SurefootError, match="vectors that are not finite"):
            encoder.embed(["maybe good bad yes no thanks please"])


@pytest.mark.parametrize("name", ["no/such-model", "./nowhere"])
def test_what_cannot_be_loaded_is_named(name):
    with pytest.raises(ConfigurationError, match=name.split("/")[-1]):
        _ = Encoder(EncoderOptions(name=name)).model


def test_a_name_alone_is_enough():
    assert EncoderOptions.model_validate("x/y").name == "x/y"
