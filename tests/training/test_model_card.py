"""The model card's code loads the model, with and without surefoot."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from surefoot.training import train


@pytest.mark.parametrize("adapter", [None, {"rank": 2}])
@pytest.mark.parametrize("kind", ["policy", "reward-model"])
def test_the_card_s_code_runs(configure, policy, tmp_path, kind, adapter):
    run = train(configure({"kind": kind, "model": policy, "adapter": adapter}))
    card = (tmp_path / "run" / "README.md").read_text()
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata["library_name"] == ("peft" if adapter else "transformers")
    plain, rewards = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    scope: dict[str, Any] = {}
    for code in (plain, rewards):
        here = code.replace("path/to/this/folder", str(tmp_path / "run"))
        exec(here.replace('"pairs.jsonl"', repr(str(tmp_path / "pairs.jsonl"))), scope)
        if code == plain:
            found = {name for name, _ in scope["model"].named_parameters()}
            assert found == {name for name, _ in run.model.prepared.model.named_parameters()}
    assert scope["rewards"].shape == (24, 2)
