"""What we have on TRL's trainers: nothing under the mean, weights on advantage and KL otherwise."""

from __future__ import annotations

import hashlib
import inspect
import re

import pytest
import torch
import trl
from letters import Letters
from trl import GRPOTrainer, RLOOTrainer
from trl.trainer import utils

from surefoot.errors import ConfigurationError, DataError
from surefoot.online import trl_adapter
from surefoot.online.trl_adapter import TRL_VERSION, RobustGRPOTrainer, RobustRLOOTrainer

CVAR = {"kind": "cvar", "level": 0.4, "unit": "group"}


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
@pytest.mark.parametrize("risk", ["mean", {"kind": "mean", "unit": "group"}])
def test_the_mean_is_trl_to_the_bit(trainers, weights, algorithm, risk):
    ours, plain = trainers(algorithm, risk), trainers(algorithm, plain=True)
    assert type(plain) is (RLOOTrainer if algorithm == "rloo" else GRPOTrainer)
    assert torch.equal(weights(ours.model), weights(plain.model))
    kept = ("loss", "reward", "kl", "grad_norm", "completions/mean_length")
    for mine, theirs in zip(ours.state.log_history, plain.state.log_history, strict=True):
        for name in kept:
            assert mine.get(name) == theirs.get(name), name


def _one_batch(trainer):
    """The rows of one step, scored, as TRL hands them to the loss."""
    trainer.model.train()
    loader = iter(trainer.get_train_dataloader())
    trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
    return trainer._generate_and_score_completions(next(loader))


def _gradient(trainer, inputs):
    trainer.model.zero_grad()
    trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
    trainer._compute_loss(trainer.model, inputs).backward()
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


def _away(trainer):
    """Move the policy from its reference, so that the KL has a gradient."""
    torch.manual_seed(0)
    with torch.no_grad():
        for p in trainer.model.parameters():
            p.add_(0.02 * torch.randn_like(p))


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
def test_the_gradient_is_the_weighted_sum_of_each_prompts(trainers, algorithm):
    """Sum_g of weight times the gradient that TRL's own trainer has of the prompts of g alone."""
    ours = trainers(algorithm, CVAR, train=False)
    _away(ours)
    adversary = ours.progress.adversary
    adversary.update(torch.tensor([0, 1]), torch.tensor([2.0, -1.0]))
    inputs = _one_batch(ours)
    weights = inputs["prompt_weights"]
    assert len(weights.unique()) == 2
    found = _gradient(ours, inputs)

    plain = trainers(algorithm, plain=True, train=False)
    plain.model.load_state_dict(ours.model.state_dict())
    unweighted = {k: v for k, v in inputs.items() if k not in ("prompt_weights", "prompt_rows")}
    known = ours.progress.weights_of(inputs["prompt_rows"]).to(weights)
    assert torch.equal(known, weights)
    # TRL's own advantages: ours before they were weighed (the lowest weight here is above 0).
    assert float(weights.min()) > 0
    unweighted["advantages"] = inputs["advantages"] / weights
    expected = torch.zeros_like(found)
    for weight in weights.unique():
        some = dict(unweighted)
        inside = (weights == weight)[:, None]
        some["completion_mask"] = unweighted["completion_mask"] * inside
        some["advantages"] = unweighted["advantages"] * inside[:, 0]
        expected += weight * _gradient(plain, some)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    plainly = _gradient(plain, unweighted)
    assert float((found - plainly).norm()) > 0.05 * float(plainly.norm())


def test_rewards_that_are_not_finite_name_the_prompt(trainers):
    with pytest.raises(DataError, match=r"a response to the prompt 'question \d+ is .* is nan"):
        trainers(reward=Letters(broken=2))


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
def test_what_prompts_gained_is_taken_in(trainers, algorithm):
    """The running value after one step is what its rewards and KL say."""
    trainer = trainers(algorithm, CVAR, rate=1.0, max_steps=1, baseline=0.5)
    progress = trainer.progress
    (figures,) = progress.history
    logged = trainer.state.log_history[0]
    seen = progress.adversary.seen
    assert float(seen.sum()) == 4  # 16 responses, 4 to each prompt
    share = seen / seen.sum()
    mean = float((share * progress.adversary.gains).sum())
    assert mean == pytest.approx(logged["reward"] - 0.5 - 0.1 * figures["sequence_kl"], abs=1e-5)
    assert {"gain/rare", "weight/common", "worst_gain", "sequence_kl"} <= logged.keys()
    assert figures["sequence_kl"] == pytest.approx(0.0, abs=1e-6)  # before the first step


