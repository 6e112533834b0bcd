"""Language models on a device: what holds on a CPU in float32 holds there."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch
from language_models import gpt2, llama, llama_reward, pairs
from peft import LoraConfig

from surefoot.objectives import LabelModel, MarginLoss, Objective, Risk
from surefoot.paths import cache_folder
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.precision import noise_of, per_root_token
from surefoot.scorers.language.scores import log_probs

pytestmark = pytest.mark.filterwarnings("ignore")
CPU = torch.device("cpu")
_WIDE = {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 512}
_SLOW = {"learning_rate": 5e-7, "max_steps": 20, "per_device_train_batch_size": 6}

#: Each member of the margin losses, label models and risks once, with its first options.
MEMBERS = [
    *({"loss": {"kind": kind, **found[0][0]}} for kind, found in reference.MARGIN_LOSSES.items()),
    *(
        {"labels": {"kind": kind, **found[0][0]}}
        for kind, found in reference.LABEL_MODELS.items()
        if kind != "control-variate"  # which needs reference pairs
    ),
    *({"risk": {"kind": kind, **found[0][0]}} for kind, found in reference.RISKS.items()),
]


def _gradient(trainer):
    """Of one step over all pairs, on the CPU."""
    trainer.risk_state = trainer.pairs.risk_state(trainer.objective.risk)
    if trainer.reference is not None:
        trainer.pairs.reference = trainer.reference.log_probs(trainer.pairs.tokens)
    trainer.training_step(trainer.model, np.arange(len(trainer.pairs)))
    return torch.cat([p.grad.flatten().cpu() for p in trainer.model.parameters()])


def _relative(one, other):
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_a_step_is_that_of_the_cpu_in_float32(trainer, device, member):
    rows = pairs(12, source=["s", "t"], group=["g", "h", "i"], auxiliary=[0.3, 0.8])
    for i, row in enumerate(rows):  # some labels are soft: a ball around hard ones holds nothing
        row["label"] = abs(row["label"] - 0.2 * (i % 3))
    given = {"objective": Objective(**member), "train": False}
    sizes = {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 4}
    there = _gradient(trainer(llama(), rows, **given, **sizes))
    here = _gradient(trainer(llama(), rows, on=CPU, **given, per_device_train_batch_size=12))
    assert float(here.norm()) > 0
    assert _relative(there, here) < 1e-3


@pytest.mark.parametrize("reference_kind", ["cached", "live"])
@pytest.mark.parametrize("half", ["", "bf16", "given"])
def test_a_policy_that_is_its_reference_has_margins_of_nothing(trainer, half, reference_kind):
    rows = pairs(8, seed=5)
    for i, row in enumerate(rows):
        row["response_a"] = " ".join([row["response_a"]] * (1 + i % 5))
    model = llama(**_WIDE)
    found = trainer(
        model.to(torch.bfloat16) if half == "given" else model,
        rows,
        objective=Objective(risk={"kind": "cvar", "level": 0.25}),
        reference=reference_kind,
        bf16=half == "bf16",
        max_steps=1,
        per_device_train_batch_size=3,
        gradient_accumulation_steps=3,
    )
    (log,) = [one for one in found.state.log_history if "margin" in one]
    assert float(log["margin"]) == 0
    assert float(log["largest_weight"]) == pytest.approx(1 / 8)


@pytest.mark.parametrize("build", [llama, llama_reward], ids=["policy", "reward-model"])
def test_as_many_weights_move_from_a_checkpoint_in_bfloat16(trainer, build):
    shares = []
    for dtype in (torch.bfloat16, torch.float32):
        model = build().to(torch.bfloat16).to(dtype)
        before = [p.detach().double().clone() for p in model.parameters()]
        found = trainer(model, **_SLOW).model
        assert {p.dtype for p in found.parameters()} == {torch.float32}
        moved = [
            (p.detach().cpu().double() != b).flatten()
            for p, b in zip(found.parameters(), before, strict=True)
        ]
        shares.append(float(torch.cat(moved).double().mean()))
    assert shares[1] > 0.6
    assert shares[0] == pytest.approx(shares[1], abs=0.02)


def test_a_live_reference_under_trained_biases_is_the_model_as_given(trainer, device):
    def figures(model, trained):
        batch = trained.engine.batch(trained.pairs.tokens, np.arange(12))
        with torch.no_grad():
            return log_probs(model, batch).cpu()

    given = llama(attention_bias=True)
    trained = trainer(
        llama(attention_bias=True),
        peft_config=LoraConfig(target_modules=["q_proj"], bias="all"),
        reference="live",
        learning_rate=0.05,
    )
    expected = figures(given.to(device), trained)
    batch = trained.engine.batch(trained.pairs.tokens, np.arange(12))
    torch.testing.assert_close(trained.reference(batch).cpu(), expected, rtol=1e-5, atol=1e-3)
    assert float((figures(trained.model, trained) - expected).abs().max()) > 0.1


@pytest.mark.slow
def test_log_probabilities_over_152k_tokens_in_bfloat16(trainer, device):
    model = llama(vocab_size=152_000)
    rows = [row | {"response_a": row["response_a"] * 6} for row in pairs(4)]
    whole = trainer(model, rows, train=False, reference="live")
    half = trainer(model, rows, train=False, reference="live", bf16=True)
    found = []
    for one in (whole, half):
        with torch.no_grad(), one.engine.autocast():
            batch = one.engine.batch(one.pairs.tokens, np.arange(4))
            found.append(log_probs(one.model, batch).cpu())
    lengths = torch.from_numpy(whole.pairs.tokens.response_lengths)
    bound = noise_of(model, torch.bfloat16, device).most
    assert float(per_root_token(found[1] - found[0], lengths).max()) < 2 * bound


@pytest.mark.parametrize("build", [llama, gpt2])
def test_a_device_has_a_cache_of_its_own(trainer, monkeypatch, tmp_path, device, build):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    for on in {CPU, device}:
        one = trainer(build(), train=False, on=on)
        one.reference.log_probs(one.pairs.tokens)
    files = list(cache_folder("reference").glob("*.safetensors"))
    assert len(files) == len({CPU, device})


def test_rewards_are_as_many_as_texts_and_gradients_add_up_in_float32(trainer):
    rows, gradients = pairs(64, seed=2), []
    for size in (1, 64):
        found = trainer(
            llama_reward().to(torch.bfloat16),
            rows,
            train=False,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=64 // size,
        )
        gradients.append(_gradient(found))
    assert _relative(*gradients) < 5e-3
    batch = found.engine.batch(found.pairs.tokens, np.arange(64))
    with torch.no_grad(), found.engine.autocast():
        rewards = found.score.of_model(found.model.eval(), batch).flatten()
    assert len(rewards.unique()) > 124


@pytest.mark.parametrize("label", [{"kind": "smoothed", "flip_rate": 0.2}, {"kind": "observed"}])
def test_an_adapter_on_a_half_precision_base_goes_on_after_a_checkpoint(trainer, tmp_path, label):
    def run(steps, resume=None, **more):
        made = trainer(
            llama().to(torch.bfloat16),
            train=False,
            peft_config=LoraConfig(target_modules="all-linear"),
            objective=Objective(labels=label),
            max_steps=6,
            lr_scheduler_type="constant",
            **more,
        )
        made.args.max_steps = steps
        made.train(resume_from_checkpoint=resume)
        kept = [p for p in made.model.parameters() if p.requires_grad]
        assert {p.dtype for p in kept} == {torch.float32}
        return torch.cat([p.detach().cpu().flatten() for p in kept])

    whole = run(6, save_strategy="steps", save_steps=3)
    again = run(6, str(tmp_path / "run" / "checkpoint-3"))
    torch.testing.assert_close(again, whole, rtol=0, atol=1e-6)


def test_the_engine_knows_its_device(trainer, device):
    found = trainer(train=False).engine
    assert isinstance(found, Engine)
    assert found.device.type == device.type


def test_all_members_are_tried():
    tried = {next(iter(one)): set() for one in MEMBERS}
    for one in MEMBERS:
        ((slot, options),) = one.items()
        tried[slot].add(options["kind"])
    labels = set(LabelModel.registry) - {"control-variate"}
    losses, risks = set(MarginLoss.registry), set(Risk.registry)
    assert tried == {"loss": losses, "labels": labels, "risk": risks}
