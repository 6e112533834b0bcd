"""The reference's log-probabilities: computed once, from the policy as given, kept on disk."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from language_models import CHAT, byte_tokenizer, llama, pairs
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from surefoot.data import Preferences
from surefoot.data.rendering.token_pairs import tokenise
from surefoot.errors import SurefootError
from surefoot.paths import cache_folder
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.reference import ReferencePolicy, weights_key

LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))


class Counted:
    """A policy, and how often it was run."""

    def __init__(self, model, **engine):
        self.model, self.runs = model, 0
        self.engine = Engine(torch.device("cpu"), 2, 4, **engine)
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        inner.register_forward_hook(self._count)

    def _count(self, *_):
        self.runs += 1

    def reference(self, live=False, **options):
        return ReferencePolicy.of(self.model, self.engine, live, **options)


def _tokens(n=6, max_length=40, chat=None, **columns):
    rows = pairs(n, **columns)
    if chat:
        for row in rows:
            row["prompt"] = [{"role": "user", "content": row["prompt"]}]
            for side in ("response_a", "response_b"):
                row[side] = [{"role": "assistant", "content": row[side]}]
    return tokenise(Preferences.from_rows(rows), byte_tokenizer(chat), max_length)


def _files():
    return sorted(cache_folder("reference").glob("*.safetensors"))


def test_a_second_reader_runs_no_model():
    first, second = Counted(llama()), Counted(llama())
    values = first.reference().log_probs(_tokens())
    assert first.runs > 0
    assert torch.equal(second.reference().log_probs(_tokens()), values)
    assert second.runs == 0
    assert [p.suffix for p in cache_folder("reference").iterdir()] == [".safetensors"]


@pytest.mark.parametrize(
    "other",
    [
        lambda: (llama(seed=1), _tokens(), {}),
        lambda: (llama(), _tokens(5), {}),
        lambda: (llama(), _tokens(seed=1), {}),
        lambda: (llama(), _tokens(max_length=16), {}),
        lambda: (llama(), _tokens(chat=CHAT), {}),
        lambda: (llama(), _tokens().select(np.array([1, 0, 2, 3, 4, 5])), {}),
        lambda: (llama(), _tokens(), {"precision": torch.bfloat16}),
        lambda: (llama().to(torch.bfloat16), _tokens(), {}),
        lambda: (llama(rope_parameters={"rope_type": "default", "rope_theta": 5.0}), _tokens(), {}),
        lambda: (llama(attn_implementation="eager"), _tokens(), {}),
    ],
    ids=[
        *("weights", "rows", "texts", "cut", "template", "order", "precision", "dtype", "config"),
        "attention",
    ],
)
def test_anything_that_matters_makes_another_file(other):
    Counted(llama()).reference().log_probs(_tokens())
    model, tokens, engine = other()
    again = Counted(model, **engine)
    again.reference().log_probs(tokens)
    assert again.runs > 0
    assert len(_files()) == 2


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("surefoot.scorers.language.precision.device_name", lambda device: "another GPU"),
        ("surefoot.scorers.language.precision.matmul_precision", lambda device: "tf32"),
        ("torch.__version__", "2.99.0"),
    ],
)
def test_so_does_another_machine(monkeypatch, place, value):
    """Eager attention against the fused one, or one GPU against another: up to .5 nats apart."""
    Counted(llama()).reference().log_probs(_tokens())
    monkeypatch.setattr(place, value)
    again = Counted(llama())
    again.reference().log_probs(_tokens())
    assert again.runs > 0
    assert len(_files()) == 2


def test_a_file_says_how_it_was_computed():
    Counted(llama()).reference().log_probs(_tokens())
    with safe_open(_files()[0], "pt") as file:
        how = file.metadata()
        assert file.get_tensor("log_probs").dtype is torch.float64
    assert how["attention"] == "sdpa"
    assert how["precision"] == "as-is"
    assert how["device"].startswith("cpu ")
    assert how["torch"] == torch.__version__


def test_one_weight_is_enough():
    model = llama()
    before = weights_key(model)
    with torch.no_grad():
        model.model.norm.weight[0] += 1e-6
    assert weights_key(model) != before


@pytest.mark.parametrize("damage", ["cut", "emptied", "shortened", "renamed"])
def test_a_damaged_file_is_computed_again(damage):
    values = Counted(llama()).reference().log_probs(_tokens())
    (path,) = _files()
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    elif damage == "emptied":
        path.write_bytes(b"")
    else:
        table = load_file(path)["log_probs"].clone()
        save_file({"log_probs": table[:3]} if damage == "shortened" else {"else": table}, path)
    again = Counted(llama())
    assert torch.equal(again.reference().log_probs(_tokens()), values)
    assert again.runs > 0
    assert torch.equal(load_file(path)["log_probs"], values)


@pytest.mark.parametrize("live", [False, True])
def test_an_adapter_that_is_off_is_its_base(live):
    tokens = _tokens()
    plain = Counted(llama()).reference()
    values = plain.log_probs(tokens)
    adapted = Counted(get_peft_model(llama(), LoraConfig(**LORA, init_lora_weights=False)))
    reference = adapted.reference(live)
    assert reference.key == plain.key  # so that both share one file
    adapted.runs = 0  # a live one has looked whether the base stays as it is
    assert torch.equal(reference.log_probs(tokens), values)
    assert adapted.runs == 0
    batch = adapted.engine.batch(tokens, np.arange(6))
    torch.testing.assert_close(reference(batch), values, rtol=1e-5, atol=1e-5)
    assert adapted.runs > 0


def test_an_adapter_that_is_part_of_it_is_on():
    tokens = _tokens()
    model = get_peft_model(llama(), LoraConfig(**LORA, init_lora_weights=False))
    on = Counted(model).reference(with_adapter=True)
    off = Counted(model).reference()
    assert on.key != off.key
    assert (on.log_probs(tokens) - off.log_probs(tokens)).abs().min() > 1e-4
    merged = Counted(model.merge_and_unload()).reference().log_probs(tokens)
    torch.testing.assert_close(on.log_probs(tokens), merged, rtol=1e-4, atol=1e-4)


def test_live_equals_cached_after_the_policy_has_moved():
    tokens, policy = _tokens(), Counted(llama())
    cached = policy.reference().log_probs(tokens)
    live = policy.reference(live=True)
    with torch.no_grad():
        policy.model.lm_head.weight += 1
    torch.testing.assert_close(
        live(policy.engine.batch(tokens, np.arange(6))), cached, rtol=1e-5, atol=1e-5
    )
    assert not any(p.requires_grad for p in live.model.parameters())


def test_a_policy_that_was_trained_has_no_reference_for_new_data():
    policy = Counted(llama())
    reference = policy.reference()
    known = reference.log_probs(_tokens())
    with torch.no_grad():
        policy.model.lm_head.weight += 1
    assert torch.equal(reference.log_probs(_tokens()), known)
    with pytest.raises(SurefootError, match="its reference is gone"):
        reference.log_probs(_tokens(5))


def test_under_an_adapter_it_is_still_there():
    model = get_peft_model(llama(), LoraConfig(**LORA))
    reference = Counted(model).reference()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p += 1
    expected = Counted(llama()).reference().log_probs(_tokens(5))
    torch.testing.assert_close(reference.log_probs(_tokens(5)), expected)


def test_a_figure_that_is_not_finite_is_an_error():
    model = llama()
    with torch.no_grad():
        model.lm_head.weight[:] = float("nan")
    with pytest.raises(SurefootError, match="pair 0 is not finite"):
        Counted(model).reference().log_probs(_tokens())
    assert _files() == []


def test_a_frozen_copy_does_not_call_the_policy_that_another_trainer_wrapped():
    """As Accelerate does in mixed precision, and TRL's trainers with it."""
    model, tokens = llama(), _tokens()
    plain = model.forward
    model.forward = lambda *given, **named: plain(*given, **named)
    engine = Engine(torch.device("cpu"), 2, 4)
    reference = ReferencePolicy.of(model, engine, live=True)
    batch = engine.batch(tokens, np.arange(3))
    before = reference(batch)
    with torch.no_grad():
        next(model.parameters()).mul_(0.5)
    assert torch.equal(reference(batch), before)
