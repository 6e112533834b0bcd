"""DRPO's credits: their gradient is that of the objective, by exact enumeration."""

from __future__ import annotations

import itertools

import pytest
import torch

from surefoot.objectives.doubly_robust import credits

#: Responses to the one prompt.
COUNT = 3


def _world(seed):
    """Logits of policy and reference, truth and auxiliary model (antisymmetric), all at random."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def skew():
        raw = draw(COUNT, COUNT)
        return torch.sigmoid(raw - raw.T)

    return draw(COUNT).requires_grad_(), draw(COUNT), skew(), skew()


def _value_less_kl(logits, reference, truth, beta):
    log_pi, log_ref = logits.log_softmax(0), reference.log_softmax(0)
    kl = (log_pi.exp() * (log_pi - log_ref)).sum()
    return log_pi.exp() @ truth @ log_ref.exp() - beta * kl


def _expected(logits, reference, drawn_from, truth, auxiliary, beta, clip=None, samples=2):
    """E[sum of credit x log pi] over records and samples: its gradient is what is followed."""
    log_pi, log_ref = logits.log_softmax(0), reference.log_softmax(0)
    data, pi = drawn_from.softmax(0), log_pi.detach().exp()
    total = logits.new_zeros(())
    value = logits.new_zeros(())
    for y1, y2 in itertools.product(range(COUNT), repeat=2):
        for z in (0.0, 1.0):
            p = data[y1] * data[y2] * (truth[y1, y2] if z else 1 - truth[y1, y2])
            for stars in itertools.product(range(COUNT), repeat=samples):
                weight = p * torch.stack([pi[s] for s in stars]).prod()
                change = (log_pi - log_ref).detach()
                found = credits(
                    torch.tensor([z], dtype=torch.float64),
                    auxiliary[y1, y2][None],
                    torch.stack([auxiliary[s, [y1, y2]] for s in stars])[None],
                    change[[y1, y2]][None],
                    change[list(stars)][None],
                    beta,
                    clip,
                )
                total = total + weight * (
                    (found.data[0] * log_pi[[y1, y2]]).sum()
                    + (found.samples[0] * log_pi[list(stars)]).sum()
                )
                value = value + weight * (found.direct + found.correction - beta * found.kl)[0]
    (gradient,) = torch.autograd.grad(total, logits)
    return gradient, float(value)


@pytest.mark.parametrize("right", ["auxiliary", "reference", "both", "neither"])
def test_either_model_right_gives_the_gradient_of_the_true_value(right):
    logits, reference, truth, wrong = _world(0)
    auxiliary = truth if right in ("auxiliary", "both") else wrong
    elsewhere = _world(7)[1]
    drawn_from = reference if right in ("reference", "both") else elsewhere
    beta = 0.3
    aim = _value_less_kl(logits, reference, truth, beta)
    if right == "auxiliary":  # the other side of each comparison is what wrote the data
        log_pi = logits.log_softmax(0)
        kl = (log_pi.exp() * (log_pi - reference.log_softmax(0))).sum()
        aim = log_pi.exp() @ truth @ elsewhere.softmax(0) - beta * kl
    (exact,) = torch.autograd.grad(aim, logits)
    found, value = _expected(logits, reference, drawn_from, truth, auxiliary, beta)
    if right == "neither":
        assert not torch.allclose(found, exact, atol=1e-2)
    else:
        assert torch.allclose(found, exact, atol=1e-12)
        assert value == pytest.approx(float(aim.detach()), abs=1e-12)


def test_more_samples_are_as_unbiased():
    logits, reference, truth, wrong = _world(1)
    (exact,) = torch.autograd.grad(_value_less_kl(logits, reference, truth, 0.1), logits)
    found, _ = _expected(logits, reference, reference, truth, wrong, 0.1, samples=3)
    assert torch.allclose(found, exact, atol=1e-12)


def test_clipping_leaves_ratios_of_one_alone_and_bounds_the_others():
    _, _, truth, wrong = _world(2)
    reference = torch.zeros(COUNT, dtype=torch.float64)
    at_reference = reference.clone().requires_grad_()
    clipped, _ = _expected(at_reference, reference, reference, truth, wrong, 0.1, (0.5, 2.0))
    free, _ = _expected(at_reference, reference, reference, truth, wrong, 0.1)
    assert torch.equal(clipped, free)
    far = torch.tensor([[3.0, -3.0]], dtype=torch.float64)
    half = torch.full((1,), 0.5, dtype=torch.float64)
    none = torch.zeros(1, 2, dtype=torch.float64)
    found = credits(
        half + 0.5, half, none.unsqueeze(-1) + none.unsqueeze(1), far, none, 0.1, (0.5, 2.0)
    )
    assert found.data.tolist() == [[0.5, -0.125]]


def test_swapping_a_record_changes_nothing():
    generator = torch.Generator().manual_seed(3)
    n, k = 5, 4
    z, g = torch.rand(2, n, generator=generator, dtype=torch.float64)
    sampled = torch.rand(n, k, 2, generator=generator, dtype=torch.float64)
    data, own = torch.randn(n, 2, generator=generator), torch.randn(n, k, generator=generator)
    one = credits(z, g, sampled, data.double(), own.double(), 0.1, (0.04, 2.5))
    other = credits(
        1 - z, 1 - g, sampled.flip(2), data.double().flip(1), own.double(), 0.1, (0.04, 2.5)
    )
    assert torch.allclose(one.data, other.data.flip(1), atol=1e-15)
    assert torch.allclose(one.samples, other.samples, atol=1e-15)
    assert torch.allclose(one.correction, other.correction, atol=1e-15)


def test_an_indifferent_auxiliary_model_and_the_reference_itself_give_one_half():
    half = torch.full((3,), 0.5, dtype=torch.float64)
    zero = torch.zeros(3, 2, dtype=torch.float64)
    found = credits(
        torch.tensor([0.0, 1.0, 1.0]).double(), half, half.new_full((3, 2, 2), 0.5), zero, zero, 1.0
    )
    assert (found.direct + found.correction).tolist() == [0.5, 0.5, 0.5]
    assert not found.samples.any()


def test_samples_that_are_judged_alike_have_no_credit_and_one_has_nothing_to_be_compared_with():
    same = torch.full((1, 4, 2), 0.7, dtype=torch.float64)
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64)
    found = credits(one, one, same, zero[:, :2], zero, 0.1)
    assert found.samples.abs().max() < 1e-15
    with pytest.raises(ValueError, match="at least two samples of each prompt are needed; got 1"):
        credits(one, one, same[:, :1], zero[:, :2], zero[:, :1], 0.1)


def test_a_ratio_beyond_numbers_stays_finite():
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64)
    far = torch.tensor([[2000.0, -2000.0]], dtype=torch.float64)
    found = credits(one, 0 * one, zero[..., None] + zero[:, None], far, zero, 0.1)
    assert found.data.isfinite().all()
