"""What goes wrong silently elsewhere does not happen here."""

from __future__ import annotations

import re
import socket
import warnings

import numpy as np
import pytest
import torch
from language_models import byte_tokenizer, llama, llama_reward, pairs
from peft import LoraConfig, PeftModel, get_peft_model

from surefoot.errors import ConfigurationError, DataError, SurefootError
from surefoot.objectives import Objective
from surefoot.training.language.preference_config import _REFUSED, PreferenceConfig

pytestmark = pytest.mark.filterwarnings("ignore")
LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}


def _first(trainer):
    return trainer.state.log_history[0]


def _config(**options):
    return PreferenceConfig(output_dir="run", **options)


@pytest.mark.parametrize("kind", ["smoothed", "flip-corrected"])
@pytest.mark.parametrize("rate", [0.5, 0.7, -0.1])
def test_flip_rates_without_information_are_refused(kind, rate):
    with pytest.raises(ValueError, match=r"flip_rate"):
        Objective(labels={"kind": kind, "flip_rate": rate})


@pytest.mark.parametrize("beta", [-0.1, 0, float("nan"), float("inf"), "0.1", True])
def test_beta_is_a_positive_number(beta):
    with pytest.raises(ConfigurationError, match="beta is a positive number"):
        _config(beta=beta)


@pytest.mark.parametrize(("name", "value"), [("max_length", 0.5), ("max_tokens", -3)])
def test_lengths_are_whole_numbers(name, value):
    with pytest.raises(ConfigurationError, match=f"{name} is a positive whole number"):
        _config(**{name: value})


#: A value of each option of transformers that cannot be honoured.
REFUSED = {
    "auto_find_batch_size": True,
    "label_smoothing_factor": 0.1,
    "neftune_noise_alpha": 5.0,
    "torch_compile": True,
    "logging_nan_inf_filter": True,
    "dataloader_drop_last": True,
    "train_sampling_strategy": "group_by_length",
    "use_liger_kernel": True,
    "average_tokens_across_devices": False,
    "dataloader_num_workers": 2,
    "deepspeed": {"zero_optimization": {"stage": 2}},
    "torch_compile_mode": "default",
    "torch_compile_backend": "inductor",
    "fsdp": "full_shard",
    "parallelism_config": object(),
    "use_cache": True,
    "torch_empty_cache_steps": 10,
    "bf16_full_eval": True,
    "fp16_full_eval": True,
    "eval_accumulation_steps": 2,
    "batch_eval_metrics": True,
    "include_num_input_tokens_seen": True,
}


@pytest.mark.parametrize(("option", "wanted", "why"), _REFUSED)
def test_what_cannot_be_honoured_is_refused(option, wanted, why):
    with pytest.raises(ConfigurationError, match=rf"^{option}=.*is refused: {re.escape(why)}"):
        _config(**{option: REFUSED[option]})
    for value in wanted:
        _config(**{option: value})


@pytest.mark.parametrize(("option", "value"), [("reference", "precomputed"), ("scorer", "reward")])
def test_an_option_of_ours_with_a_wrong_value(option, value):
    with pytest.raises(ConfigurationError, match=option):
        _config(**{option: value})


def test_a_misspelt_argument_is_an_error():
    with pytest.raises(TypeError, match="leaning_rate"):
        _config(leaning_rate=1e-4)


def test_defaults_work_on_a_cpu(tmp_path):
    config = PreferenceConfig(output_dir=str(tmp_path), use_cpu=True)
    assert not config.bf16
    assert not config.logging_nan_inf_filter
    assert config.report_to == []


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared"])
def test_smoothed_labels_change_the_loss_curve(trained, loss):
    curves = [
        [
            row["loss"]
            for row in trained(objective={"loss": loss, "labels": labels}).state.log_history[:-1]
        ]
        for labels in ("observed", {"kind": "smoothed", "flip_rate": 0.3})
    ]
    assert curves[0][1:] != pytest.approx(curves[1][1:], rel=1e-3)


