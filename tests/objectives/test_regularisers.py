"""Every penalty per pair: finite, differentiable, blind to which response comes first."""

from __future__ import annotations

import pytest
import torch

from surefoot.objectives import Objective, Outputs, PairPenalty, Regulariser

KINDS = sorted(kind for kind, cls in Regulariser.registry.items() if issubclass(cls, PairPenalty))


def _outputs(n: int = 6, scale: float = 3.0) -> tuple[Outputs, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    scores = scale * torch.randn(n, 2, generator=generator, dtype=torch.float64)
    log_probs = -scale * torch.rand(n, 2, generator=generator, dtype=torch.float64)
    lengths = torch.randint(1, 9, (n, 2), generator=generator).double()
    label = torch.tensor([1.0, 0.0, 0.5, 0.8, 1.0, 0.0], dtype=torch.float64)[:n]
    return Outputs(scores, log_probs, lengths), label


@pytest.mark.parametrize("kind", KINDS)
class TestConformance:
    def test_one_finite_number_a_pair(self, kind):
        for scale in (0.0, 1.0, 1e4):
            outputs, label = _outputs(scale=scale)
            found = Regulariser.parse({"kind": kind, "weight": 1})(outputs, label)
            assert found.shape == (6,)
            assert found.isfinite().all()

    def test_gradient(self, kind):
        regulariser = Regulariser.parse({"kind": kind, "weight": 1})
        outputs, label = _outputs()

        def penalties(scores, log_probs):
            return regulariser(Outputs(scores, log_probs, outputs.lengths), label)

        inputs = (outputs.scores.requires_grad_(), outputs.log_probs.requires_grad_())
        assert torch.autograd.gradcheck(penalties, inputs)

    def test_exchanging_the_responses_changes_nothing(self, kind):
        regulariser = Regulariser.parse({"kind": kind, "weight": 1})
        outputs, label = _outputs()
        swapped = Outputs(
            outputs.scores.flip(1), outputs.log_probs.flip(1), outputs.lengths.flip(1)
        )
        torch.testing.assert_close(regulariser(outputs, label), regulariser(swapped, 1 - label))

    def test_weights_add_up(self, kind):
        outputs, label = _outputs()
        one = Objective(regularisers=[{"kind": kind, "weight": 0.3}])
        two = Objective(regularisers=[{"kind": kind, "weight": 0.1}] * 3)
        torch.testing.assert_close(
            one.penalties(outputs, label), two.penalties(outputs, label), rtol=1e-6, atol=0
        )
        assert kind in one.describe()


def test_what_is_no_mean_over_pairs_has_no_part_in_the_penalties_of_pairs():
    outputs, label = _outputs()
    found = Objective(regularisers=[{"kind": "wasserstein", "radius": 2.0}])
    assert (found.penalties(outputs, label) == 0).all()
    assert set(Regulariser.registry) - set(KINDS) == {"wasserstein"}


def test_without_regularisers_there_is_no_penalty():
    outputs, label = _outputs()
    assert (Objective().penalties(outputs, label) == 0).all()
    assert "+" not in Objective().describe()


def test_chosen_likelihood_by_hand():
    outputs = Outputs(
        torch.zeros(2, 2), torch.tensor([[-6.0, -8.0]] * 2), torch.tensor([[3, 2]] * 2)
    )
    found = Regulariser.parse({"kind": "chosen-likelihood", "weight": 1})(
        outputs, torch.tensor([1.0, 0.25])
    )
    assert found.tolist() == pytest.approx([2.0, 0.25 * 2.0 + 0.75 * 4.0])


def test_reward_centring_by_hand():
    outputs = Outputs(torch.tensor([[1.0, -1.0], [2.0, 1.0]]), None, torch.ones(2, 2))
    found = Regulariser.parse({"kind": "reward-centring", "weight": 1})(outputs, torch.ones(2))
    assert found.tolist() == [0.0, 9.0]
