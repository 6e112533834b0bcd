"""At step 1 a policy is its reference: margins of 0 and even weights, whatever rounding makes."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import reference
import torch
from language_models import gpt2, llama, pairs
from peft import LoraConfig

from benchmarks import rounding
from experiments.common import results
from surefoot.objectives import Risk
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.precision import noise_of, per_root_token
from surefoot.scorers.language.scores import log_probs
from surefoot.training.language.at_start import noise_at_start

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

#: 256 wide, four layers: where rounding showed.
_WIDE = {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 512}
RISKS = [
    {"kind": "cvar", "level": 0.25},
    {"kind": "kl", "radius": 0.5},
    {"kind": "kl-penalised", "temperature": 0.05},
    {"kind": "chi-squared", "radius": 1.0},
    {"kind": "tv", "radius": 0.3},
]
RISKS += [
    {"kind": kind, **settings[-1]}
    for kind, (settings, _) in reference.RISKS.items()
    if kind not in {one["kind"] for one in RISKS}
    and Risk.registry[kind].properties.direction == "against shift"
    and Risk.registry[kind]().unit == "pair"
]


def _long(n=8):
    """Pairs of some 30 to 220 tokens."""
    rows = pairs(n, seed=5)
    for i, row in enumerate(rows):
        for side in ("response_a", "response_b"):
            row[side] = " ".join([row[side]] * (1 + (i * 5) % 9))
    return rows


def _first_step(trained, model, risk, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*held in float32.*")
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        warnings.filterwarnings("ignore", message=".*in one optimiser step.*")
        trainer = trained(model, _long(), objective={"risk": risk}, max_steps=1, **options)
    (log,) = [one for one in trainer.state.log_history if "margin" in one]
    return trainer, log


@pytest.mark.parametrize("reference", ["cached", "live"])
@pytest.mark.parametrize("micro", [1, 3, 8])
@pytest.mark.parametrize("half", ["", "bf16", "given"])
def test_margins_are_nothing_and_weights_even(trained, half, micro, reference):
    model = llama(**_WIDE)
    if half == "given":
        model = model.to(torch.bfloat16)
    options = {"per_device_train_batch_size": micro, "gradient_accumulation_steps": -(-8 // micro)}
    options |= {"bf16": half == "bf16", "reference": reference, "max_length": 250}
    _, log = _first_step(trained, model, {"kind": "cvar", "level": 0.25}, **options)
    assert float(log["margin"]) == 0
    assert float(log["kl"]) == 0
    assert float(log["effective_pairs"]) == pytest.approx(8)
    assert float(log["largest_weight"]) == pytest.approx(1 / 8)


@pytest.mark.parametrize("risk", RISKS, ids=lambda risk: risk["kind"])
@pytest.mark.parametrize("bf16", [False, True])
def test_every_risk_is_even(trained, risk, bf16):
    options = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    _, log = _first_step(trained, llama(), risk, bf16=bf16, max_length=250, **options)
    assert float(log["largest_weight"]) == pytest.approx(1 / 8)


@pytest.mark.parametrize(
    "build", [llama, gpt2, lambda: llama(**_WIDE)], ids=["llama", "gpt2", "wide"]
)
@pytest.mark.parametrize("half", [False, True])
def test_what_a_few_pairs_show_covers_all_of_them(trained, build, half):
    """In batches of other shapes, none differs by more than what counts as no change."""
    model, rows = build(), np.arange(8)
    trainer = trained(model, _long(), train=False, bf16=half, max_length=250)
    engine, tokens = trainer.engine, trainer.pairs.tokens
    trainer.pairs.reference = trainer.reference.log_probs(tokens)
    noise = noise_at_start(trainer.model, trainer.reference, trainer.pairs, engine)
    bounds = noise_of(model, engine.precision, engine.device)
    assert bounds.least <= noise < bounds.most
    lengths = torch.from_numpy(tokens.response_lengths)

    def read(pairs_at_once):
        cut = Engine(engine.device, engine.pad_id, pairs_at_once, precision=engine.precision)
        return torch.from_numpy(over_rows(log_probs, model, tokens, rows, cut, ""))

    seen = [per_root_token(read(n) - trainer.pairs.reference, lengths).max() for n in (1, 2, 3, 5)]
    assert max(seen) < noise


def test_a_threshold_grows_with_the_root_of_the_length_and_with_the_precision(trained):
    whole, half = (trained(llama(), train=False, bf16=b).score for b in (False, True))
    assert half.noise > 100 * whole.noise
    for score in (whole, half):
        reference = torch.zeros(1, 2, dtype=torch.float64)
        for length in (4, 400):
            edge = score.noise * length**0.5
            lengths = torch.tensor([[length, length]])
            found = torch.tensor([[0.99 * edge, 1.01 * edge]], dtype=torch.float64)
            scores = score.of_log_probs(found, reference, lengths)
            assert scores[0, 0] == 0
            assert float(scores[0, 1]) == pytest.approx(score.beta * 1.01 * edge)


def test_log_probabilities_are_summed_in_float64():
    """A sum of 2,000 terms in float32 is off by more than what is a change."""
    model = llama(max_position_embeddings=4096)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 300, (2001,), generator=generator).tolist()
    batch = Engine(torch.device("cpu"), 2).batch(_One(ids), np.zeros(1, dtype=np.int64))
    with torch.no_grad():
        found = log_probs(model, batch)[0, 0]
        logits = model(input_ids=torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
    each = logits[torch.arange(2000), torch.tensor(ids[1:])]
    assert abs(float(found - each.double().sum())) < 1e-4
    step_by_step = torch.zeros(())
    for one in each:
        step_by_step += one
    assert abs(float(found - step_by_step)) > 1e-4


class _One:
    def __init__(self, ids):
        self.ids = ids

    def read(self, rows):
        del rows
        return [(self.ids[:1], self.ids[1:], self.ids[1:])]


@pytest.mark.parametrize("reference", ["cached", "live"])
def test_a_policy_that_is_not_its_reference_is_told(trained, reference):
    away = LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    told = r"the policy is not its reference: .* 0\.0001 at most.*init_lora_weights"
    with pytest.warns(UserWarning, match=told):
        trained(llama(), peft_config=away, max_steps=1, reference=reference)


@pytest.mark.parametrize("reference", ["cached", "live"])
def test_one_that_is_its_reference_is_not(trained, reference):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*not its reference.*")
        lora = LoraConfig(target_modules=["q_proj", "v_proj"])
        for half in (False, True):
            trained(llama(), peft_config=lora, max_steps=1, reference=reference, bf16=half)


def test_the_bounds_stand_on_what_was_measured():
    """By the committed figures, and by the quick version of the script that made them."""
    path = Path(__file__).parents[2] / "benchmarks" / "results" / "rounding.json"
    for one in [*results.read(path)["figures"], *rounding.main(["--quick"])]:
        passes = None if one["precision"] == "float32" else torch.bfloat16
        bounds = noise_of(torch.nn.Linear(1, 1), passes, torch.device("cpu"))
        assert one["largest"] < bounds.usual / 3 < bounds.most / 9


def test_matrices_in_fewer_digits_count_as_half_a_precision():
    on_a_gpu = torch.device("cuda")
    assert noise_of(llama(), None, on_a_gpu).most == 1e-4
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        assert noise_of(llama(), None, on_a_gpu).most == 0.1
    finally:
        torch.set_float32_matmul_precision(before)
