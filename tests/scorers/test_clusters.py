"""Clusters of prompts: found once, the same for ever."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from surefoot.data import Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.scorers.embeddings.clusters import FILE, PromptClusters
from surefoot.scorers.embeddings.encoder import EncoderOptions
from surefoot.scorers.fit.report import in_words, unit_shares


class Words:
    """An encoder that sees the first word of a text."""

    key = "words"
    options = EncoderOptions(name="words")
    AXES = ("sums", "trips", "meals")

    def embed(self, texts, keep="left", description=""):
        rng = np.random.default_rng(0)
        axes = [self.AXES.index(text.split()[0]) for text in texts]
        return (np.eye(3)[axes] + 0.01 * rng.normal(size=(len(texts), 3))).astype(np.float32)


def data(*prompts: str) -> Preferences:
    rows = [
        {"prompt": p, "response_a": f"yes {i}", "response_b": f"no {i}", "label": 1.0}
        for i, p in enumerate(prompts)
    ]
    return Preferences.from_rows(rows)


PROMPTS = [f"{word} {i}" for i in range(6) for word in Words.AXES]


def test_prompts_of_a_kind_are_together():
    given = data(*PROMPTS, "sums 0", "trips 1")
    made = PromptClusters.fit(given, Words(), 3)
    own = made.of(given, Words())
    assert [len(set(own[k:18:3])) for k in range(3)] == [1, 1, 1]
    assert len(set(own)) == 3
    assert own[18] == own[0]
    assert own[19] == own[1]
    number, _, prompt = made.names[own[0]].partition(": ")
    assert int(number) == own[0]
    assert prompt.startswith("sums")


def test_seeded():
    given = data(*PROMPTS)
    one, two = (PromptClusters.fit(given, Words(), 3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.centroids, two.centroids)
    assert one.names == two.names


class Crowded(Words):
    """Prompts without groups, where every start of k-means ends elsewhere."""

    def embed(self, texts, keep="left", description=""):
        seeds = [int(text.split()[1]) for text in texts]
        return np.stack([np.random.default_rng(s).normal(size=8) for s in seeds]).astype(np.float32)


ROWS = st.permutations([f"prompt {i}" for i in range(40)])


@settings(max_examples=20, deadline=None)
@for_all(rows=ROWS, more=st.lists(st.integers(0, 39), max_size=20), seed=st.integers(0, 3))
def test_the_order_and_the_number_of_rows_of_a_prompt_change_nothing(rows, more, seed):
    plain = PromptClusters.fit(data(*sorted(rows)), Crowded(), 5, seed)
    shuffled = data(*rows, *(rows[i] for i in more))
    made = PromptClusters.fit(shuffled, Crowded(), 5, seed)
    np.testing.assert_array_equal(made.centroids, plain.centroids)
    assert made.names == plain.names
    place = [sorted(rows).index(prompt) for prompt in shuffled.texts("last-turn")[0]]
    own = plain.of(data(*sorted(rows)), Crowded())
    np.testing.assert_array_equal(made.of(shuffled, Crowded()), own[place])


def test_kept(tmp_path):
    given = data(*PROMPTS)
    made = PromptClusters.fit(given, Words(), 3)
    made.save(tmp_path)
    again = PromptClusters.load(tmp_path)
    elsewhere = data("meals 99", "sums 7")
    assert again.beside(elsewhere, Words()).strings("cluster") == [
        made.names[k] for k in made.of(elsewhere, Words())
    ]
    other = Words()
    other.key = "another"
    with pytest.raises(ConfigurationError, match="another encoder than 'words'"):
        again.of(elsewhere, other)


def test_wrong_input(tmp_path):
    with pytest.raises(DataError, match=r"4 clusters of 2 distinct prompts. Ask for fewer"):
        PromptClusters.fit(data("sums 1", "sums 1", "meals 2"), Words(), 4)
    with pytest.raises(ConfigurationError, match="holds no clusters"):
        PromptClusters.load(tmp_path)
    old = {"names": "[]", "encoder_key": "words"}
    save_file({"centroids": np.zeros((1, 3))}, tmp_path / FILE, old)
    with pytest.raises(ConfigurationError, match="an earlier surefoot"):
        PromptClusters.load(tmp_path)


def test_those_who_gained_most_come_first():

    mass, weights, losses = (torch.tensor(v) for v in ([0.5, 0.3, 0.2], [0.4, 0.2, 0.4], [1, 2, 3]))
    found = unit_shares(["a", "b", "c"], mass, weights, losses)
    assert [one.unit for one in found] == ["c", "a", "b"]
    assert found[0].to_dict()["loss"] == 3
    assert in_words(found, 1) == "c: 0.200 to 0.400 (of 3 units)"
    assert in_words(found[:2]) == "c: 0.200 to 0.400; a: 0.500 to 0.400"
    assert unit_shares([], mass, weights, losses) == ()
