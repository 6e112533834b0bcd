"""A saved reward model on RewardBench's path, which is followed here call by call.

allenai/reward-bench, scripts/run_rm.py and rewardbench/utils.py at 045c7f8: by default a model is
read by `AutoModelForSequenceClassification` into a text-classification pipeline.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from language_models import CHAT, byte_tokenizer, llama_reward, pairs
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from surefoot.data import read_preferences
from surefoot.training import RunConfig, train

#: What fastchat's `tulu`, RewardBench's default for tokenizers without a template, makes of a pair.
TULU = "<|user|>\n{}\n<|assistant|>\n{}\n"


@pytest.fixture
def run(tmp_path):
    """Train a small reward model on conversations, and save it: the run, its folder, its pairs."""

    def make(**tokenizer):
        place, data = tmp_path / "base", tmp_path / "pairs.jsonl"
        llama_reward(pad_token_id=2).save_pretrained(place)
        byte_tokenizer(**tokenizer).save_pretrained(place)
        rows = [
            {
                "prompt": [{"role": "user", "content": row["prompt"]}],
                "chosen": [{"role": "assistant", "content": row["response_a"]}],
                "rejected": [{"role": "assistant", "content": row["response_b"]}],
            }
            for row in pairs(12)
        ]
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        config = RunConfig(
            data={"train": str(data)},
            scorer={
                "kind": "reward-model",
                "model": str(place),
                "max_length": 200,
                "precision": "float32",
            },
            training={"max_steps": 3, "pairs_per_step": 8, "learning_rate": 1e-2},
            output=str(tmp_path / "run"),
        )
        model = train(config).model
        return model, tmp_path / "run", read_preferences(data)

    return make


class RewardBench:
    """`scripts/run_rm.py` from a folder to the scores of chosen and rejected (N, 2)."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.tokenizer.truncation_side = "left"
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
        self.pipe = pipeline("text-classification", model=model, tokenizer=self.tokenizer)
        assert self.pipe.tokenizer.pad_token_id is not None  # else it would pad with the end token
        assert self.pipe.model.config.pad_token_id is not None
        if self.tokenizer.chat_template is None:
            self.pipe.tokenizer.add_eos_token = True

    def texts(self, preferences):
        def written(prompt, response):
            messages = [
                {"role": "user", "content": prompt[0]["content"]},
                {"role": "assistant", "content": response[0]["content"]},
            ]
            if self.tokenizer.chat_template is None:
                return TULU.format(*(turn["content"] for turn in messages))
            return self.tokenizer.apply_chat_template(messages, tokenize=False)

        read = list(preferences.read("prompt", "response_a", "response_b"))
        return [written(p, a) for p, a, _ in read], [written(p, b) for p, _, b in read]

    def scores(self, preferences):
        given = {
            "batch_size": 5,
            "truncation": True,
            "padding": True,
            "max_length": 2048,
            "function_to_apply": "none",
            "return_token_type_ids": False,
        }
        sides = [self.pipe(texts, **given) for texts in self.texts(preferences)]
        return np.array([[one["score"] for one in side] for side in sides]).T


def _of_ids(bench, ids):
    with torch.no_grad():
        device = bench.pipe.model.device
        return float(bench.pipe.model(torch.tensor([ids], device=device)).logits)


def test_a_tokenizer_whose_template_writes_all_special_tokens_scores_the_same(run):
    model, folder, rows = run(chat=CHAT, bos=False)
    bench = RewardBench(folder)
    ours = model.raw_scores(rows)
    assert ours.std() > 0.01
    np.testing.assert_allclose(bench.scores(rows), ours, atol=1e-4)


def test_a_begin_token_that_the_tokenizer_adds_is_read_twice_there(run):
    """RewardBench tokenises the template's text with special tokens once more."""
    model, folder, rows = run(chat=CHAT, bos=True)
    bench = RewardBench(folder)
    begin, text = bench.tokenizer.bos_token_id, bench.texts(rows)[0][0]
    ids = bench.tokenizer(text)["input_ids"]
    assert ids[:2] == [begin, begin]
    assert _of_ids(bench, ids[1:]) == pytest.approx(model.raw_scores(rows)[0, 0], abs=1e-4)
    assert bench.scores(rows)[0, 0] == pytest.approx(_of_ids(bench, ids), abs=1e-4)


def test_without_a_template_it_writes_its_own_and_wants_an_end_token_as_we_do(run):
    model, folder, rows = run(chat=None, bos=False)
    bench = RewardBench(folder)
    texts = bench.texts(rows)
    assert bench.tokenizer(texts[0][0])["input_ids"][-1] == bench.tokenizer.eos_token_id
    written = [
        {
            "prompt": chosen.partition("<|assistant|>\n")[0] + "<|assistant|>\n",
            "chosen": chosen.partition("<|assistant|>\n")[2],
            "rejected": rejected.partition("<|assistant|>\n")[2],
        }
        for chosen, rejected in zip(*texts, strict=True)
    ]
    path = folder / "tulu.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in written))
    scores = bench.scores(rows)
    assert np.abs(scores - model.raw_scores(rows)).max() > 0.01  # another text
    np.testing.assert_allclose(scores, model.raw_scores(read_preferences(path)), atol=1e-4)


def test_asking_for_an_end_token_takes_the_begin_token_of_some_tokenizers(run):
    """In transformers 5 the rules are made anew from `add_bos_token`, which ours lacks."""
    _, folder, _ = run(chat=None, bos=True)
    begin = AutoTokenizer.from_pretrained(folder)("good")["input_ids"][0]
    bench = RewardBench(folder)
    assert begin == bench.tokenizer.bos_token_id
    assert bench.tokenizer("good")["input_ids"][0] != begin
