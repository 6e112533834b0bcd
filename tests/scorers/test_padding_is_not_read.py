"""A text is worth the same beside any other: models that read the padding behind it are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from language_models import VOCABULARY, bert_tokenizer, save
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from surefoot.errors import ConfigurationError
from surefoot.scorers import Encoder, EncoderOptions
from surefoot.scorers.language.batch import lay_out
from surefoot.scorers.language.loading import prepare_model
from surefoot.scorers.language.scores import RewardScores

_HEADS = {"num_attention_heads": 4, "num_hidden_layers": 2}
_SHAPE = {"hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 128, **_HEADS}
_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
_BLIND = {
    "bert": _SHAPE,
    "roberta": _SHAPE,
    "mpnet": _SHAPE,
    "deberta-v2": {**_SHAPE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "modernbert": {**_SHAPE, "pad_token_id": 0, "local_attention": 8},
    "t5": {**_T5, "decoder_start_token_id": 0},
}
_READING = {
    "nystromformer": _SHAPE,
    "convbert": {**_SHAPE, "head_ratio": 2, "conv_kernel_size": 3, "embedding_size": 32},
}
_XLNET = {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64}  # reads the last token, any
_TEXTS = [[1, 9, 2], [1, 9, 8, 7, 6, 9, 8, 7, 30, 31, 2], [1, *range(20, 60), 2], [1, 50, 51, 2]]


def _made(kind, options, load):
    torch.manual_seed(0)
    options = {"vocab_size": VOCABULARY, "num_labels": 1, **options}
    model = load.from_config(AutoConfig.for_model(kind, **options)).eval()
    for one in model.parameters():
        if one.dim() > 1:
            torch.nn.init.normal_(one.data, std=0.15)
    return model


@pytest.mark.parametrize("kind", _BLIND)
def test_a_reward_is_that_of_the_text_alone(kind):
    model = _made(kind, _BLIND[kind], AutoModelForSequenceClassification)
    prepared = prepare_model(model, bert_tokenizer())
    batch = lay_out([([], _TEXTS[0], _TEXTS[1]), ([], _TEXTS[2], _TEXTS[3])], prepared.pad_id)
    with torch.no_grad():
        found = RewardScores(prepared.encoder).of_model(model, batch).flatten()
        alone = [model(torch.tensor([text])).logits[0, 0] for text in _TEXTS]
    assert found.std() > 0.01
    torch.testing.assert_close(found, torch.stack(alone), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("kind", "options"), [*_READING.items(), ("xlnet", _XLNET)])
def test_a_reward_model_that_reads_padding_is_refused(kind, options):
    model = _made(kind, options, AutoModelForSequenceClassification)
    with pytest.raises(ConfigurationError, match="reads the padding"):
        prepare_model(model, bert_tokenizer())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", _BLIND)
def test_a_vector_is_that_of_the_text_alone(kind, precision, tmp_path):
    place = save(tmp_path, _made(kind, _BLIND[kind], AutoModel), bert_tokenizer())
    encoder = Encoder(EncoderOptions(name=place, precision=precision))
    alone = np.concatenate([encoder.forward([text]) for text in _TEXTS])
    atol = 1e-5 if precision == "float32" else 0.02
    np.testing.assert_allclose(encoder.forward(_TEXTS), alone, atol=atol)
    assert np.abs(alone[0] - alone[1]).max() > 0.05


@pytest.mark.parametrize("kind", _READING)
def test_an_encoder_that_reads_padding_is_refused(kind, tmp_path):
    place = save(tmp_path, _made(kind, _READING[kind], AutoModel), bert_tokenizer())
    with pytest.raises(ConfigurationError, match="reads the padding"):
        Encoder(EncoderOptions(name=place, precision="float32")).embed(["yes"])
