"""The value of a policy: identities by exact enumeration, options, and wrong input."""

from __future__ import annotations

import json
import math
from dataclasses import fields

import numpy as np
import pytest

from surefoot.errors import ConfigurationError, DataError
from surefoot.evaluation.policies.logged import verdict
from surefoot.evaluation.policies.value import (
    RatioOptions,
    effective_size,
    policy_value,
    terms,
)
from surefoot.worlds import TabularTruth
from surefoot.worlds.tabular import tilted

SEEDS = range(4)


def scene(seed):
    """A world, a policy, and wrong nuisances."""
    truth = TabularTruth(prompts=3, responses=4, skew=1.0, spread=1.0)
    world = truth.world(seed)
    rng = np.random.default_rng(seed)
    policy = tilted(world.reference, rng.standard_normal(world.reference.shape))
    wrong = tilted(world.reference, rng.standard_normal(world.reference.shape))
    return world, policy, truth.world(100 + seed).preference, wrong


def expected(world, policy, preference, reference):
    """Exact expectation of each term over prompts, responses and labels."""
    pairs = world.enumerated()
    x, (a, b) = pairs.prompts, pairs.responses.T
    against = np.einsum("xa,xab->xb", policy, preference)
    found = terms(
        pairs.labels,
        preference[x, a, b],
        np.stack([against[x, a], against[x, b]], axis=1),
        np.stack([(policy / reference)[x, a], (policy / reference)[x, b]], axis=1),
    )
    return {f.name: float(pairs.mass @ getattr(found, f.name)) for f in fields(found)}


@pytest.mark.parametrize("seed", SEEDS)
def test_unbiased_where_either_nuisance_is_right_and_biased_where_both_are_wrong(seed):
    world, policy, wrong_preference, wrong_reference = scene(seed)
    truth = world.total_preference(policy)
    for right in (
        expected(world, policy, world.preference, wrong_reference),
        expected(world, policy, wrong_preference, world.reference),
    ):
        assert right["direct"] + right["correction"] == pytest.approx(truth, abs=1e-12)
    both = expected(world, policy, wrong_preference, wrong_reference)
    assert abs(both["direct"] + both["correction"] - truth) > 0.005


@pytest.mark.parametrize("seed", SEEDS)
def test_direct_needs_the_preference_and_importance_the_reference(seed):
    world, policy, wrong_preference, wrong_reference = scene(seed)
    truth = world.total_preference(policy)
    preference_right = expected(world, policy, world.preference, wrong_reference)
    reference_right = expected(world, policy, wrong_preference, world.reference)
    assert preference_right["direct"] == pytest.approx(truth, abs=1e-12)
    assert reference_right["importance"] == pytest.approx(truth, abs=1e-12)
    assert reference_right["ratio"] == pytest.approx(1, abs=1e-12)
    assert abs(preference_right["importance"] - truth) > 0.01
    assert abs(reference_right["direct"] - truth) > 0.01


def test_the_bias_is_a_product_of_both_errors():
    """E DR - p* = E w_1-weighted error of g times error of the ratio; here by halving each."""
    world, policy, wrong_preference, wrong_reference = scene(0)
    truth = world.total_preference(policy)

    def bias(share):
        preference = world.preference + share * (wrong_preference - world.preference)
        inverse = 1 / world.reference + share * (1 / wrong_reference - 1 / world.reference)
        found = expected(world, policy, preference, 1 / inverse)
        return found["direct"] + found["correction"] - truth

    assert bias(1.0) == pytest.approx(4 * bias(0.5), rel=1e-9)
    assert bias(1.0) == pytest.approx(100 * bias(0.1), rel=1e-9)


def drawn(n=400, seed=0, scale=0.5):
    rng = np.random.default_rng(seed)
    logs = scale * rng.standard_normal((n, 2)) - scale**2 / 2
    labels = rng.integers(0, 2, n).astype(float)
    return labels, rng.random(n), rng.random((n, 2)), logs


