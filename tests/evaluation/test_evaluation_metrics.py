from __future__ import annotations

import json

import numpy as np
import pytest
from preference_tables import rewards_for, table

from surefoot.data.schema import Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.evaluation import (
    clusters_of,
    evaluate_rewards,
    prompt_overlap,
    ruler_rewards,
    training_prompt_keys,
)
from surefoot.evaluation.pairs.rulers import markdown


def test_an_untrained_model_reads_half_and_not_zero():
    """A tie is half right: TRL's strict comparison reads 0 at the first step."""
    preferences = table(100)
    found = evaluate_rewards(np.zeros((100, 2)), preferences)
    assert found.accuracy.estimate == 0.5
    assert found.model_ties == 100
    assert found.calibration.overconfidence.estimate == 0


def test_accuracy_does_not_depend_on_orientation():
    preferences = table(150)
    rewards = rewards_for(preferences)
    turned_rows = [
        {
            "prompt": row["prompt"],
            "response_a": row["response_b"],
            "response_b": row["response_a"],
            "label": 1 - row["label"],
        }
        for row in preferences.dataset
    ]
    turned = evaluate_rewards(rewards[:, ::-1], Preferences.from_rows(turned_rows))
    straight = evaluate_rewards(rewards, preferences)
    for name in ("accuracy", "log_loss", "brier"):
        a, b = getattr(turned, name).to_dict(), getattr(straight, name).to_dict()
        assert [a[k] for k in ("estimate", "low", "high")] == pytest.approx(
            [b[k] for k in ("estimate", "low", "high")]
        )


def test_tie_tolerance():
    preferences = table(4, labels=[1, 1, 1, 1])
    rewards = np.array([[0.3, 0], [0.1, 0], [-0.1, 0], [-0.3, 0]])
    assert evaluate_rewards(rewards, preferences).model_ties == 0
    found = evaluate_rewards(rewards, preferences, tie_tolerance=0.1)
    assert found.model_ties == 2
    assert found.accuracy.estimate == 0.5


def test_human_ties_are_left_out_of_accuracy_and_counted():
    labels = np.array([1.0, 0.0, 0.5, 0.5] * 25)
    preferences = table(100, labels=labels)
    rewards = np.stack([labels, 0.5 + 0 * labels], axis=1)
    found = evaluate_rewards(rewards, preferences)
    assert (found.human_ties, found.accuracy.n, found.accuracy.estimate) == (50, 50, 1.0)
    assert found.log_loss.n == 100


def test_only_human_ties():
    found = evaluate_rewards(np.zeros((20, 2)), table(20, labels=[0.5] * 20))
    assert found.accuracy.estimate is None
    assert found.worst is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_soft_labels_have_a_majority_an_agreement_and_a_ceiling():
    labels = np.array([0.8, 0.4] * 50)
    preferences = table(100, labels=labels)
    right = np.stack([labels, 1 - labels], axis=1)
    found = evaluate_rewards(right, preferences)
    assert found.accuracy.estimate == 1
    assert found.agreement.estimate == pytest.approx(0.7)
    assert found.ceiling.estimate == pytest.approx(0.7)
    assert evaluate_rewards(-right, preferences).agreement.estimate == pytest.approx(0.3)
    assert evaluate_rewards(np.zeros((9, 2)), table(9)).agreement is None


def test_probabilities_are_bradley_terry_unless_given():
    preferences = table(100)
    rewards = rewards_for(preferences)
    p = 1 / (1 + np.exp(rewards[:, 1] - rewards[:, 0]))
    default = evaluate_rewards(rewards, preferences)
    assert evaluate_rewards(rewards, preferences, probabilities=p) == default
    unsure = evaluate_rewards(rewards, preferences, probabilities=np.full(100, 0.5))
    assert unsure.log_loss.estimate == pytest.approx(np.log(2))
    assert unsure.accuracy == default.accuracy


def test_groups_sources_and_the_worst():
    groups = ["good"] * 100 + ["bad"] * 100
    preferences = table(200, groups=groups, sources=["x", "y"] * 100)
    rewards = rewards_for(preferences, accuracy=0.9)
    rewards[100:] *= -1
    found = evaluate_rewards(rewards, preferences)
    assert found.groups["good"].estimate > 0.8
    assert found.worst.group == "bad"
    assert set(found.sources) == {"x", "y"}
    alone = evaluate_rewards(rewards, table(200, sources=groups))
    assert alone.worst.group == "bad"  # sources stand in where there are no groups
    assert evaluate_rewards(rewards, table(200, sources=["file"] * 200)).worst is None  # it is all


def test_breakdowns():
    preferences = table(40)
    names = ["even", "odd"] * 20
    found = evaluate_rewards(rewards_for(preferences), preferences, breakdowns={"parity": names})
    assert found.breakdowns["parity"]["odd"].n == 20
    with pytest.raises(DataError, match="3 rows of 40"):
        evaluate_rewards(rewards_for(preferences), preferences, breakdowns={"x": ["a"] * 3})


def test_a_model_that_is_the_best_ruler_is_not_beyond_it():
    labels = np.ones(200)
    preferences = table(200)
    lengths = ruler_rewards(preferences)["longer"]
    labels = (lengths[:, 0] > lengths[:, 1]).astype(float)
    preferences = preferences.with_labels(labels)
    found = evaluate_rewards(lengths, preferences)
    assert found.best_ruler == "longer"
    assert found.rulers["longer"].estimate + found.rulers["shorter"].estimate == pytest.approx(1)
    assert found.beyond_ruler.difference.estimate == 0
    assert found.beyond_ruler.p_value == 1


