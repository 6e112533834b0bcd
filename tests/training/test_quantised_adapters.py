"""Adapters on weights in 4 bits, by bitsandbytes itself: on a CPU, if there is nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from language_models import (
    bert_reward,
    bert_tokenizer,
    byte_tokenizer,
    llama,
    llama_reward,
    save,
)
from transformers import BertForMaskedLM

from surefoot.data import read_preferences
from surefoot.errors import ConfigurationError
from surefoot.scorers import load_scorer
from surefoot.scorers.language.loading import load_model
from surefoot.scorers.language.options import PolicyScorer, RewardModelScorer
from surefoot.scorers.language.reference import weights_key
from surefoot.training import train

pytest.importorskip("bitsandbytes", reason="quantised adapters need bitsandbytes")
pytestmark = pytest.mark.filterwarnings("ignore")

_WIDE = {"hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
_MODELS = {"policy": llama, "reward-model": llama_reward, "general-preference": llama}


@pytest.fixture
def scorer(tmp_path):
    """Options of a quantised scorer of a kind."""

    def of(kind, precision="float32"):
        place = tmp_path / kind
        if not place.is_dir():
            save(place, _MODELS[kind](**_WIDE), byte_tokenizer())
        adapter = {"rank": 4, "quantised": True}
        return {"kind": kind, "model": str(place), "precision": precision, "adapter": adapter}

    return of


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", _MODELS)
def test_a_run_learns_and_is_loaded_again(configure, scorer, tmp_path, kind, precision):
    steps = {"max_steps": 6, "learning_rate": 1e-2}
    run = train(configure(scorer(kind, precision), steps))
    model = run.model.prepared.model
    frozen = [one for one in model.parameters() if one.dtype == torch.uint8]
    assert len(frozen) == 14  # every linear layer of two blocks, and no head
    assert not any(one.requires_grad for one in frozen)
    log = json.loads((tmp_path / "run" / "manifest.json").read_text())["figures"]["log"]
    losses = [one["mean_loss"] for one in log if "mean_loss" in one]
    assert losses[-1] < 0.6 * losses[0]
    rows = read_preferences(tmp_path / "pairs.jsonl")
    loaded = load_scorer(tmp_path / "run")
    np.testing.assert_allclose(loaded.scores(rows), run.model.scores(rows), atol=1e-5)


def test_what_is_new_is_not_held_in_4_bits(tmp_path):
    """It is trained whole: the pooler of a classifier that is made of a masked language model."""
    config = bert_reward(hidden_size=64, intermediate_size=128).config
    place = save(tmp_path, BertForMaskedLM(config), bert_tokenizer())
    scorer = RewardModelScorer(model=place, adapter={"quantised": True})
    model = load_model(place, "reward-model", **scorer.load_options)
    assert type(model.bert.pooler.dense) is type(model.classifier) is torch.nn.Linear
    assert type(model.bert.encoder.layer[0].output.dense) is not torch.nn.Linear


def test_no_gradients_of_gradients(configure, scorer):
    ball = {"regularisers": [{"kind": "wasserstein", "radius": 0.1}]}
    with pytest.raises(ConfigurationError, match=r"scorer\.adapter\.quantised: false"):
        train(configure(scorer("reward-model"), objective=ball))


def test_every_cut_of_a_step_is_the_same(configure, scorer):
    """The pass that sets a risk's weights and the one that uses them round alike."""

    def end(micro):
        training = {"micro_batch_pairs": micro, "max_steps": 3}
        objective = {"risk": {"kind": "cvar", "level": 0.5}}
        config = configure(scorer("policy"), training, f"run-{micro}", objective=objective)
        model = train(config).model.prepared.model
        trained = [p.detach().flatten() for p in model.parameters() if p.requires_grad]
        return torch.cat(trained)

    one, eight = end(1), end(8)
    assert float(one.abs().max()) > 0
    torch.testing.assert_close(one, eight, rtol=0, atol=1e-4)


def test_reading_leaves_the_weights_alone(scorer):
    """Or the reference's key would be another after the first pass."""
    options = PolicyScorer(**{k: v for k, v in scorer("policy").items() if k != "kind"})
    model = load_model(options.place, "policy", **options.load_options).eval()
    before = weights_key(model)
    with torch.no_grad():
        model(torch.ones(1, 4, dtype=torch.long))
    assert weights_key(model) == before
