"""Tokenizers that pad with their end token (GPT-2, SmolLM2): where a reward is read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import Dataset
from language_models import byte_tokenizer, gpt2_reward, llama_reward, pairs

pytestmark = pytest.mark.filterwarnings("ignore")


def _tokenizer():
    tokenizer = byte_tokenizer(pad=None)
    tokenizer.pad_token = "</s>"
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    return tokenizer


def _read_at(model, ids, back):
    """The head on the hidden state of the last token (`back` 0) or of one before it."""
    with torch.no_grad():
        states = model.base_model(input_ids=torch.tensor([ids]))[0]
        return float(model.score(states[0, len(ids) - 1 - back]))


@pytest.mark.parametrize("build", [llama_reward, gpt2_reward])
def test_ours_is_read_at_the_end_token(trained, build):
    trainer = trained(build(), tokenizer=_tokenizer(), train=False)
    end, model = trainer.processing_class.eos_token_id, trainer.model.eval()
    assert trainer.engine.pad_id == model.config.pad_token_id != end
    tokens = trainer.pairs.tokens
    with torch.no_grad():
        found = trainer.score.of_model(model, trainer.engine.batch(tokens, np.arange(12)))
    texts = [p + r for p, *both in tokens.read(np.arange(12)) for r in both]
    assert all(text[-1] == end for text in texts)
    assert len({len(text) for text in texts}) > 2  # some are padded
    expected = torch.tensor([_read_at(model, text, 0) for text in texts])
    torch.testing.assert_close(found.flatten(), expected, rtol=1e-4, atol=1e-5)


def test_trl_reads_the_token_before_the_end(trained, tmp_path):
    """TRL 1.16 names its end token as padding, in the model's configuration too."""
    trl = pytest.importorskip("trl", reason="the comparison needs TRL")
    rows = [
        {"prompt": r["prompt"], "chosen": r["response_a"], "rejected": r["response_b"]}
        for r in pairs(8)
    ]
    args = trl.RewardConfig(
        str(tmp_path), bf16=False, use_cpu=True, gradient_checkpointing=False, report_to="none"
    )
    theirs = trl.RewardTrainer(
        llama_reward(), args, train_dataset=Dataset.from_list(rows), processing_class=_tokenizer()
    )
    model = theirs.model.eval()
    assert model.config.pad_token_id == theirs.processing_class.eos_token_id
    batch = theirs.data_collator([theirs.train_dataset[i] for i in range(8)])
    ids, mask = batch["input_ids"], batch["attention_mask"]
    with torch.no_grad():
        found = model(input_ids=ids, attention_mask=mask).logits.flatten()
    texts = [row[row_mask.bool()].tolist() for row, row_mask in zip(ids, mask, strict=True)]
    assert all(text[-1] == theirs.processing_class.eos_token_id for text in texts)
    before, at_end = (torch.tensor([_read_at(model, t, k) for t in texts]) for k in (1, 0))
    torch.testing.assert_close(found, before, rtol=1e-4, atol=1e-5)
    assert float((before - at_end).abs().min()) > 1e-4
    losses = [-torch.nn.functional.logsigmoid(x[:8] - x[8:]).mean() for x in (before, at_end)]
    assert abs(float(losses[0] - losses[1])) > 0.01
