"""Ensembles of reward models: scale, pessimism, wrong input, and where one can be named."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import yaml
from language_models import byte_tokenizer, llama_reward, pairs, save

from surefoot.cli.app import app
from surefoot.data import Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer, EnsembleOptions, load_scorer
from surefoot.scorers.ensemble import load_ensemble, zero_and_scale
from surefoot.scorers.ensemble_file import MeanOfMembers, Pessimism, VariancePenalised, WorstCase
from surefoot.scorers.temperature import fit_temperature
from surefoot.scorers.trained import TrainedScorer
from surefoot.training.folder import saved_prompts


class Noted(TrainedScorer):
    """A member whose rewards are given: a table of every response's reward."""

    pairwise, known_flip_rate = False, None
    temperature_ = 2.0

    def __init__(self, rewards, scorer=None, known_flip_rate=None):
        self.given = np.asarray(rewards, dtype=float)
        self.known_flip_rate = known_flip_rate
        self.scorer = scorer or EmbeddingScorer(members=self.given.shape[-1])

    @property
    def members(self):
        return self.given.shape[-1]

    def scores(self, preferences):
        return self.joined(self.member_scores(preferences))

    def member_scores(self, preferences):
        return self.given[: len(preferences)]


def together(models, calibration=None, **options):
    """An ensemble of models in memory."""
    names = tuple(models)
    made = EnsembleOptions(members=names, calibration=calibration or (), **options)
    return load_ensemble(made, models.__getitem__)


def written(tmp_path, rows, name="pairs.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory, small_encoder, rows):
    """A folder of three seeds and a run with four heads, trained from the command line."""
    folder = tmp_path_factory.mktemp("ensembles")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, n in (("train", 120), ("test", 40)):
            written(folder, rows(n, seed=n, source="s"), f"{name}.jsonl")
        for name, options, more in (
            ("runs", {"training": {"bootstrap": True}}, ["--seeds", "3"]),
            ("heads", {}, []),
        ):
            config = {
                "data": {"train": "train.jsonl"},
                "scorer": {"kind": "embedding", "encoder": small_encoder},
                "output": name,
                **options,
            }
            if name == "heads":
                config["scorer"]["members"] = 4
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
            app(args=["train", f"{name}.yaml", *more], standalone_mode=False)
    return folder


def ensemble(folder, name="ensemble.yaml", **options):
    path = folder / name
    path.write_text(yaml.safe_dump(options))
    return path


class TestPessimism:
    rewards = np.array([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]])

    def test_values(self):
        assert MeanOfMembers()(self.rewards).tolist() == [3.0, 0.0]
        assert WorstCase()(self.rewards).tolist() == [1.0, 0.0]
        expected = 3 - 0.25 * ((1 - 3) ** 2 + (2 - 3) ** 2 + (6 - 3) ** 2) / 3
        assert VariancePenalised(coefficient=0.25)(self.rewards).tolist() == [expected, 0.0]

    def test_members_that_agree_give_their_reward(self):
        same = np.repeat(np.random.default_rng(0).normal(size=(5, 2, 1)), 4, axis=-1)
        for kind in Pessimism.registry:
            np.testing.assert_allclose(Pessimism.parse(kind)(same), same[..., 0], rtol=1e-14)

    def test_none_is_above_the_mean(self):
        rewards = np.random.default_rng(1).normal(size=(50, 2, 5))
        for kind in Pessimism.registry:
            assert (Pessimism.parse(kind)(rewards) <= rewards.mean(-1) + 1e-12).all()

    def test_a_weight_of_zero_is_the_mean(self):
        np.testing.assert_array_equal(
            VariancePenalised(coefficient=0)(self.rewards), MeanOfMembers()(self.rewards)
        )