def test_a_policy_that_is_its_reference_is_worth_one_half():
    labels, _, _, _ = drawn()
    half = np.full(len(labels), 0.5)
    found = policy_value(labels, half, np.stack([half, half], 1), np.zeros((len(labels), 2)))
    for name in ("direct", "importance", "doubly_robust"):
        assert getattr(found, name).estimate == 0.5
    assert found.effective == pytest.approx(2 * len(labels))
    assert found.mean_ratio.estimate == 1


@pytest.mark.parametrize("options", [{}, {"self_normalise": True}, {"clip": [0.5, 2.0]}])
def test_swapping_the_responses_changes_nothing(options):
    labels, g, sampled, logs = drawn()
    options = RatioOptions(**options)
    one = policy_value(labels, g, sampled, logs, options=options)
    other = policy_value(1 - labels, 1 - g, sampled[:, ::-1], logs[:, ::-1], options=options)
    for name in ("direct", "importance", "doubly_robust", "correction", "mean_ratio"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a.estimate, a.low, a.high) == pytest.approx((b.estimate, b.low, b.high), rel=1e-9)
    assert one.effective == pytest.approx(other.effective)


def test_a_slow_reference_record_by_record():
    labels, g, sampled, logs = drawn(50, seed=3)
    labels = np.clip(labels, 0.1, 0.9)  # soft
    found = policy_value(labels, g, sampled, logs)
    direct = importance = robust = 0.0
    for z, p, s, log in zip(labels, g, sampled, logs, strict=True):
        w = [math.exp(v) for v in log]
        direct += (s[0] + s[1]) / 2
        importance += (w[0] * z + w[1] * (1 - z)) / 2
        robust += (s[0] + s[1]) / 2 + sum((-1) ** a * w[a] * (z - p) for a in (0, 1)) / 2
    assert found.direct.estimate == pytest.approx(direct / 50)
    assert found.importance.estimate == pytest.approx(importance / 50)
    assert found.doubly_robust.estimate == pytest.approx(robust / 50)
    weights = np.exp(logs)
    assert found.effective == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert found.largest == pytest.approx(weights.max() / weights.sum())


def test_self_normalised_is_a_quotient_and_blind_to_the_scale_of_the_ratios():
    labels, g, sampled, logs = drawn()
    options = RatioOptions(self_normalise=True)
    found = policy_value(labels, g, sampled, logs, options=options)
    w = np.exp(logs)
    quotient = (w[:, 0] @ labels + w[:, 1] @ (1 - labels)) / w.sum()
    assert found.importance.estimate == pytest.approx(quotient)
    correction = (w[:, 0] - w[:, 1]) @ (labels - g) / w.sum()
    assert found.doubly_robust.estimate == pytest.approx(sampled.mean() + correction)
    for shift in (3.0, 700.0, -700.0):  # a reference whose scale is wrong
        moved = policy_value(labels, g, sampled, logs + shift, options=options)
        assert moved.importance.estimate == pytest.approx(found.importance.estimate, rel=1e-9)
        assert moved.doubly_robust.low == pytest.approx(found.doubly_robust.low, rel=1e-9)


def test_the_interval_of_a_quotient_is_that_of_its_bootstrap():
    labels, g, sampled, logs = drawn(600, seed=5)
    found = policy_value(labels, g, sampled, logs, options=RatioOptions(self_normalise=True))
    rng = np.random.default_rng(0)
    w = np.exp(logs)
    values = []
    for _ in range(2000):
        rows = rng.integers(0, 600, 600)
        top = (w[rows, 0] * labels[rows] + w[rows, 1] * (1 - labels[rows])).sum()
        values.append(top / w[rows].sum())
    width = 2 * 1.96 * np.std(values)
    assert found.importance.high - found.importance.low == pytest.approx(width, rel=0.08)


