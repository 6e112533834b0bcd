"""DPO from scratch: log-probabilities, a reference, and an objective, in one file.

    python examples/dpo_from_scratch.py demo-full/language-model demo-full/train.jsonl

What a real trainer adds: chat templates, truncation, several processes, checkpoints, a risk over
more pairs than fit into memory (`surefoot.training.PreferenceTrainer`).
"""

from __future__ import annotations

import sys

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

from surefoot.data import read_preferences
from surefoot.data.text import to_text
from surefoot.objectives import Evidence, Objective

IGNORED = -100


def encoded(tokenizer, prompt: str, response: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens (T,) of prompt and response, and labels (T,): the response's tokens alone."""
    asked = tokenizer(f"{prompt}\n\n")["input_ids"]
    answered = tokenizer(response, add_special_tokens=False)["input_ids"]
    answered = [*answered, tokenizer.eos_token_id]
    return torch.tensor(asked + answered), torch.tensor([IGNORED] * len(asked) + answered)


def log_probabilities(model, examples) -> torch.Tensor:
    """Log pi(response | prompt) of each example, (n,)."""
    tokens = pad_sequence([t for t, _ in examples], batch_first=True)
    labels = pad_sequence([at for _, at in examples], batch_first=True, padding_value=IGNORED)
    mask = pad_sequence([torch.ones_like(t) for t, _ in examples], batch_first=True)
    logits = model(input_ids=tokens, attention_mask=mask).logits[:, :-1].float()
    losses = cross_entropy(
        logits.transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none"
    )
    return -losses.sum(dim=1)


def main(name: str, path: str, steps: int = 20, batch: int = 16, beta: float = 0.1) -> list[float]:
    """Train a policy; the objective of each step."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(name)
    policy, reference = (AutoModelForCausalLM.from_pretrained(name).eval() for _ in range(2))
    pairs = read_preferences(path)
    rows = list(pairs.read("prompt", "response_a", "response_b"))
    labels = torch.from_numpy(pairs.labels).float()
    objective = Objective(labels={"kind": "smoothed", "flip_rate": 0.2})
    optimiser = torch.optim.AdamW(policy.parameters(), lr=1e-3)
    values = []
    for step in range(steps):
        chosen = torch.randperm(len(rows))[:batch]
        asked = [(to_text(rows[i][0]), rows[i][1:]) for i in chosen.tolist()]
        # All first responses, then all second ones.
        examples = [encoded(tokenizer, p, to_text(both[s])) for s in (0, 1) for p, both in asked]
        with torch.no_grad():
            of_reference = log_probabilities(reference, examples)
        rewards = beta * (log_probabilities(policy, examples) - of_reference)  # (2n,)
        first, second = rewards.chunk(2)
        loss = objective(first - second, Evidence(labels[chosen])).value
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
        print(f"step {step + 1}: {values[-1]:.4f}")
    return values


if __name__ == "__main__":
    main(*sys.argv[1:3])