class TestScale:
    def test_members_of_any_zero_and_scale_agree_after_calibration(self, tmp_path):
        rewards = np.random.default_rng(0).normal(size=(30, 2, 1))
        data = Preferences.from_rows(pairs(30))
        place = written(tmp_path, pairs(30))
        models = {"a": Noted(rewards), "b": Noted(5 - 0 * rewards + 40 * rewards)}
        made = together(models, [place], pessimism="worst-case")
        members = made.member_scores(data)
        np.testing.assert_allclose(members[..., 0], members[..., 1], rtol=1e-9, atol=1e-9)
        gap = members[:, 0] - members[:, 1]
        np.testing.assert_allclose(np.square(gap).mean(0) / 2, 1.0)
        np.testing.assert_allclose(members.mean((0, 1)), 0.0, atol=1e-12)
        np.testing.assert_allclose(made.scores(data), members[..., 0], rtol=1e-9, atol=1e-9)

    def test_what_lies_between_prompts_is_no_scale(self):
        rewards = np.random.default_rng(0).normal(size=(40, 2, 1))
        offsets = 10 * np.random.default_rng(1).normal(size=(40, 1, 1))
        np.testing.assert_allclose(
            zero_and_scale(rewards)[1], zero_and_scale(rewards + offsets)[1], rtol=1e-9
        )

    def test_pairs_without_a_weight_set_none(self, tmp_path):
        place = written(tmp_path, pairs(4, weight=0.0))
        rewards = np.random.default_rng(0).normal(size=(4, 2, 1))
        with pytest.raises(DataError, match="every calibration pair has weight 0"):
            together({"a": Noted(rewards), "b": Noted(2 * rewards)}, [place])

    def test_labels_set_the_temperature_and_pairs_without_leave_the_members(self, tmp_path):
        rng = np.random.default_rng(0)
        rewards = rng.normal(size=(2000, 2, 2)) * [1.0, 3.0]
        margins = (rewards[:, 0] - rewards[:, 1]).mean(-1)
        labels = (rng.random(2000) < 1 / (1 + np.exp(-margins))).astype(float)
        rows = [
            {"prompt": f"{i}", "response_a": "a", "response_b": "b", "label": label}
            for i, label in enumerate(labels)
        ]
        place = written(tmp_path, rows)
        models = {"a": Noted(rewards)}
        made = together(models, [place])
        data = Preferences.from_rows(rows)
        slope = (made.scores(data)[:, 0] - made.scores(data)[:, 1]) / made.temperature_
        loss = np.log1p(np.exp(-np.where(labels == 1, slope, -slope))).mean()
        for factor in (0.8, 1.25):
            other = np.log1p(np.exp(-np.where(labels == 1, slope, -slope) * factor)).mean()
            assert loss < other
        expected = np.mean(Noted.temperature_ / zero_and_scale(rewards)[1])
        for row in rows:
            row["label"] = 0.5
        ties = together(models, [written(tmp_path, rows, "ties.jsonl")])
        assert ties.temperature_ > 100 * expected  # nobody sees a difference
        for row in rows:
            del row["label"]
        without = together(models, [written(tmp_path, rows, "without.jsonl")])
        assert without.temperature_ == pytest.approx(expected)

    @pytest.mark.parametrize("named", [0.0, 0.2])
    def test_the_temperature_is_told_the_flip_rate_that_the_members_name(self, tmp_path, named):
        """By the function that single models are calibrated with, told so or not."""
        rng = np.random.default_rng(4)
        rewards = rng.normal(size=(800, 2, 1))
        margins = 2 * (rewards[:, 0, 0] - rewards[:, 1, 0])
        labels = (rng.random(800) < 1 / (1 + np.exp(-margins))) ^ (rng.random(800) < 0.2)
        rows = [
            {"prompt": f"{i}", "response_a": "a", "response_b": "b", "label": float(label)}
            for i, label in enumerate(labels)
        ]
        place = written(tmp_path, rows)

        def made(*rates, **options):
            models = {f"m{k}": Noted(rewards + 0, known_flip_rate=r) for k, r in enumerate(rates)}
            return together(models, [place], **options)

        joined = made(named, named, None)
        scores = joined.scores(Preferences.from_rows(rows))
        expected = fit_temperature(scores[:, 0] - scores[:, 1], labels, np.ones(800), named)
        assert joined.temperature_ == pytest.approx(expected.value)
        asked = made(0.0, 0.3, flip_rate=named)
        assert asked.temperature_ == pytest.approx(expected.value)
        with pytest.raises(ConfigurationError, match=r"several flip rates \(m0 0.1, m1 0.2\)"):
            made(0.1, 0.2)

    def test_a_flip_rate_is_of_labels(self, seeds):
        runs = [str(seeds / "runs" / f"seed-{k}") for k in range(2)]
        with pytest.raises(ConfigurationError, match=r"flip_rate \(0.2\) is of the labels"):
            load_scorer(ensemble(seeds, members=runs, flip_rate=0.2))

    def test_runs_name_the_flip_rate_of_their_objective(self, small_encoder, rows, tmp_path):
        data = Preferences.from_rows(rows(120))
        scorer = EmbeddingScorer(encoder=small_encoder, folds=2)
        objective = Objective(labels={"kind": "smoothed", "flip_rate": 0.1})
        for k in range(2):
            EmbeddingRewardModel(scorer, objective, k).fit(data).save(tmp_path / f"{k}")
        assert load_scorer(tmp_path / "0").known_flip_rate == 0.1
        place = written(tmp_path, rows(120))
        members = [str(tmp_path / f"{k}") for k in range(2)]
        told = load_scorer(ensemble(tmp_path, members=members, calibration=[place]))
        plain = load_scorer(ensemble(tmp_path, members=members, calibration=[place], flip_rate=0))
        assert told.temperature_ < plain.temperature_

    def test_calibration_pairs_that_are_all_in_order_are_told(self, tmp_path):
        rewards = np.stack([np.ones((60, 2)), np.zeros((60, 2))], axis=1)
        one = {"response_a": "a", "response_b": "b", "label": 1.0}
        place = written(tmp_path, [{"prompt": f"{i}", **one} for i in range(60)])
        with pytest.warns(UserWarning, match=r"ensemble of 1 models: 100% of the 60 held-out"):
            made = together({"a": Noted(rewards)}, [place])
        assert made.to_probabilities(2**0.5) == pytest.approx(61 / 62, rel=1e-5)

    def test_without_calibration_the_scale_is_that_of_the_training_data(self):
        rewards = np.random.default_rng(0).normal(size=(5, 2, 3))
        with pytest.raises(ConfigurationError, match="x was not trained by surefoot"):
            together({"x": Noted(rewards)})

    def test_a_member_that_learnt_nothing_is_told(self, tmp_path):
        rng = np.random.default_rng(0)
        better = np.array([[[r["label"]], [1 - r["label"]]] for r in pairs(60)])
        models = {name: Noted(better + rng.normal(size=(60, 2, 1))) for name in "abc"}
        place = written(tmp_path, pairs(60))
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*hardly tells")
            together(models, [place])
        models["b"].temperature_ = 400.0
        with pytest.warns(UserWarning, match=r"b hardly tells responses apart \(temperature 400,"):
            together(models, [place])


