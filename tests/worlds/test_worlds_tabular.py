"""Tabular worlds: what they say of themselves is what slow sums and drawn data say."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import torch

from surefoot.errors import ConfigurationError, DataError
from surefoot.objectives import Evidence, MarginLoss, Objective, Units
from surefoot.scorers.head import Problem
from surefoot.scorers.heads.linear import Linear
from surefoot.worlds import TabularTruth, TabularWorld
from surefoot.worlds.linear_fits import LinearProblems, newton
from surefoot.worlds.tabular import bradley_terry, tilted
from surefoot.worlds.tabular_truth import noisy, useless

SMALL = {"prompts": 3, "responses": 4, "dimension": 2, "spread": 0.7}
INTRANSITIVE = TabularTruth(**SMALL, skew=2.0).world(1)


def _other_policy(world: TabularWorld, seed: int = 9) -> np.ndarray:
    logits = np.random.default_rng(seed).standard_normal(world.reference.shape)
    return tilted(world.reference, logits)


def _vrpo(coefficient: float, loss: str = "logistic") -> Objective:
    return Objective(loss=loss, labels={"kind": "control-variate", "coefficient": coefficient})


class TestTruths:
    def test_cycles(self):
        """Preferences cycle with a skew part and do not without."""

        def cycles(world: TabularWorld) -> int:
            g = world.preference
            return sum(
                min(g[x, a, b], g[x, b, c], g[x, c, a]) > 0.5
                for x in range(3)
                for a, b, c in permutations(range(4), 3)
            )

        assert cycles(INTRANSITIVE) > 0
        assert cycles(TabularTruth(**SMALL).world(1)) == 0

    @pytest.mark.parametrize("form", ["features", "free"])
    def test_the_skew_part_is_as_large_as_asked_for(self, form):
        world = TabularTruth(reward=0.0, skew=1.5, skew_form=form).world(2)
        logits = np.log(world.preference / world.preference.swapaxes(1, 2))
        assert np.sqrt(np.square(logits).mean()) == pytest.approx(1.5)

    def test_kinds_of_annotators_agree_as_asked_for(self):
        """The weights of opposite kinds are opposite: so are their preferences."""
        one, other = TabularTruth(kinds=2, agreement=-1.0).world(3).kinds
        np.testing.assert_allclose(one, 1 - other, atol=1e-12)
        same = TabularTruth(kinds=3, agreement=1.0).world(3).kinds
        np.testing.assert_allclose(same[0], same[2], atol=1e-12)

    def test_a_mixture_follows_no_bradley_terry_model(self):
        """Triples break the product rule of odds, which one kind alone obeys."""

        def worst(g: np.ndarray) -> float:
            z = np.log(g / g.swapaxes(1, 2))
            return float(np.abs(z[:, 0, 1] + z[:, 1, 2] + z[:, 2, 0]).max())

        world = TabularTruth(kinds=2, reward=3.0).world(4)
        assert worst(world.kinds[0]) < 1e-9
        assert worst(world.preference) > 0.1

    def test_an_agreement_that_cannot_be(self):
        with pytest.raises(ConfigurationError, match=r"3 kinds cannot all .* -0\.9.*-0\.50"):
            TabularTruth(kinds=3, agreement=-0.9)

    def test_auxiliary_models_are_antisymmetric(self):
        g = INTRANSITIVE.preference
        for auxiliary in (noisy(g, 1.0, seed=1), useless(g)):
            np.testing.assert_allclose(auxiliary + auxiliary.swapaxes(1, 2), 1, atol=1e-12)
        np.testing.assert_allclose(noisy(g, 0.0, seed=1), g, atol=1e-12)
        assert np.abs(noisy(g, 1.0, seed=1) - g).max() > 0.05


class TestPolicies:
    def test_total_preference_by_a_slow_sum(self):
        policy = _other_policy(INTRANSITIVE)
        slow = sum(
            policy[x, a] * INTRANSITIVE.reference[x, b] * INTRANSITIVE.preference[x, a, b] / 3
            for x, a, b in product(range(3), range(4), range(4))
        )
        assert INTRANSITIVE.total_preference(policy) == pytest.approx(slow, abs=1e-14)
        assert INTRANSITIVE.total_preference(INTRANSITIVE.reference) == pytest.approx(0.5)

    def test_regret_is_the_divergence_from_the_optimum(self):
        beta = 0.2
        policy, best = _other_policy(INTRANSITIVE), INTRANSITIVE.optimum(beta)
        slow = beta * (policy * np.log(policy / best)).sum(1).mean()
        assert INTRANSITIVE.regret(policy, beta) == pytest.approx(slow, rel=1e-9)
        assert INTRANSITIVE.regret(best, beta) == pytest.approx(0, abs=1e-12)

    def test_a_policy_without_a_response(self):
        one = np.eye(4)[[0, 1, 2]]
        expected = -np.log(INTRANSITIVE.reference[[0, 1, 2], [0, 1, 2]]).mean()
        assert INTRANSITIVE.kl(one) == pytest.approx(expected)


class TestData:
    def test_frequencies_are_the_enumerated_probabilities(self):
        world = TabularTruth(**SMALL, skew=2.0, kinds=2).world(5)
        behaviour = _other_policy(world)
        drawn = world.draw(200_000, seed=6, behaviour=behaviour)

        def table(pairs):
            cells = (pairs.prompts, pairs.kinds, *pairs.responses.T, pairs.labels.astype(int))
            found = np.zeros((3, 2, 4, 4, 2))
            np.add.at(found, cells, pairs.mass / pairs.mass.sum())
            return found

        exact = table(world.enumerated(behaviour))
        assert exact.sum() == pytest.approx(1)
        z = (table(drawn) - exact) / np.sqrt(exact * (1 - exact) / 200_000)
        assert np.abs(z).max() < 4.5  # of 192
        assert np.square(z).mean() == pytest.approx(1, abs=0.4)

    def test_references_come_from_the_sampler(self):
        world, sampler = INTRANSITIVE, _other_policy(INTRANSITIVE)
        drawn = world.draw(30_000, pairs=2, seed=7, sampler=sampler)
        assert drawn.pairs == 2
        for x in range(3):
            chosen = drawn.references[drawn.reference_prompts == x]
            shares = np.bincount(chosen.ravel(), minlength=4) / chosen.size
            np.testing.assert_allclose(shares, sampler[x], atol=0.012)

    def test_repetitions_are_in_the_second_dimension(self):
        drawn = INTRANSITIVE.draw(50, pairs=3, seed=8, repetitions=4)
        assert drawn.differences(INTRANSITIVE.features).shape == (200, 4, 2)
        evidence = drawn.evidence(INTRANSITIVE.preference)
        assert evidence.label.shape == (50, 4)
        a, b = drawn.references[:, 2].T
        said = INTRANSITIVE.preference[drawn.prompts[:, 2].repeat(3), a, b]
        np.testing.assert_array_equal(evidence.references.auxiliary[:, 2], said)
        assert evidence.references.independent.tolist() == [3.0] * 50
        assert len(np.unique(drawn.labels, axis=1).T) == 4

    def test_a_seed_is_a_data_set(self):
        first, same, other = (INTRANSITIVE.draw(50, pairs=1, seed=s) for s in (1, 1, 2))
        np.testing.assert_array_equal(first.references, same.references)
        assert not np.array_equal(first.responses, other.responses)


class TestObjectives:
    @pytest.mark.parametrize("loss", ["logistic", "ramp", "squared"])
    def test_expected_loss_by_a_slow_sum(self, loss):
        world, w = INTRANSITIVE, np.array([0.4, -1.1])
        psi = MarginLoss.parse(loss)
        slow = 0.0
        for x, a, b in product(range(3), range(4), range(4)):
            m = torch.tensor((world.features[x, a] - world.features[x, b]) @ w)
            g = world.preference[x, a, b]
            chance = world.reference[x, a] * world.reference[x, b] / 3
            slow += chance * float(g * psi(m) + (1 - g) * psi(-m))
        assert world.expected(Objective(loss=loss), w)[0] == pytest.approx(slow, abs=1e-14)

    def test_gradient_by_finite_differences(self):
        w, step = np.array([0.4, -1.1]), 1e-5
        found = INTRANSITIVE.expected(_vrpo(0.6), w, noisy(INTRANSITIVE.preference, 1, 2))[1]
        for d in range(2):
            ends = [
                INTRANSITIVE.expected(
                    _vrpo(0.6), w + sign * step * np.eye(2)[d], noisy(INTRANSITIVE.preference, 1, 2)
                )[0]
                for sign in (1, -1)
            ]
            assert found[d] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-9)

    def test_the_minimiser_of_a_right_model_is_the_truth(self):
        features = np.random.default_rng(0).standard_normal((5, 4, 3))
        truth = np.array([1.0, -2.0, 0.5])
        world = TabularWorld(features, bradley_terry(features @ truth)[None], np.full((5, 4), 0.25))
        np.testing.assert_allclose(world.minimiser(MarginLoss.parse("logistic")), truth, atol=1e-8)
        other = world.minimiser(MarginLoss.parse("logistic"), behaviour=_other_policy(world))
        np.testing.assert_allclose(other, truth, atol=1e-8)

    def test_the_minimiser_of_the_squared_loss_is_a_regression(self):
        """Target (2 g - 1) / (2 tau) by weighted least squares, with a ridge."""
        world, tau, l2 = INTRANSITIVE, 0.3, 0.1
        x, y, mass = [], [], []
        for p, a, b in product(range(3), range(4), range(4)):
            x.append(world.features[p, a] - world.features[p, b])
            y.append((2 * world.preference[p, a, b] - 1) / (2 * tau))
            mass.append(world.reference[p, a] * world.reference[p, b] / 3)
        x, y, mass = np.array(x), np.array(y), np.array(mass)
        expected = np.linalg.solve(
            2 * x.T @ (mass[:, None] * x) + l2 * np.eye(2), 2 * x.T @ (mass * y)
        )
        psi = MarginLoss.parse({"kind": "squared", "tau": tau})
        np.testing.assert_allclose(world.minimiser(psi, l2), expected, atol=1e-10)

    def test_a_loss_with_kinks_is_refused(self):
        with pytest.raises(
            ConfigurationError, match="smooth convex loss under a smooth label model, not mean of"
        ):
            INTRANSITIVE.minimiser(MarginLoss.parse("hinge"))


class TestVRPO:
    """Exact enumeration: methods.md section 1.4, points 1 and 2."""

    W = np.array([0.3, -0.8])

    def _bias(self, objective, auxiliary, behaviour=None) -> float:
        """Distance of the gradient from the plain one on true labels of the reference's pairs."""
        plain = INTRANSITIVE.expected(Objective(loss=objective.loss), self.W)[1]
        found = INTRANSITIVE.expected(objective, self.W, auxiliary, behaviour)[1]
        return float(np.abs(found - plain).max())

    @pytest.mark.parametrize("loss", ["logistic", "squared", "ramp"])
    @pytest.mark.parametrize("coefficient", [0.3, 1.0])
    def test_unbiased_for_any_auxiliary_model(self, loss, coefficient):
        g = INTRANSITIVE.preference
        for auxiliary in (g, noisy(g, 2.0, 1), useless(g), 1 - g):
            assert self._bias(_vrpo(coefficient, loss), auxiliary) < 1e-13

    @pytest.mark.parametrize("loss", ["logistic", "squared", "ramp"])
    def test_a_true_auxiliary_model_mends_data_of_another_policy_at_one(self, loss):
        g, behaviour = INTRANSITIVE.preference, _other_policy(INTRANSITIVE)
        assert self._bias(_vrpo(1.0, loss), g, behaviour) < 1e-13
        left = self._bias(_vrpo(0.75, loss), g, behaviour)
        assert left == pytest.approx(0.25 * self._bias(_vrpo(0.0, loss), g, behaviour))
        assert left > 1e-3

    def test_biased_when_both_are_wrong(self):
        g, behaviour = INTRANSITIVE.preference, _other_policy(INTRANSITIVE)
        for auxiliary in (noisy(g, 2.0, 1), useless(g)):
            assert self._bias(_vrpo(1.0), auxiliary, behaviour) > 1e-3

    def test_any_number_of_reference_pairs_has_that_mean(self):
        """Drawn data with M = 3 scatter about the enumerated gradient."""
        auxiliary = noisy(INTRANSITIVE.preference, 1.0, 1)
        drawn = INTRANSITIVE.draw(100, pairs=3, seed=3, repetitions=2000)
        problem = LinearProblems(
            _vrpo(0.8), drawn.differences(INTRANSITIVE.features), drawn.evidence(auxiliary)
        )
        gradients = problem.values(torch.from_numpy(self.W).expand(2000, 2))[1].numpy()
        exact = INTRANSITIVE.expected(_vrpo(0.8), self.W, auxiliary)[1]
        error = gradients.std(0) / np.sqrt(2000)
        assert (np.abs(gradients.mean(0) - exact) < 4 * error).all()