def test_kl_grows_and_stops_the_run(trainers):
    trainer = trainers(stop_kl=0.05, max_steps=50, learning_rate=3e-3)
    assert 1 < trainer.state.global_step < 50
    assert "above stop_kl (0.05)" in trainer.progress.stopped
    assert trainer.state.log_history[-2]["step"] == trainer.state.global_step


def test_a_watched_reward_stops_the_run(trainers):
    def against(prompts, completions, row):
        return [-float(text.count("e")) - 0.1 * len(text) for text in completions]

    trainer = trainers(watch=against, stop_drop=0.05, max_steps=60, learning_rate=3e-3)
    assert trainer.state.global_step < 60
    assert "the watched reward has fallen" in trainer.progress.stopped
    assert "watched_gain" in trainer.state.log_history[0]


@pytest.mark.parametrize(
    ("algorithm", "options", "words"),
    [
        ("rloo", {"num_iterations": 2}, "num_iterations is 1"),
        ("rloo", {"steps_per_generation": 4}, "steps_per_generation is"),
        ("grpo", {"loss_type": "grpo"}, "under loss_type 'dapo'; got 'grpo'"),
        ("grpo", {"importance_sampling_level": "sequence"}, "importance_sampling_level 'token'"),
    ],
)
def test_options_that_do_not_go_with_this(trainers, algorithm, options, words):
    with pytest.raises(ConfigurationError, match=words):
        trainers(algorithm, CVAR, train=False, **options)


def test_another_version_is_refused(trainers, monkeypatch):
    monkeypatch.setattr(trl, "__version__", "1.17.0")
    with pytest.raises(ConfigurationError, match=r"inside of TRL 1.16.0; installed is 1.17.0"):
        trainers(train=False)


#: Digests of the source of what is overridden or relied on.
DIGESTS = {
    "RLOOTrainer._generate_and_score_completions": "fa42cdc5c0ca",
    "RLOOTrainer._calculate_rewards": "859ffa4a4b4b",
    "RLOOTrainer._compute_loss": "1c8a01483ded",
    "RLOOTrainer._get_per_token_logps_and_entropies": "7c19f596bcc9",
    "RLOOTrainer._prepare_inputs": "a4a8ea07eafd",
    "RLOOTrainer._get_train_sampler": "199efb299e85",
    "RLOOTrainer._save_checkpoint": "9712e8fe85ef",
    "RLOOTrainer.create_model_card": "268be8bb5839",
    "GRPOTrainer._generate_and_score_completions": "da1dddd14cb0",
    "GRPOTrainer._calculate_rewards": "3f377bac0148",
    "GRPOTrainer._compute_loss": "85227d1b816e",
    "GRPOTrainer._get_per_token_logps_and_entropies": "7c19f596bcc9",
    "GRPOTrainer._prepare_inputs": "a4a8ea07eafd",
    "GRPOTrainer._get_train_sampler": "199efb299e85",
    "GRPOTrainer._save_checkpoint": "325c66b20256",
    "GRPOTrainer.create_model_card": "268be8bb5839",
    "shuffle_sequence_dict": "76bc56b95508",
    "split_tensor_dict": "be4a2a04a861",
    "RepeatSampler": "7f08257276da",
}


def _digest(of):
    """Without comments and blank lines."""
    lines = re.sub(r"^\s*#.*$", "", inspect.getsource(of), flags=re.MULTILINE).splitlines()
    return hashlib.blake2b("\n".join(filter(str.strip, lines)).encode(), digest_size=6).hexdigest()


def _relied_on():
    methods = (
        "_generate_and_score_completions", "_calculate_rewards", "_compute_loss",
        "_get_per_token_logps_and_entropies", "_prepare_inputs", "_get_train_sampler",
        "_save_checkpoint", "create_model_card",
    )  # fmt: skip
    for cls in (RLOOTrainer, GRPOTrainer):
        for name in methods:
            yield f"{cls.__name__}.{name}", getattr(cls, name)
    for name in ("shuffle_sequence_dict", "split_tensor_dict", "RepeatSampler"):
        yield name, getattr(utils, name)


def test_the_inside_of_trl_is_what_the_adapter_was_written_for():
    assert trl.__version__ == TRL_VERSION
    found = {name: _digest(of) for name, of in _relied_on()}
    assert found == DIGESTS, "TRL has moved: read what changed, then online/trl_adapter.py"


def test_nothing_is_patched():
    """Our classes are subclasses, and TRL's keep their own methods."""
    for ours, theirs in ((RobustRLOOTrainer, RLOOTrainer), (RobustGRPOTrainer, GRPOTrainer)):
        assert issubclass(ours, theirs)
        own = {name for name, _ in inspect.getmembers(theirs, inspect.isfunction)}
        for name in own:
            assert getattr(theirs, name).__module__ != trl_adapter.__name__