def test_chosen_first_data_is_pointed_out_and_position_is_no_contender():
    preferences = table(100, labels=np.ones(100))
    found = evaluate_rewards(rewards_for(preferences), preferences)
    assert found.best_ruler != "first position"
    assert "same position" in found.notes[0]
    assert evaluate_rewards(rewards_for(table()), table()).notes == ()


def test_markdown_marks():
    assert markdown("# Title\n\n- one\n- **two**\n1. three\n\n| a | b |\n`code` [x](y)") == 8
    assert markdown("plain text - with 3 * 4, a_b, and #hashtag") == 0


def test_clusters_are_prompts_by_default():
    preferences = table(100, prompts=[f"q{i // 2}" for i in range(100)])
    found = clusters_of(preferences)
    assert found.kind == "prompt"
    assert len(np.unique(found.ids)) == 50
    result = evaluate_rewards(rewards_for(preferences), preferences)
    assert (result.clusters, result.cluster_count) == ("prompt", 50)
    assert result.accuracy.covers == "test prompts"


def tournament(prompts=3, responses=15):
    rows = [
        {"prompt": f"p{p}", "response_a": f"r{p}.{i}", "response_b": f"r{p}.{j}", "label": 1}
        for p in range(prompts)
        for i in range(responses)
        for j in range(i)
    ]
    return Preferences.from_rows(rows)


def test_tournaments_are_clustered_by_response():
    found = clusters_of(tournament())
    assert found.kind == "response"
    assert found.ids.shape == (3 * 105, 2)
    assert len(np.unique(found.ids)) == 45
    assert "3 prompts held fixed" in found.covers


def test_small_crosses_and_single_pairs_are_not_tournaments():
    assert clusters_of(tournament(prompts=20, responses=4)).kind == "prompt"
    assert clusters_of(table(12, prompts=["one"] * 12)).kind == "prompt"  # nothing shared
    assert clusters_of(tournament(), "prompt").kind == "prompt"


def test_clusters_as_asked():
    preferences = table(30)
    assert clusters_of(preferences, "response").ids.shape == (30, 2)
    given = evaluate_rewards(rewards_for(preferences), preferences, clusters=np.arange(30) // 2)
    assert (given.clusters, given.cluster_count) == ("given", 15)
    with pytest.raises(DataError, match="has 30"):
        clusters_of(preferences, np.arange(29))
    with pytest.raises(ConfigurationError, match="did you mean 'prompt'"):
        clusters_of(preferences, "promt")


def test_every_figure_in_the_dictionary_is_an_estimate():
    preferences = table(200, groups=["x", "y"] * 100)
    found = evaluate_rewards(rewards_for(preferences), preferences).to_dict()
    keys = {"estimate", "low", "high", "level", "n", "covers"}
    figures = [found["accuracy"], found["brier"], found["log_loss"], *found["rulers"].values()]
    figures += [
        *found["lengths"].values(),
        *found["groups"].values(),
        found["beyond_ruler"]["difference"],
    ]
    figures += [b["accuracy"] for b in found["calibration"]["bins"]]
    assert all(set(f) - {"note"} == keys for f in figures)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_printed_result_names_the_figures():
    preferences = table(200, groups=["x", "y"] * 100)
    text = str(evaluate_rewards(rewards_for(preferences), preferences))
    for word in ("table: 200 pairs", "accuracy", "best ruler", "worst group", "test prompts"):
        assert word in text


@pytest.mark.parametrize(
    ("rewards", "options", "message"),
    [
        (np.zeros((4, 2)), {}, r"have shape \(5, 2\); got \(4, 2\)"),
        (np.full((5, 2), np.nan), {}, "row 0: the reward is not finite \\(and 4 more\\)"),
        (np.zeros((5, 2)), {"probabilities": np.full(5, 1.5)}, "row 0: the probability"),
        (np.zeros((5, 2)), {"probabilities": np.zeros(4)}, r"shape \(5,\)"),
        (np.zeros((5, 2)), {"tie_tolerance": -1}, "got -1"),
    ],
)
def test_wrong_input(rewards, options, message):
    with pytest.raises((DataError, ConfigurationError), match=message):
        evaluate_rewards(rewards, table(5), **options)


def test_no_pairs():
    with pytest.raises(DataError, match="no pairs"):
        evaluate_rewards(np.zeros((0, 2)), table(5).select([]))


def test_overlap_counts_rows_and_prompts_blind_to_case_and_dialogue_length():
    dialogue = [
        {"role": "user", "content": "Question  2"},
        {"role": "assistant", "content": "?"},
        {"role": "user", "content": "more"},
    ]
    answer = [{"role": "assistant", "content": "x"}]
    training = Preferences.from_rows(
        [
            {"prompt": "QUESTION 1", "response_a": "x", "response_b": "y", "label": 1},
            {"prompt": dialogue, "response_a": answer, "response_b": answer, "label": 1},
        ]
    )
    test = table(6, prompts=["question 1", "question 1", "question 2", "u", "v", "w"])
    found = prompt_overlap(training_prompt_keys(training), test)
    assert (found.rows, found.prompts, found.n, found.share) == (3, 2, 6, 0.5)
    assert prompt_overlap(training.prompt_keys(), test).rows == 2