class TestLinearProblems:
    def test_it_agrees_with_the_linear_head(self):
        world = TabularTruth(skew=1.0).world(2)
        drawn = world.draw(150, pairs=2, seed=1, repetitions=3)
        evidence, objective = drawn.evidence(world.preference), _vrpo(0.6)
        found = LinearProblems(objective, drawn.differences(world.features), evidence, 0.01).solve()
        for r in range(3):
            x, one = drawn.differences(world.features)[:, r], evidence.column(r)
            problem = Problem(
                torch.stack([x, torch.zeros_like(x)], dim=1),
                objective,
                one,
                torch.ones(150, 1, dtype=torch.float64),
                torch.tensor([0.01], dtype=torch.float64),
                (0,),
            )
            head = Linear(l2=0.01).fit(problem)
            # The head is within 1e-8 of the minimum: sqrt(2e-8 / 0.01) of its place.
            torch.testing.assert_close(head.parameters["weight"][:, 0], found[r], atol=2e-3, rtol=0)
            value = LinearProblems(objective, x[:, None], one.as_columns(), 0.01)
            least = float(value.values(found[r : r + 1])[0])
            assert least <= float(head.values[0]) + 1e-12
            assert float(head.values[0]) - least < 1e-8

    def test_a_soft_minimum_ends_in_a_stationary_point_below_zero(self):
        world = TabularTruth().world(2)
        drawn = world.draw(300, seed=1, repetitions=5)
        objective = Objective(risk={"kind": "soft-minimum", "temperature": 1.0})
        problem = LinearProblems(
            objective, drawn.differences(world.features), drawn.evidence(), 0.01
        )
        found = problem.solve()
        values, gradients, _ = problem.values(found)
        assert float(gradients.abs().max()) < 1e-8
        assert bool((values < problem.values(torch.zeros_like(found))[0] - 0.01).all())

    @pytest.mark.parametrize(("trim", "tolerance"), [(0.0, 1e-4), (0.1, 5e-4)])
    def test_a_ball_over_units_ends_where_the_linear_head_does(self, trim, tolerance):
        drawn = TabularTruth().world(2).draw(200, seed=1, repetitions=4)
        objective = Objective(
            risk={"kind": "chi-squared", "radius": 0.3, "unit": "group", "trim": trim}
        )
        units = Units(torch.arange(200) % 7 // 3, 3)  # of unequal sizes
        x, evidence = drawn.differences(TabularTruth().world(2).features), drawn.evidence()
        problems = LinearProblems(objective, x, evidence, 0.01, units=units)
        found = problems.solve(tolerance=1e-7)
        reached = problems.values(found)[0]
        for r in range(4):
            problem = Problem(
                torch.stack([x[:, r], torch.zeros_like(x[:, r])], dim=1),
                objective,
                Evidence(evidence.label[:, r]),
                torch.ones(200, 1, dtype=torch.float64),
                torch.tensor([0.01], dtype=torch.float64),
                (0,),
                units,
            )
            head = Linear(l2=0.01).fit(problem)
            # The head is solved to 1e-4, proven; where pairs are trimmed both are local optima.
            assert float(reached[r]) == pytest.approx(float(head.values[0]), abs=tolerance)
        without = LinearProblems(Objective(), x, evidence, 0.01).solve()
        assert bool((reached < problems.values(without)[0]).all())

    def test_a_steep_risk_over_units_ends_in_its_minimum(self):
        """Newton's method, which takes the weights of units for fixed, never settles there."""
        drawn = TabularTruth(skew=1.0).world(2).draw(200, seed=1, repetitions=4)
        objective = Objective(risk={"kind": "kl-penalised", "temperature": 0.001, "unit": "group"})
        problems = LinearProblems(
            objective,
            drawn.differences(TabularTruth(skew=1.0).world(2).features),
            drawn.evidence(),
            0.01,
            units=Units(torch.arange(200) % 7 // 3, 3),
        )
        found = problems.solve(tolerance=1e-8)
        assert float(problems.values(found)[1].norm(dim=1).max()) < 1e-6
        with pytest.raises(RuntimeError, match="no minimum was found"):
            newton(problems.values, torch.zeros_like(found), 1e-8)

    def test_no_minimum(self):
        """One pair, no ridge: the likelihood grows without end."""
        world = TabularTruth(dimension=2).world(0)
        drawn = world.draw(1, seed=0, repetitions=1)
        with pytest.raises((RuntimeError, torch.linalg.LinAlgError)):
            LinearProblems(Objective(), drawn.differences(world.features), drawn.evidence()).solve()


GOOD = {
    "features": np.zeros((2, 3, 1)),
    "kinds": np.full((1, 2, 3, 3), 0.5),
    "reference": np.full((2, 3), 1 / 3),
}


class TestWrongInput:
    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("kinds", np.full((2, 3, 3), 0.5), r"kinds has shape \(2, 3, 3\)"),
            ("kinds", np.full((1, 2, 3, 3), 0.6), "off by 2.0e-01"),
            ("kinds", np.full((1, 2, 3, 3), 1.5), r"in \[0, 1\]"),
            ("reference", np.full((2, 3), 0.3), "reference takes probabilities that sum to 1"),
            ("prompts", np.ones(3) / 3, r"prompts has shape \(3,\); it takes \(2,\)"),
            ("shares", np.array([0.9]), "shares takes probabilities"),
        ],
    )
    def test_tables(self, name, value, message):
        TabularWorld(**GOOD)
        with pytest.raises(DataError, match=message):
            TabularWorld(**{**GOOD, name: value})

    def test_a_policy_of_another_world(self):
        with pytest.raises(DataError, match="a policy has shape"):
            INTRANSITIVE.draw(3, behaviour=np.full((2, 3), 1 / 3))

    def test_an_auxiliary_model_without_references(self):
        with pytest.raises(DataError, match=r"needs reference pairs: draw some"):
            INTRANSITIVE.draw(3).evidence(INTRANSITIVE.preference)