@pytest.mark.parametrize("reference", ["cached", "live"])
@pytest.mark.parametrize("adapter", [False, True])
def test_the_reference_is_the_policy_as_given(trained, tmp_path, weights, reference, adapter):
    """Edited in memory after loading: the folder that it came from plays no part."""
    llama(seed=0).save_pretrained(tmp_path / "model")
    model = type(llama()).from_pretrained(tmp_path / "model")
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
    trainer = trained(
        model,
        reference=reference,
        per_device_train_batch_size=12,
        peft_config=LoraConfig(**LORA) if adapter else None,
    )
    assert abs(_first(trainer)["margin"]) < 1e-6
    assert abs(_first(trainer)["chosen_change"]) < 1e-5
    assert abs(trainer.evaluate(trainer.pairs)["eval_margin"]) > 1e-4


@pytest.mark.parametrize("reference", ["cached", "live"])
@pytest.mark.parametrize("start", [True, False, "pissa"])
def test_a_new_adapter_refers_to_the_model_below_it(trained, reference, start):
    """Also where it begins with a part of the weights, which it takes out of the model."""
    plain = trained(reference=reference, train=False).pairs
    adapter = LoraConfig(**LORA, init_lora_weights=start)
    trainer = trained(peft_config=adapter, reference=reference, learning_rate=1e-9)
    expected = trained(train=False).reference.log_probs(plain.tokens)
    row = _first(trainer)
    if start is False:  # an adapter that says something from the start
        assert abs(row["chosen_change"]) > 1e-3
    else:
        assert abs(row["chosen_change"]) < 1e-3
    if reference == "cached":
        torch.testing.assert_close(trainer.pairs.reference, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("reference", ["cached", "live"])
def test_an_adapter_that_is_given_is_part_of_the_reference(trained, reference):
    model = get_peft_model(llama(), LoraConfig(**LORA, init_lora_weights=False))
    trainer = trained(model, reference=reference, per_device_train_batch_size=12)
    assert isinstance(trainer.model, PeftModel)
    assert abs(_first(trainer)["margin"]) < 1e-6
    assert abs(trainer.evaluate(trainer.pairs)["eval_margin"]) > 1e-4


def test_an_adapter_on_an_adapter_is_refused(trained):
    model = get_peft_model(llama(), LoraConfig(**LORA))
    with pytest.raises(ConfigurationError, match="adapter already"):
        trained(model, peft_config=LoraConfig(**LORA))


def test_pairs_that_truncation_makes_identical_are_left_out_and_counted(trained):
    rows = pairs(5)
    for row in rows[:3]:
        row |= {"response_a": "yes " * 40 + "good", "response_b": "yes " * 40 + "bad"}
    with pytest.warns(UserWarning, match="3 of 5 pairs have two responses of the same"):
        trainer = trained(data=rows, max_length=32, train=False)
    assert len(trainer.pairs) == 2
    assert {trainer.pairs.place(i).split("row ")[1] for i in range(2)} == {"4", "5"}
    with pytest.raises(DataError, match=r"no pair is left.*3 of 3"):
        trained(data=rows[:3], max_length=32)
    with pytest.raises(DataError, match="no pair is left that has a weight"):  # no objective either
        trained(eval_data=[row | {"weight": 0.0} for row in pairs(3)], train=False)


def test_identical_pairs_are_evaluated(trained):
    rows = pairs(4)
    rows[0]["response_b"] = rows[0]["response_a"]
    trainer = trained(eval_data=rows, train=False)
    assert len(trainer.eval_pairs[""]) == 4
    assert any("count as ties" in note for note in trainer.eval_pairs[""].notes)


def test_pairs_without_weight_are_left_out(trained):
    """One pair to a step: a step without weight would have no mean."""
    trainer = trained(data=pairs(6, weight=[1.0, 0.0]), per_device_train_batch_size=1)
    assert len(trainer.pairs) == 3
    assert any("3 pairs have weight 0" in note for note in trainer.pairs.notes)


def test_ties_count_half(trained):
    """At the first step the policy is the reference."""
    row = _first(trained(per_device_train_batch_size=12, reference="live"))
    assert row["accuracy"] == 0.5
    assert row["margin"] == 0
    assert row["loss"] == pytest.approx(np.log(2), abs=1e-4)


def test_nothing_calls_home(trained, monkeypatch):
    class NoNetwork(socket.socket):
        def connect(self, address):
            raise AssertionError(f"connects to {address}")

    def resolve(*args, **_):
        raise AssertionError(f"looks up {args}")

    monkeypatch.setattr(socket, "socket", NoNetwork)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    trained(save_strategy="steps", save_steps=2)


def test_the_seed_draws_the_head_and_the_adapter(trained, weights):
    """Whatever was drawn before in this process."""
    ends = []
    for before, seed in ((1, 0), (2, 0), (2, 1)):
        model = llama()
        torch.manual_seed(before)
        ends.append(weights(trained(model, peft_config=LoraConfig(**LORA), seed=seed).model))
    assert torch.equal(*ends[:2])
    assert not torch.equal(*ends[1:])


def test_models_that_are_neither_kind_are_refused(trained):
    with pytest.raises(ConfigurationError, match=r"one label; this .* has 2"):
        trained(llama_reward(num_labels=2))
    with pytest.raises(ConfigurationError, match="neither a policy"):
        trained(llama().model)
    with pytest.raises(ConfigurationError, match="the model given is a policy"):
        trained(scorer="reward-model")


@pytest.mark.parametrize("objective", [{}, {"risk": "cvar"}])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_stops_the_run(trained, weights, objective, value):
    trainer = trained(objective=objective, train=False)
    before, of_model = weights(trainer.model).clone(), trainer.score.of_model
    batch = trainer.engine.batch(trainer.pairs.tokens, np.array([7]))
    text = batch.input_ids[0, : int((batch.branches[0] >= 0).sum())]

    def broken(model, batch):
        hit = (batch.input_ids[:, : len(text)] == text[: batch.input_ids.shape[1]]).all(1)
        return torch.where(hit[:, None], value, of_model(model, batch))

    object.__setattr__(trainer.score, "of_model", broken)
    trainer.pairs.reference = torch.zeros(12, 2)
    with pytest.raises(SurefootError, match=r"step \d: .*1 of 4 pairs .*\(train_dataset, row 8\)"):
        trainer.train()
    assert weights(trainer.model).isfinite().all()
    moved = not torch.equal(weights(trainer.model), before)
    assert moved == (trainer.state.global_step > 0)


@pytest.mark.parametrize("objective", [{}, {"risk": "cvar"}])
def test_a_gradient_that_is_not_finite_stops_the_run(trained, weights, objective):
    """With finite losses: caught before the weights change."""
    model = llama()
    before = weights(model).clone()
    model.lm_head.weight.register_hook(lambda g: g * float("nan"))
    with pytest.raises(SurefootError, match="step 1: the norm of the gradient is nan"):
        trained(model, objective=objective)
    assert torch.equal(weights(model), before)


def test_a_tokenizer_without_padding_will_do_for_a_policy(trained):
    assert trained(tokenizer=byte_tokenizer(pad=None)).state.global_step == 3


@pytest.mark.parametrize(
    ("loss", "beta", "scores", "warned"),
    [
        ("squared", 0.1, "token sums", True),
        ("squared", 1.0, "token sums", False),
        ("squared", 0.1, "rewards", False),
        ("logistic", 0.1, "token sums", False),
    ],
)
def test_a_loss_with_a_strength_of_its_own_is_no_place_for_beta(loss, beta, scores, warned):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        _config(beta=beta, use_cpu=True).check(Objective(loss=loss), scores, None)
    said = "set beta=1 and its strength by the loss's tau"
    assert any(said in str(one.message) for one in told) == warned