class TestWrongInput:
    def test_one_member(self, seeds):
        path = ensemble(seeds, members=[str(seeds / "runs" / "seed-0")])
        with pytest.raises(ConfigurationError, match=r"of one member \(.*seed-0\) is that member"):
            load_scorer(path)

    def test_a_member_twice(self, seeds):
        place = str(seeds / "heads")
        for again in (place, f"{place}/", str(seeds / "runs" / ".." / "heads")):
            with pytest.raises(ConfigurationError, match="names a member twice"):
                load_scorer(ensemble(seeds, members=[place, again]))

    def test_several_kinds_need_calibration(self, seeds):
        places = [str(seeds / "runs" / "seed-0"), str(seeds / "heads")]
        with pytest.raises(ConfigurationError, match=r"embedding with 1 head and .* with 4 heads"):
            load_scorer(ensemble(seeds, members=places))
        found = load_scorer(
            ensemble(seeds, members=places, calibration=[str(seeds / "test.jsonl")])
        )
        assert found.members == 5

    def test_one_that_judges_pairs(self, small_encoder, rows, tmp_path):
        scorer = EmbeddingScorer(encoder=small_encoder, head="general-preference", folds=2)
        model = EmbeddingRewardModel(scorer).fit(Preferences.from_rows(rows(60)))
        model.save(tmp_path / "pairs")
        path = ensemble(tmp_path, members=[str(tmp_path / "pairs")])
        with pytest.raises(ConfigurationError, match=r"judges pairs .* has no rewards"):
            load_scorer(path)

    def test_an_ensemble_in_an_ensemble(self, seeds):
        inner = ensemble(seeds, "inner.yaml", members=[str(seeds / "heads")])
        with pytest.raises(ConfigurationError, match="name its members themselves"):
            load_scorer(ensemble(seeds, members=[str(inner)]))

    def test_a_reward_that_is_not_finite_is_named(self, tmp_path):
        rewards = np.random.default_rng(0).normal(size=(8, 2, 2))
        made = together({"a": Noted(rewards)}, [written(tmp_path, pairs(8))])
        made.models[0].given[3, 1, 0] = np.nan
        with pytest.raises(DataError, match=r"a gives a reward .* row 3 \(prompt 'question 3 is"):
            made.scores(Preferences.from_rows(pairs(8)))

    def test_a_member_that_knows_no_difference(self, tmp_path):
        rewards = np.stack([np.random.default_rng(0).normal(size=(6, 2)), np.ones((6, 2))], -1)
        with pytest.raises(DataError, match="member 1 gives both responses"):
            together({"a": Noted(rewards)}, [written(tmp_path, pairs(6))])

    def test_an_unknown_pessimism(self):
        with pytest.raises(ConfigurationError, match="did you mean 'worst-case'"):
            EnsembleOptions(members=("a", "b"), pessimism="worst-cas")

    def test_an_unknown_option(self, tmp_path):
        with pytest.raises(ConfigurationError, match="did you mean 'pessimism'"):
            load_scorer(ensemble(tmp_path, members=["a", "b"], pesimism="mean"))

    def test_a_misspelt_list_of_members(self, tmp_path):
        with pytest.raises(ConfigurationError, match="did you mean 'members'"):
            load_scorer(ensemble(tmp_path, member=["a", "b"]))

    def test_a_reference(self, seeds):
        with pytest.raises(ConfigurationError, match="has no reference"):
            load_scorer(ensemble(seeds, members=[str(seeds / "heads")]), "base")


