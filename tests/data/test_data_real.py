"""Real files: what SOURCES.md says of them is what the readers and checks find."""

from __future__ import annotations

import numpy as np
import pytest
from realdata import real_data

from surefoot.data import read_preferences
from surefoot.data.checks import check
from surefoot.data.splits import split


@pytest.mark.parametrize(
    ("name", "rows", "faults"),
    [
        ("hh_rlhf/harmless-base.test", 2312, 0),
        ("hh_rlhf/helpful-base.test", 2352, 0),
        ("hh_rlhf/harmless-base.train5k.last-turn-only", 5000, 0),
        ("hhh_alignment/hhh_pairs", 221, 0),
        ("dpo_en_demo/dpo_en_demo", 300, 0),
        ("evalbiasbench/biasbench", 80, 0),
        ("pandalm_testset/testset-v1", 993, 6),  # six rows have `true` for a response
        ("llmbar/natural", 100, 0),
        ("llmbar/adversarial_gptinst", 92, 0),
        ("llmbar/adversarial_gptout", 47, 0),
        ("llmbar/adversarial_manual", 46, 0),
        ("llmbar/adversarial_neighbor", 134, 0),
        ("llmbar/mt-bench", 200, 0),
        ("llmbar/llmeval2", 200, 0),
    ],
)
def test_rows_and_faults(name, rows, faults):
    preferences = read_preferences(real_data(f"{name}.jsonl.gz"))
    assert (len(preferences), len(preferences.faults)) == (rows, faults)


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("hh_rlhf/harmless-base.test", "prompt-not-a-prefix", 5),
        ("hh_rlhf/harmless-base.test", "empty-response", 4),
        ("hh_rlhf/helpful-base.test", "prompt-not-a-prefix", 9),
        ("hh_rlhf/helpful-base.test", "empty-response", 4),
        ("dpo_en_demo/dpo_en_demo", "duplicate", 5),
        ("evalbiasbench/biasbench", "constant-label", 80),
        ("llmbar/mt-bench", "duplicate", 5),  # the same pairs turned round
        ("pandalm_testset/testset-v1", "unusable-row", 6),
    ],
)
def test_known_damage_is_found(name, kind, count):
    finding = check(read_preferences(real_data(f"{name}.jsonl.gz"))).of(kind)
    assert finding is not None
    assert finding.count == count


def test_leakage_between_published_halves_is_found():
    train = read_preferences(real_data("hh_rlhf/harmless-base.train5k.last-turn-only.jsonl.gz"))
    test = read_preferences(real_data("hh_rlhf/harmless-base.test.jsonl.gz"))
    report = check(train, against=test)
    leaked, opening = report.of("leaked-prompt"), report.of("shared-opening")
    assert leaked is not None
    assert opening is not None
    assert leaked.count == len(np.flatnonzero(np.isin(train.prompt_keys(), test.prompt_keys())))
    # 573 rows share a first turn letter for letter; ours is blind to case and spacing.
    assert 573 <= leaked.count + opening.count <= 590


def test_annotators_with_their_own_names():
    path = real_data("ukpconvarg1/pairs_with_annotators.jsonl.gz")
    columns = {"prompt": "debate", "response_a": "a1", "response_b": "a2", "label": "gold"}
    preferences = read_preferences(path, columns=columns | {"group": "topic"})
    assert (len(preferences), len(preferences.faults)) == (16081, 846)
    assert len(set(preferences.strings("group"))) == 32
    votes = preferences.dataset["votes"]
    assert 4.9 < np.mean([len(given) for given in votes]) < 5.2


def test_a_split_of_real_data_leaves_no_prompt_on_both_sides():
    train, test = split(read_preferences(real_data("hh_rlhf/helpful-base.test.jsonl.gz")))
    assert check(test, against=train).of("leaked-prompt") is None
    assert len(test) == pytest.approx(0.2 * 2352, abs=2)
