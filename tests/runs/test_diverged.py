"""A run whose last step made it useless is an error, and leaves no model."""

from __future__ import annotations

import json

import pytest
import torch
from language_models import CHAT, byte_tokenizer, llama, llama_reward, pairs, save

from surefoot.errors import SurefootError
from surefoot.runs import is_finished
from surefoot.training import RunConfig, train

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def configure(tmp_path, small_encoder):
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(16, auxiliary=[0.7])))
    policy = save(tmp_path / "policy", llama(), byte_tokenizer(CHAT))
    reward = save(tmp_path / "reward", llama_reward(), byte_tokenizer())
    precise = {"precision": "float32", "max_length": 96}
    encoder = {"name": small_encoder, "precision": "float32"}
    judge = tmp_path / "judge"
    train(
        RunConfig(
            data={"train": str(data)},
            scorer={"kind": "embedding", "encoder": encoder},
            output=str(judge),
        )
    )

    def make(kind: str, rate: float, steps: int) -> RunConfig:
        scorers = {
            "reward model": {"kind": "reward-model", "model": reward, **precise},
            "policy": {"kind": "policy", "model": policy, **precise},
            "drpo": {"kind": "policy", "model": policy, **precise},
        }
        drpo = {
            "kind": "doubly-robust",
            "auxiliary": str(judge),
            "samples": 2,
            "max_new_tokens": 3,
        }
        return RunConfig(
            data={"train": str(data)},
            scorer=scorers[kind],
            objective=drpo if kind == "drpo" else {},
            training={
                "max_steps": steps,
                "pairs_per_step": 4,
                "micro_batch_pairs": 4,
                "learning_rate": rate,
                "warmup": 0.0,
                "schedule": "constant_with_warmup",
                "save_every": 1,
            },
            output=str(tmp_path / "run"),
        )

    return make


@pytest.mark.parametrize("kind", ["reward model", "policy", "drpo"])
@pytest.mark.parametrize("rate", [1e300, 1e30])
@pytest.mark.parametrize("steps", [1, 2])
def test_weights_that_are_lost(configure, tmp_path, kind, rate, steps):
    """Not finite, or so large that every score is not."""
    with pytest.raises(SurefootError, match=r"not finite|norm of the gradient|diverged"):
        train(configure(kind, rate, steps))
    assert not is_finished(tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_heads(tmp_path, small_encoder, monkeypatch):
    from surefoot.scorers import EmbeddingRewardModel

    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(16)))
    config = RunConfig(
        data={"train": str(data)},
        scorer={"kind": "embedding", "encoder": {"name": small_encoder, "precision": "float32"}},
        output=str(tmp_path / "run"),
    )
    take = EmbeddingRewardModel._take

    def diverged(self, found):
        take(self, found)
        self.mean_ = torch.full_like(self.mean_, torch.nan)

    train(config)
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    monkeypatch.setattr(EmbeddingRewardModel, "_take", diverged)
    with pytest.raises(SurefootError, match=r"not saved: .* is not finite"):
        train(config, overwrite=True)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before