def test_clipping_is_counted_and_the_effective_size_is_that_before_it():
    labels, g, sampled, logs = drawn(scale=1.5)
    plain = policy_value(labels, g, sampled, logs)
    clipped = policy_value(labels, g, sampled, logs, options=RatioOptions(clip=[0.5, 2.0]))
    ratios = np.exp(logs)
    assert clipped.clipped == pytest.approx(((ratios < 0.5).mean(), (ratios > 2).mean()))
    assert clipped.effective == plain.effective
    kept = ratios.clip(0.5, 2)
    importance = (kept[:, 0] * labels + kept[:, 1] * (1 - labels)).mean() / 2
    assert clipped.importance.estimate == pytest.approx(importance)
    assert clipped.direct == plain.direct
    assert any("Clipped" in point for point in verdict(clipped).points)


def test_the_trap_of_clipping_from_below():
    """A policy far from the data: the estimate is the lower end, whatever the labels say."""
    rng = np.random.default_rng(0)
    logs = np.full((300, 2), -30.0)
    g = sampled = np.full(300, 0.9)
    sampled = np.stack([sampled, sampled], axis=1)
    for labels in (np.ones(300), np.zeros(300), rng.random(300)):
        clip = RatioOptions(clip=[0.04, 2.5])
        assert policy_value(labels, g, sampled, logs, options=clip).importance.estimate == (
            pytest.approx(0.02)
        )
        both = RatioOptions(clip=[0.04, 2.5], self_normalise=True)
        found = policy_value(labels, g, sampled, logs, options=both)
        assert found.importance.estimate == pytest.approx(0.5)


def test_few_effective_responses_get_no_interval_and_the_verdict_says_so():
    labels, g, sampled, logs = drawn(scale=8.0)
    found = policy_value(labels, g, sampled, logs)
    assert found.effective < 10
    assert found.importance.low is None
    assert "effective size" in found.doubly_robust.note
    assert found.direct.low is not None
    said = verdict(found)
    assert said.tone == "doubt"
    assert "(direct)" in said.sentence
    assert "say nothing" in said.points[0]


def test_ratios_beyond_all_numbers_leave_the_direct_estimate():
    labels, g, sampled, logs = drawn()
    logs[0, 0] = 2000.0
    found = policy_value(labels, g, sampled, logs)
    assert found.importance.estimate is None
    assert "clip" in found.importance.note
    assert found.direct.estimate == pytest.approx(sampled.mean())
    assert found.largest == pytest.approx(1.0)
    json.dumps(found.to_dict(), allow_nan=False)
    normal = policy_value(labels, g, sampled, logs, options=RatioOptions(self_normalise=True))
    assert normal.importance.estimate == pytest.approx(labels[0])
    json.dumps(normal.to_dict(), allow_nan=False)


def test_a_response_that_the_policy_never_writes_has_no_weight():
    labels, g, sampled, logs = drawn()
    logs[:5] = -np.inf
    found = policy_value(labels, g, sampled, logs)
    w = np.exp(logs)
    importance = (w[:, 0] * labels + w[:, 1] * (1 - labels)).mean() / 2
    assert found.importance.estimate == pytest.approx(importance)
    never = policy_value(labels, g, sampled, np.full_like(logs, -np.inf))
    assert (never.effective, never.largest) == (0.0, 0.0)
    with pytest.raises(DataError, match="every ratio is 0"):
        policy_value(
            labels, g, sampled, np.full_like(logs, -np.inf), None, RatioOptions(self_normalise=True)
        )


def test_values_outside_the_unit_interval_are_left_and_explained():
    labels, g, sampled, logs = drawn()
    found = policy_value(np.ones_like(labels), g * 0, sampled, logs + np.array([2.0, -2.0]))
    assert found.doubly_robust.estimate > 1
    assert any("Outside [0, 1]" in point for point in verdict(found).points)


