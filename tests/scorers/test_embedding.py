"""Reward models on frozen embeddings, from comparisons to saved folders."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from encoders import save_encoder

from surefoot.data import Preferences, concatenate
from surefoot.errors import CompositionError, ConfigurationError, DataError, SurefootError
from surefoot.objectives import Evidence, Objective
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.scorers.embeddings.features import FeatureMap, embed
from surefoot.scorers.fit.conflict import source_conflict
from surefoot.scorers.fit.fitting import prompt_bootstrap
from surefoot.scorers.head import Problem

OBJECTIVES = [
    {},
    {"loss": "squared"},
    {"loss": "hinge"},
    {"labels": {"kind": "flip-corrected", "flip_rate": 0.2}},
    {"risk": {"kind": "soft-minimum"}},
    {"risk": {"kind": "cvar", "level": 0.8, "unit": "source"}},
]


def _scorer(encoder: str, **options) -> EmbeddingScorer:
    return EmbeddingScorer(encoder={"name": encoder, "precision": "float32"}, **options)


@pytest.fixture(scope="module")
def train(rows):
    return Preferences.from_rows(rows(150, seed=1, flip_rate=0.1, source="one"))


@pytest.fixture(scope="module")
def test(rows):
    return Preferences.from_rows(rows(100, seed=2, source="one"))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("head", ["linear", {"kind": "mlp", "hidden": 8, "steps": 60}], ids=str)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_learns_saves_and_loads(small_encoder, train, test, objective, head, tmp_path):
    model = EmbeddingRewardModel(_scorer(small_encoder, head=head), Objective(**objective))
    assert model.fit(train) is model
    assert model.score(test) > 0.7
    model.save(tmp_path)
    loaded = EmbeddingRewardModel.load(tmp_path)
    np.testing.assert_array_equal(loaded.rewards(test), model.rewards(test))
    np.testing.assert_array_equal(loaded.predict(test), model.predict(test))
    assert loaded.objective == model.objective
    rewards = model.rewards(train)
    assert rewards.mean() == pytest.approx(0, abs=1e-5)
    assert rewards.std() == pytest.approx(1, abs=0.01)


def test_swapped_pairs_get_swapped_answers(small_encoder, train, test):
    model = EmbeddingRewardModel(_scorer(small_encoder)).fit(train)
    swapped = Preferences.from_rows(
        {
            "prompt": row["prompt"],
            "response_a": row["response_b"],
            "response_b": row["response_a"],
            "label": 1 - row["label"],
        }
        for row in test.dataset
    )
    np.testing.assert_allclose(model.predict(swapped), 1 - model.predict(test), atol=1e-9)
    assert model.score(swapped) == pytest.approx(model.score(test))


def test_ties_count_half_and_tied_labels_not_at_all(small_encoder, train):
    model = EmbeddingRewardModel(_scorer(small_encoder)).fit(train)
    same = {"prompt": "x", "response_a": "good", "response_b": "good"}
    ties = Preferences.from_rows([{**same, "label": 1}, {**same, "label": 0.5}])
    assert model.score(ties) == 0.5


def test_weights_and_duplicates_mean_the_same(small_encoder, rows):
    some = rows(80, seed=5)
    doubled = Preferences.from_rows([*some, *some[:40]])
    weighted = Preferences.from_rows(
        [{**row, "weight": 2.0 if i < 40 else 1.0} for i, row in enumerate(some)]
    )
    scorer = _scorer(small_encoder, head={"kind": "linear", "l2": 0.1})
    one, two = (EmbeddingRewardModel(scorer).fit(data) for data in (doubled, weighted))
    margins = [np.diff(model.rewards(doubled))[:, 0] for model in (one, two)]
    assert np.corrcoef(*margins)[0, 1] > 1 - 1e-6
    torch.testing.assert_close(one.features_.mean, two.features_.mean)


def test_options_without_effect_are_refused(small_encoder, rows):
    with pytest.raises(CompositionError, match="has no column 'source'"):
        EmbeddingRewardModel(_scorer(small_encoder, source_aware=True)).fit(
            Preferences.from_rows(rows(20))
        )
    with pytest.raises(ConfigurationError, match=r"views names a view twice \(full, full\)"):
        _scorer(small_encoder, views=("full", "full"))


class TestWithoutWeight:
    """What has no weight has no say: in no mean, no fold and no draw."""

    def _of_first(self, rows, prompts):
        """Twenty prompts of three rows, of which some have a weight."""
        made = rows(60, seed=5)
        return Preferences.from_rows(
            [
                {**row, "prompt": f"question {i % 20}", "weight": float(i % 20 < prompts)}
                for i, row in enumerate(made)
            ]
        )

    def test_features_are_standardised_on_the_others(self, small_encoder, rows):
        some = self._of_first(rows, 10)
        live = some.select(np.flatnonzero(some.weights))
        scorer = _scorer(small_encoder, head={"kind": "linear", "l2": 0.1})
        one, two = (EmbeddingRewardModel(scorer).fit(data) for data in (some, live))
        torch.testing.assert_close(one.features_.mean, two.features_.mean)
        torch.testing.assert_close(one.features_.scale, two.features_.scale, rtol=0.02, atol=0)

    def test_members_draw_among_the_prompts_that_count(self, small_encoder, rows):
        """Of two among twenty, one draw in seven would have neither."""
        some = self._of_first(rows, 2)
        scorer = _scorer(small_encoder, head={"kind": "linear", "l2": 0.1}, members=30)
        model = EmbeddingRewardModel(scorer).fit(some)
        assert np.isfinite(model.report_.gap)
        assert (model.member_scores(some).std((0, 1)) > 0.1).all()

    def test_one_prompt_leaves_nothing_to_fit_on(self, small_encoder, rows):
        with pytest.raises(DataError, match="all the weight lies in one of 5 folds"):
            EmbeddingRewardModel(_scorer(small_encoder)).fit(self._of_first(rows, 1))

    @pytest.mark.parametrize("mass", [np.ones(59), -np.ones(60), np.full(60, np.nan)])
    def test_no_mass_at_all(self, small_encoder, rows, mass):
        with pytest.raises(DataError, match=r"mass is a finite number .* shape \(60, 1\)"):
            EmbeddingRewardModel(_scorer(small_encoder)).fit(self._of_first(rows, 20), mass)


def test_out_of_fold_accuracy_is_honest_about_noise(small_encoder, rows):
    coin = Preferences.from_rows(rows(300, seed=7, flip_rate=0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = EmbeddingRewardModel(_scorer(small_encoder)).fit(coin).report_
    assert report.out_of_fold_accuracy.low < 0.5 < report.out_of_fold_accuracy.high


def test_opposed_sources_are_told_and_source_aware_recovers(small_encoder, rows):
    opposite = [{**row, "label": 1 - row["label"], "source": "two"} for row in rows(300, seed=11)]
    pooled = concatenate(
        [
            Preferences.from_rows(rows(300, seed=1, source="one")),
            Preferences.from_rows(opposite),
        ]
    )
    with pytest.warns(UserWarning, match=r"want opposite things.*source_aware: true"):
        model = EmbeddingRewardModel(_scorer(small_encoder)).fit(pooled)
    assert ("one", "two") in model.report_.conflict.opposed
    aware = EmbeddingRewardModel(_scorer(small_encoder, source_aware=True)).fit(pooled)
    assert aware.report_.conflict is None
    assert aware.score(pooled) > model.score(pooled) + 0.2


def test_agreeing_sources_are_not_told(small_encoder, rows, recwarn):
    pooled = concatenate(
        [
            Preferences.from_rows(rows(250, seed=s, source=name))
            for s, name in ((1, "one"), (2, "two"))
        ]
    )
    model = EmbeddingRewardModel(_scorer(small_encoder)).fit(pooled)
    assert model.report_.conflict.opposed == ()
    assert not [w for w in recwarn if "opposite" in str(w.message)]


def test_an_unseen_source_gets_the_shared_part(small_encoder, train):
    embedded = embed(train, EmbeddingRewardModel(_scorer(small_encoder)).encoder, ("together",))
    features = FeatureMap.fit(embedded, by_source=True)
    known = features(embedded)
    unseen = features(type(embedded)(embedded.values, ["?"] * len(train), 0.0, embedded.identical))
    d = embedded.values.shape[-1]
    torch.testing.assert_close(known[..., :d], known[..., d:])
    torch.testing.assert_close(unseen[..., :d], known[..., :d])
    assert (unseen[..., d:] == 0).all()


def test_pairs_that_truncation_makes_the_same_are_left_out_and_told(small_encoder, rows):
    long = "good " * 80
    cut = [
        {"prompt": f"q {i}", "response_a": long + "yes", "response_b": long + "no no", "label": 1}
        for i in range(5)
    ]
    some = Preferences.from_rows([*rows(60, seed=6), *cut])
    scorer = EmbeddingScorer(
        encoder={"name": small_encoder, "precision": "float32", "max_length": 40},
        views=("response",),
    )
    with pytest.warns(UserWarning, match=r"5 pair\(s\).*truncation at 40 tokens"):
        model = EmbeddingRewardModel(scorer).fit(some)
    assert model.report_.identical == 5
    assert model.report_.risk.weights[-5:].sum() == 0


def test_blocks_change_nothing(small_encoder, train, monkeypatch):
    encoder = EmbeddingRewardModel(_scorer(small_encoder)).encoder
    whole = embed(train, encoder, ("together", "product"))
    monkeypatch.setattr("surefoot.scorers.embeddings.features.ROWS_PER_BLOCK", 40)
    blocks = embed(train, encoder, ("together", "product"))
    torch.testing.assert_close(whole.values, blocks.values, rtol=0, atol=0)
    assert blocks.truncated == whole.truncated


@pytest.mark.parametrize("head", ["linear", {"kind": "mlp", "hidden": 8, "steps": 40}], ids=str)
def test_an_ensemble_is_the_mean_of_its_members(small_encoder, train, test, head, tmp_path):
    scorer = _scorer(small_encoder, head=head, members=4)
    model = EmbeddingRewardModel(scorer).fit(train)
    members = model.member_scores(test)
    assert members.shape == (100, 2, 4)
    np.testing.assert_allclose(model.rewards(test), members.mean(-1))
    assert (members.std(-1) > 0).all()  # each saw its own draw of prompts
    assert model.rewards(train).std() == pytest.approx(1, abs=0.01)
    assert model.score(test) > 0.7
    model.save(tmp_path)
    np.testing.assert_array_equal(EmbeddingRewardModel.load(tmp_path).member_scores(test), members)


def test_a_member_equals_a_model_on_its_draw(small_encoder, train, test):
    head = {"kind": "linear", "l2": 0.1}
    ensemble = EmbeddingRewardModel(_scorer(small_encoder, head=head, members=2)).fit(train)
    drawn = prompt_bootstrap(train.prompt_keys(), [1000])[:, 0]
    alone = EmbeddingRewardModel(_scorer(small_encoder, head=head)).fit(train, drawn)
    margins = [
        np.diff(r)[:, 0] for r in (ensemble.member_scores(test)[..., 1], alone.rewards(test))
    ]
    assert np.corrcoef(*margins)[0, 1] == pytest.approx(1, abs=1e-6)


def test_views(small_encoder, train):
    encoder = EmbeddingRewardModel(_scorer(small_encoder)).encoder
    parts = {v: embed(train, encoder, (v,)).values for v in ("prompt", "response", "product")}
    torch.testing.assert_close(
        embed(train, encoder, ("response", "prompt")).values,
        torch.cat([parts["response"], parts["prompt"]], dim=-1),
    )
    torch.testing.assert_close(
        parts["product"], parts["prompt"] * parts["response"] * parts["prompt"].shape[-1] ** 0.5
    )
    assert (parts["prompt"][:, 0] == parts["prompt"][:, 1]).all()


@pytest.mark.parametrize(("sources", "each"), [(2, 1000), (6, 300)])
def test_unrelated_sources_raise_no_alarm(sources, each):
    """Sources with features of their own: some head is below chance on another by accident."""
    alarms = 0
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        n, d = sources * each, 12 * sources
        source = torch.arange(n) % sources
        features = torch.randn(n, 2, d, generator=generator)
        truth = torch.randn(sources, d, generator=generator)
        truth *= torch.arange(d) % sources == torch.arange(sources)[:, None]
        margins = ((features[:, 0] - features[:, 1]) * truth[source]).sum(-1) / 3
        labels = torch.rand(n, generator=generator) < torch.sigmoid(margins)
        problem = Problem(
            features,
            Objective(),
            Evidence(labels.double()),
            torch.ones(n, 1, dtype=torch.float64),
            torch.ones(1),
            (0,),
        )
        names = [str(int(s)) for s in source]
        half = torch.randint(0, 2, (n,), generator=generator)
        alarms += bool(source_conflict(problem, names, half, np.arange(n)).opposed)
    assert alarms <= 1


@pytest.mark.parametrize("l2", [0, -1.0, "some", float("inf")])
def test_a_ridge_penalty_is_positive_or_auto(l2):
    with pytest.raises(ConfigurationError, match="l2"):
        EmbeddingScorer(head={"kind": "linear", "l2": l2})


def test_a_damaged_cache_is_named(small_encoder, train, monkeypatch, tmp_path):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path))
    model = EmbeddingRewardModel(_scorer(small_encoder))
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / f"{model.encoder.key}-right.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(SurefootError, match=r"Delete it to compute"):
        model.fit(train)


class TestRefusals:
    def test_a_prompt_alone_for_a_linear_head(self, small_encoder, train):
        with pytest.raises(CompositionError, match="cannot tell two responses apart"):
            EmbeddingRewardModel(_scorer(small_encoder, views=("prompt",))).fit(train)

    def test_hard_labels_in_a_preference_ball(self, small_encoder, train):
        model = EmbeddingRewardModel(_scorer(small_encoder), Objective(labels="preference-ball"))
        with pytest.raises(CompositionError, match="no effect on hard labels"):
            model.fit(train)

    def test_length_normalised_rewards(self, small_encoder, train):
        objective = Objective(loss={"kind": "squared", "length_normalised": True})
        with pytest.raises(CompositionError, match="one reward per response"):
            EmbeddingRewardModel(_scorer(small_encoder), objective).fit(train)

    def test_nothing_to_learn_from(self, small_encoder, rows):
        same = [{**row, "response_b": row["response_a"]} for row in rows(20)]
        with pytest.raises(DataError, match="no pair is left"):
            EmbeddingRewardModel(_scorer(small_encoder)).fit(Preferences.from_rows(same))

    def test_a_half_given_auxiliary_column(self, small_encoder, rows):
        some = rows(20)
        some[3]["auxiliary"] = 0.7
        model = EmbeddingRewardModel(
            _scorer(small_encoder), Objective(labels="conditional-expectation")
        )
        with pytest.raises(DataError, match="null in 19 of 20"):
            model.fit(Preferences.from_rows(some))

    def test_loading_what_is_not_a_model(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"no surefoot\.json"):
            EmbeddingRewardModel.load(tmp_path)

    def test_loading_damaged_or_newer_models(self, small_encoder, train, tmp_path):
        EmbeddingRewardModel(_scorer(small_encoder)).fit(train).save(tmp_path)
        description = json.loads((tmp_path / "surefoot.json").read_text())
        (tmp_path / "surefoot.json").write_text(json.dumps({**description, "schema_version": 9}))
        with pytest.raises(ConfigurationError, match="schema version 9"):
            EmbeddingRewardModel.load(tmp_path)
        (tmp_path / "surefoot.json").write_text("{")
        with pytest.raises(ConfigurationError, match="damaged"):
            EmbeddingRewardModel.load(tmp_path)

    def test_an_encoder_that_changed(self, rows, train, tmp_path):
        folder = save_encoder(tmp_path / "encoder")
        EmbeddingRewardModel(_scorer(folder)).fit(train).save(tmp_path / "model")
        save_encoder(tmp_path / "encoder", seed=9)
        with pytest.raises(ConfigurationError, match="is not the one"):
            EmbeddingRewardModel.load(tmp_path / "model")


def test_nothing_learnt_is_said(small_encoder, rows):
    coin = Preferences.from_rows(rows(100, seed=3, flip_rate=0.5))
    objective = Objective(risk={"kind": "cvar", "level": 0.2})
    with pytest.warns(UserWarning, match="Nothing was learnt"):
        EmbeddingRewardModel(_scorer(small_encoder), objective).fit(coin)
