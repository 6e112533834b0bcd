"""What is saved holds what transformers 4 looks for; version 5 reads it as before.

That version 4 reads it is shown by `tests/interop/run.py`, which makes environments of its own.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch
from language_models import CHAT, bert_tokenizer, byte_tokenizer, llama, llama_reward
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from surefoot.runs.atomic import UNFINISHED
from surefoot.scorers.language.saving import for_older_readers, older_keys, older_tokenizer
from surefoot.training import PreferenceConfig, PreferenceTrainer

pytestmark = pytest.mark.filterwarnings("ignore")


def _families():
    path = Path(__file__).parents[1] / "interop" / "models.py"
    spec = importlib.util.spec_from_file_location("interop_models", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MODELS = _families()


@pytest.mark.parametrize("name", MODELS.FAMILIES)
def test_a_model_of_any_family_is_read_as_before(tmp_path, name):
    model, ids = MODELS.model(name, "reward-model"), torch.tensor([[5, 6, 7, 8] * 5])
    if model is None:
        pytest.skip("the family has no classifier")
    model.save_pretrained(tmp_path)
    before = json.loads((tmp_path / "config.json").read_text())
    for_older_readers(tmp_path)
    after = json.loads((tmp_path / "config.json").read_text())
    assert before.items() <= after.items()
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=ids).logits, model(input_ids=ids).logits)
    for option in ("rope_parameters", "layer_types", "sliding_window"):
        assert getattr(loaded.config, option, None) == getattr(model.config, option, None)


def test_the_old_names_of_rotary_positions_and_windows():
    rope = {"rope_theta": 1e5, "rope_type": "default", "partial_rotary_factor": 0.5}
    found = older_keys({"rope_parameters": rope, "dtype": "float32"})
    assert found["rope_theta"] == found["rotary_emb_base"] == 1e5
    assert found["partial_rotary_factor"] == found["rotary_pct"] == 0.5
    assert "rope_scaling" not in found
    assert found["torch_dtype"] == "float32"
    scaled = {"rope_theta": 1e4, "rope_type": "linear", "factor": 4.0}
    assert older_keys({"rope_parameters": scaled})["rope_scaling"] == {
        "rope_type": "linear",
        "factor": 4.0,
    }
    layers = {"full_attention": scaled, "sliding_attention": {"rope_theta": 7.0}}
    found = older_keys({"rope_parameters": layers})
    assert (found["rope_theta"], found["rope_local_base_freq"]) == (1e4, 7.0)
    assert (found["global_rope_theta"], found["local_rope_theta"]) == (1e4, 7.0)
    assert found["rope_scaling"]["factor"] == 4.0
    assert older_keys({"rope_theta": 3.0, "rope_parameters": {"rope_theta": 5.0}}) == {
        "rotary_emb_base": 5.0
    }  # what version 5 wrote stays


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ("sfsf", {"sliding_window_pattern": 2}),
        ("sssfss", {"sliding_window_pattern": 4}),
        ("fssfs", {"global_attn_every_n_layers": 3}),
        ("ffss", {}),
        ("ffff", {}),
        ("ssss", {}),
        ("", {}),
    ],
)
def test_layers_that_attend_to_a_window_by_their_period(layers, found):
    kinds = {"s": "sliding_attention", "f": "full_attention"}
    assert older_keys({"layer_types": [kinds[one] for one in layers]}) == found


@pytest.mark.parametrize(
    "tokenizer",
    [
        byte_tokenizer,
        lambda: byte_tokenizer(CHAT),
        lambda: byte_tokenizer(bos=False),
        bert_tokenizer,
    ],
)
@pytest.mark.parametrize("further", [False, True])
def test_a_tokenizer_is_of_a_class_that_both_know(tmp_path, tokenizer, further):
    made = tokenizer()
    if further:
        made.add_special_tokens({"extra_special_tokens": ["<|turn|>", "<|tool|>"]})
    made.save_pretrained(tmp_path)
    before = AutoTokenizer.from_pretrained(tmp_path)
    for_older_readers(tmp_path)
    content = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert content["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not isinstance(content.get("extra_special_tokens"), list)  # where 4 wants a mapping
    after = AutoTokenizer.from_pretrained(tmp_path)
    text = "good <|turn|>question is bad"
    assert after(text)["input_ids"] == before(text)["input_ids"]
    assert sorted(after.all_special_tokens) == sorted(before.all_special_tokens)
    assert after.chat_template == before.chat_template


def test_another_class_is_left_alone():
    assert older_tokenizer({"tokenizer_class": "Qwen2Tokenizer"}) == {}


def test_a_file_that_would_be_read_otherwise_is_left_as_it_was(tmp_path, monkeypatch):
    llama().save_pretrained(tmp_path)
    before = (tmp_path / "config.json").read_text()
    spoilt = {"hidden_size": 64, "rope_theta": 5.0}
    monkeypatch.setattr("surefoot.scorers.language.saving.older_keys", lambda config: spoilt)
    for_older_readers(tmp_path)
    assert (tmp_path / "config.json").read_text() == before
    assert {path.name for path in tmp_path.iterdir()} >= {"config.json"}
    assert not list(tmp_path.glob(f"{UNFINISHED}*"))


def test_the_trainer_saves_so(tmp_path):
    rope = {"rope_type": "default", "rope_theta": 1e5}
    args = PreferenceConfig(output_dir=str(tmp_path), use_cpu=True)
    model = llama_reward(rope_parameters=rope)
    trainer = PreferenceTrainer(model, args, processing_class=byte_tokenizer())
    trainer.save_model(str(tmp_path / "saved"))
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["rope_theta"] == 1e5
    tokenizer = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast"
