"""The objective in a bare PyTorch loop: your model gives margins, surefoot the loss.

python examples/bare_loop.py demo-full/train.jsonl
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from surefoot.data import read_preferences
from surefoot.data.text import to_text
from surefoot.objectives import Evidence, Objective, Units


def features(text: str, size: int = 512) -> torch.Tensor:
    """Counts of words by a hash, (size,): put your own model here."""
    counts = torch.zeros(size)
    for word in text.lower().split():
        counts[sum(word.encode()) % size] += 1
    return counts


def main(path: str, epochs: int = 20, batch: int = 64) -> float:
    """Train a linear reward model against the groups that it serves worst; its last value."""
    torch.manual_seed(0)
    pairs = read_preferences(path)
    read = pairs.read("response_a", "response_b")
    sides = torch.stack([torch.stack([features(to_text(one)) for one in row]) for row in read])
    names, group = np.unique([str(one) for one in pairs.strings("group")], return_inverse=True)
    label = torch.from_numpy(pairs.labels).float()

    objective = Objective(
        labels={"kind": "smoothed", "flip_rate": 0.2},
        risk={"kind": "cvar", "level": 0.3, "unit": "group"},
    )
    model = torch.nn.Linear(sides.shape[-1], 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
    for epoch in range(epochs):
        for rows in torch.randperm(len(label)).split(batch):
            rewards = model(sides[rows]).squeeze(-1)  # (n, 2)
            present, units = torch.from_numpy(group)[rows].unique(return_inverse=True)
            found = objective(
                rewards[:, 0] - rewards[:, 1],
                Evidence(label[rows]),
                units=Units(units, len(present)),
            )
            optimiser.zero_grad()
            found.value.backward()
            optimiser.step()
        if epoch % 5 == 4:
            shares = zip(names[present.numpy()], found.unit_weights.tolist(), strict=True)
            weights = ", ".join(f"{name} {share:.2f}" for name, share in shares)
            print(f"epoch {epoch + 1}: {found.value.item():.3f}; weight by group: {weights}")
    return found.value.item()


if __name__ == "__main__":
    main(sys.argv[1])
