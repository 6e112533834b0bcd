"""The suites as they are: counts and rulers that were measured independently."""

from __future__ import annotations

import functools
import gzip
import json

import numpy as np
import pytest
from realdata import real_data

from surefoot.evaluation import (
    evaluate_rewards,
    prompt_overlap,
    ruler_rewards,
    training_prompt_keys,
)
from surefoot.evaluation.suites import find_suite, load_suite, rm_bench


@functools.cache
def _loaded(name, folder):
    return load_suite(name, folder)


def real(name):
    for part in find_suite(name).parts.values():
        path = real_data(part.path)
    return _loaded(name, path.parents[1])


def only(preferences, column, value):
    return preferences.select(np.flatnonzero(np.array(preferences.strings(column)) == value))


def longer(preferences):
    return evaluate_rewards(ruler_rewards(preferences)["longer"], preferences)


@pytest.mark.parametrize(
    ("name", "rows", "faults"),
    [
        ("evalbiasbench", 80, 0),
        ("hh_rlhf", 2352 + 2312 - 22, 22),
        ("hhh_alignment", 221, 0),
        ("llmbar", 100 + 92 + 47 + 46 + 134 + 200 + 200, 0),
        ("pandalm_testset", 999, 0),
        ("rm_bench", 9 * (129 + 138 + 157), 0),
        ("ukpconvarg1", 16081, 846),
        ("xstest", 976, 176),
    ],
)
def test_counts(name, rows, faults):
    found = real(name)
    assert (len(found), len(found.faults)) == (rows, faults)
    assert found.name == name
    ids = found.strings("id")
    assert len(set(ids)) == len(ids)


def test_hh_halves_pull_in_opposite_directions():
    """Measured before: the longer response wins .599 of helpful and .445 of harmless pairs."""
    both = real("hh_rlhf")
    helpful, harmless = (longer(only(both, "source", s)) for s in ("helpful", "harmless"))
    assert helpful.accuracy.estimate == pytest.approx(0.599, abs=0.003)
    assert harmless.accuracy.estimate == pytest.approx(0.445, abs=0.003)
    assert harmless.accuracy.high < 0.5 < helpful.accuracy.low
    reasons = [fault.reason for fault in both.faults]
    assert reasons.count("the last turn is empty") == 8
    assert reasons.count("the two responses follow different dialogues") == 14


def test_hhh_ruler():
    assert longer(real("hhh_alignment")).accuracy.estimate == pytest.approx(0.633, abs=0.001)


def test_ukpconvarg1_is_a_tournament_clustered_by_argument():
    preferences = real("ukpconvarg1")
    assert len(set(preferences.strings("group"))) == 16
    assert len(set(preferences.strings("source"))) == 32
    found = longer(preferences)
    assert (found.clusters, found.cluster_count) == ("response", 1038)
    assert "32 prompts held fixed" in found.accuracy.covers
    by_prompt = evaluate_rewards(
        ruler_rewards(preferences)["longer"], preferences, clusters=np.arange(len(preferences))
    )
    width = found.accuracy.high - found.accuracy.low
    naive = by_prompt.accuracy.high - by_prompt.accuracy.low
    assert width > 2 * naive  # pairs that share arguments are far from independent
    assert found.human_ties == 3289


def test_ukpconvarg1_ruler_on_strict_gold():
    preferences = real("ukpconvarg1")
    with gzip.open(real_data("ukpconvarg1/pairs_with_annotators.jsonl.gz")) as lines:
        records = [json.loads(line) for line in lines]
    strict = {f"{r['topic']}/{r['id']}" for r in records if r["strict"]}
    rows = [i for i, key in enumerate(preferences.strings("id")) if key in strict]
    assert len(rows) == 11642
    found = longer(preferences.select(rows)).accuracy
    assert found.estimate == pytest.approx(0.773, abs=0.002)
    assert found.low < 0.773 < found.high


def test_single_votes_agree_with_strict_gold_as_measured():
    preferences = real("pandalm_testset")
    unanimous = sum(len({v["value"] for v in votes}) == 1 for votes in preferences.dataset["votes"])
    assert unanimous == 879
    found = evaluate_rewards(ruler_rewards(preferences)["longer"], preferences)
    assert found.ceiling.estimate > found.agreement.estimate
    assert found.cluster_count == 170


def test_rm_bench_overlaps_with_hh_helpful():
    chat = only(real("rm_bench"), "source", "chat")
    helpful = only(real("hh_rlhf"), "source", "helpful")
    found = prompt_overlap(training_prompt_keys(helpful), chat)
    assert (found.prompts, found.rows) == (37, 37 * 9)
    assert prompt_overlap(helpful.prompt_keys(), chat).prompts == 22


def test_rm_bench_styles_are_as_the_paper_has_them():
    """Hard pairs have the plainer, shorter response chosen; a length ruler fails there."""
    preferences = real("rm_bench")
    rewards = ruler_rewards(preferences)["longer"]
    found = evaluate_rewards(rewards, preferences, breakdowns=rm_bench.breakdowns(preferences))
    assert found.groups["hard"].high < 0.2
    assert found.groups["easy"].low > 0.8
    assert found.groups["hard"].n == found.groups["easy"].n == found.groups["normal"].n == 3 * 424
    assert len(found.breakdowns[rm_bench.MATRIX]) == 9


def test_llmbar_labels_are_balanced_and_adversarial_subsets_beat_the_ruler():
    preferences = real("llmbar")
    assert preferences.labels.mean() == pytest.approx(0.5, abs=0.03)
    adversarial = longer(only(preferences, "group", "adversarial_gptinst"))
    assert adversarial.accuracy.high < 0.5


def test_evalbiasbench_positions_are_mixed():
    preferences = real("evalbiasbench")
    assert 0.3 < preferences.labels.mean() < 0.7
    assert len(set(preferences.strings("group"))) == 6


def test_xstest_sides():
    preferences = real("xstest")
    with gzip.open(real_data("xstest/xstest_prompts.csv.gz"), "rt") as file:
        text = file.read()
    assert text.count(",safe,") + text.count(",unsafe,") == 450
    assert len(np.unique(preferences.prompt_keys())) == 244
    refusals = ("I cannot", "I can't", "I'm sorry", "I am sorry", "I apologize", "I'm not able")
    a, b = preferences.texts("response")
    preferred = [x if y == 1 else z for x, z, y in zip(a, b, preferences.labels, strict=True)]
    unsafe = np.array(preferences.strings("source")) == "unsafe"
    refuses = np.array([any(word in text[:100] for word in refusals) for text in preferred])
    assert refuses[unsafe].mean() > 0.6
    assert refuses[~unsafe].mean() < 0.1
