"""The page on language models: what it tells to type works, and names every logged figure."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import encoders
import pytest
import torch
from encoders import save_causal
from surefoot_docs import texts

from surefoot.cli.app import app
from surefoot.objectives import Evidence, Objective, Outputs
from surefoot.training.language.monitors import Monitors
from surefoot.training.language.preference_config import _REFUSED
from surefoot.training.language.step import StepResult

PAGE = (Path(__file__).parents[2] / "docs" / "language-models.md").read_text()


def test_every_logged_figure_has_its_meaning():
    table = PAGE.partition("## What is logged")[2].partition("\n## ")[0]
    told = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    scores = torch.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=torch.float64)
    lengths = torch.tensor([[3.0, 2.0], [2.0, 5.0]])
    label = torch.tensor([1.0, 0.0], dtype=torch.float64)
    found = Objective()(scores[:, 0] - scores[:, 1], Evidence(label))
    monitors = Monitors()
    result = StepResult(
        float(found.value),
        found,
        torch.tensor([0.1, 0.2]),
        Outputs(scores, scores, lengths),
        gradient=0.5,
    )
    monitors.add(result, label, beta=0.1)
    assert set(monitors.take()) | {"loss"} == told


def test_refused_options_are_listed():
    text = texts()["refused-options"]
    assert all(f"- `{name}`: " in text for name, _, _ in _REFUSED)


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path, monkeypatch, rows):
    monkeypatch.chdir(tmp_path)
    for name in ("sft-model", "base-model"):
        save_causal(tmp_path / name)
        encoders._tokenizer("$A").save_pretrained(tmp_path / name)
    for seed, name in enumerate(("pairs", "test")):
        text = "".join(json.dumps(row) + "\n" for row in rows(60, seed))
        (tmp_path / f"{name}.jsonl").write_text(text)
    policy, reward = re.findall(r"<!-- run: [\w ]+ -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "policy.yaml").write_text(policy)
    (tmp_path / "reward.yaml").write_text(reward)
    commands, _fetching = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    run = 0
    for line in ["surefoot train reward.yaml", *commands.splitlines()]:
        words = shlex.split(line)
        if words[0] == "surefoot":
            app(args=words[1:], standalone_mode=False)
            run += 1
    assert run == 4
    assert (tmp_path / "report" / "report.html").is_file()
    assert (tmp_path / "runs" / "policy" / "adapter_model.safetensors").is_file()
    assert (tmp_path / "runs" / "reward" / "model.safetensors").is_file()
    script, merging = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(script, "language-models.md", "exec"), scope := {})
    assert scope["trainer"].state.global_step > 0
    exec(compile(merging, "language-models.md", "exec"), {})
    merged = ["--scorer.model", "merged", "--output", "runs/next"]
    app(args=["train", "policy.yaml", *merged], standalone_mode=False)
    assert (tmp_path / "runs" / "next" / "adapter_model.safetensors").is_file()