def test_a_reference_that_is_not_the_data_s_shows_in_the_mean_ratio():
    labels, g, sampled, logs = drawn()
    points = verdict(policy_value(labels, g, sampled, logs + 1.0)).points
    assert any("not 1" in point for point in points)
    assert not any("not 1" in p for p in verdict(policy_value(labels, g, sampled, logs)).points)


def test_records_of_one_prompt_are_one_cluster():
    labels, g, sampled, logs = drawn(200)
    once = policy_value(labels, g, sampled, logs)
    copies = [np.repeat(v, 4, axis=0) for v in (labels, g, sampled, logs)]
    ids = np.repeat(np.arange(200), 4)
    clustered = policy_value(*copies, prompts=ids)
    assert clustered.prompts == 200
    for name in ("direct", "importance", "doubly_robust"):
        a, b = getattr(once, name), getattr(clustered, name)
        assert (a.low, a.high) == pytest.approx((b.low, b.high), rel=1e-6)
    alone = policy_value(*copies)
    assert alone.direct.high - alone.direct.low < 0.6 * (once.direct.high - once.direct.low)


def test_few_prompts_get_no_interval():
    labels, g, sampled, logs = drawn(200)
    found = policy_value(labels, g, sampled, logs, prompts=np.arange(200) % 9)
    assert found.direct.low is None
    assert "too few" in found.direct.note
    assert any("too few" in point for point in verdict(found).points)


def test_effective_size_of_equal_and_of_single_ratios():
    assert effective_size(np.zeros((7, 2))) == pytest.approx(14)
    assert effective_size([900.0, 0.0, 0.0]) == pytest.approx(1)
    assert effective_size([]) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"labels": np.full(400, 2.0)},
            r"labels are probabilities in \[0, 1\]; got 2.0 in record 0",
        ),
        ({"auxiliary": np.full(400, np.nan)}, "auxiliary are probabilities.*got nan"),
        ({"auxiliary": np.zeros(3)}, r"auxiliary have shape \(400,\); got \(3,\)"),
        ({"sampled": np.zeros(400)}, r"sampled have shape \(400, 2\)"),
        ({"log_ratios": np.zeros((400, 3))}, r"log_ratios have shape \(400, 2\); got \(400, 3\)"),
        ({"log_ratios": np.full((400, 2), np.inf)}, "below infinity; got inf in record 0"),
        ({"prompts": np.zeros(4)}, r"prompts are ids of shape \(400,\)"),
        ({"labels": np.zeros(0)}, "no records"),
    ],
)
def test_wrong_input_is_named(change, message):
    names = ("labels", "auxiliary", "sampled", "log_ratios")
    given = dict(zip(names, drawn(), strict=True)) | change
    with pytest.raises(DataError, match=message):
        policy_value(**given)


@pytest.mark.parametrize("clip", [[2.0, 3.0], [-1.0, 3.0], [0.5, 0.9], [0.0, 1.0]])
def test_an_interval_for_the_ratio_holds_1(clip):
    with pytest.raises(ConfigurationError, match="low < 1 < high"):
        RatioOptions(clip=clip)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"self_normalise": True}])
def test_intervals_hold_the_truth(options):
    """300 data sets of 400 records with a wrong preference and the right reference."""
    world, policy, wrong, _ = scene(1)
    truth = world.total_preference(policy)
    logs = np.log(policy / world.reference)
    held = []
    for seed in range(300):
        pairs = world.draw(400, 2, seed=seed, sampler=policy)
        x, responses = pairs.prompts, pairs.responses
        samples = pairs.references.reshape(400, 4)
        sampled = [wrong[x[:, None], samples, responses[:, [k]]].mean(1) for k in (0, 1)]
        found = policy_value(
            pairs.labels,
            wrong[x, responses[:, 0], responses[:, 1]],
            np.stack(sampled, axis=1),
            logs[x[:, None], responses],
            options=RatioOptions(**options),
        ).doubly_robust
        held.append(found.low <= truth <= found.high)
    assert 0.91 <= np.mean(held) <= 0.99