class TestNamedLikeARun:
    def test_seeds_and_heads_are_members(self, seeds):
        data = Preferences.from_rows(pairs(6, source="s"))
        found = load_scorer(ensemble(seeds, members=[str(seeds / "runs")], pessimism="worst-case"))
        alone = [load_scorer(seeds / "runs" / f"seed-{k}").rewards(data) for k in range(3)]
        np.testing.assert_array_equal(found.rewards(data), np.min(alone, axis=0))
        heads = load_scorer(ensemble(seeds, members=[str(seeds / "heads")]))
        np.testing.assert_allclose(
            heads.rewards(data), load_scorer(seeds / "heads").rewards(data), rtol=1e-12
        )

    def test_members_are_found_beside_the_file_and_from_where_one_is(self, seeds, monkeypatch):
        data = Preferences.from_rows(pairs(4, source="s"))
        path = ensemble(seeds, "beside.yaml", members=["heads"])
        monkeypatch.chdir(seeds.parent)
        beside = load_scorer(path).rewards(data)
        path.write_text(yaml.safe_dump({"members": [f"{seeds.name}/heads"]}))
        np.testing.assert_array_equal(load_scorer(path).rewards(data), beside)

    def test_its_prompts_are_those_of_its_members(self, seeds):
        path = ensemble(seeds, members=[str(seeds / "runs"), str(seeds / "heads")])
        assert saved_prompts(path) == saved_prompts(seeds / "heads")
        assert len(saved_prompts(path)) == 120

    def test_language_models_of_other_origin(self, tmp_path):
        places = [save(tmp_path / f"rm{k}", llama_reward(k), byte_tokenizer()) for k in range(2)]
        data = pairs(8)
        path = ensemble(tmp_path, members=places, calibration=[written(tmp_path, data)])
        found = load_scorer(path)
        assert found.rewards(Preferences.from_rows(data)).shape == (8, 2)

    def test_evaluate_score_and_judge(self, seeds, monkeypatch):
        monkeypatch.chdir(seeds)
        path = ensemble(seeds, members=["heads"], pessimism="worst-case").name
        app(
            args=["evaluate", path, "test.jsonl", "--baseline", "heads", "--output", "report"],
            standalone_mode=False,
        )
        found = json.loads((seeds / "report" / "evaluation.json").read_text())
        assert found["results"]["test.jsonl"]["accuracy"]["estimate"] > 0.5
        app(args=["score", path, "test.jsonl", "--output", "scores.jsonl"], standalone_mode=False)
        scored = [json.loads(line) for line in (seeds / "scores.jsonl").read_text().splitlines()]
        members = load_scorer(seeds / "heads").member_scores(
            Preferences.from_rows(
                [json.loads(line) for line in (seeds / "test.jsonl").read_text().splitlines()]
            )
        )
        np.testing.assert_allclose([s["reward_a"] for s in scored], members[:, 0].min(-1))
        np.testing.assert_allclose([s["spread_b"] for s in scored], members[:, 1].std(-1))
        for name in "ab":
            rows = [{"prompt": f"q {i}", "references": [f"{name} good"]} for i in range(12)]
            written(seeds, rows, f"{name}.jsonl")
        app(
            args=["winrate", "--samples", "a.jsonl", "--against", "b.jsonl", "--judge", path,
                  "--output", "wins"],
            standalone_mode=False,
        )  # fmt: skip
        assert json.loads((seeds / "wins" / "evaluation.json").read_text())["win_rate"]["n"] == 12
