"""What policies wrote: read, matched with prompts, put against data and each other."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from surefoot.data import Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.evaluation.policies.contests import contests, judged_contests
from surefoot.evaluation.policies.samples import (
    log_ratios,
    read_samples,
    sampled_auxiliary,
)


class Lengths:
    """A judge of lengths: P(first preferred) is the first's share of all characters."""

    def probabilities(self, pairs):
        a, b = (np.array([len(t) for t in side], dtype=float) for side in pairs.texts("response"))
        return a / (a + b)


@pytest.fixture
def file(tmp_path):
    def write(rows, name="samples.jsonl"):
        path = tmp_path / name
        text = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


def row(prompt, *references, **more):
    return {"prompt": prompt, "references": list(references), **more}


@pytest.fixture
def data():
    rows = [
        {"prompt": "p 0", "response_a": "aa", "response_b": "b", "label": 1.0},
        {"prompt": "p 1", "response_a": "cccc", "response_b": "dd", "label": 0.0},
        {"prompt": "P  0", "response_a": "e", "response_b": "ffffff", "label": 1.0},
    ]
    return Preferences.from_rows(rows, "data")


def test_the_auxiliary_model_is_averaged_over_samples_for_each_response(file, data):
    path = file([row("p 0", "xx", "xxxx"), row("p 1", "y")])
    found = sampled_auxiliary(Lengths(), data, read_samples(path))
    of = {"p 0": ["xx", "xxxx"], "p 1": ["y"]}
    for i, (prompt, *pair) in enumerate(
        [("p 0", "aa", "b"), ("p 1", "cccc", "dd"), ("p 0", "e", "ffffff")]
    ):
        for side, response in enumerate(pair):
            each = [len(s) / (len(s) + len(response)) for s in of[prompt]]
            assert found[i, side] == pytest.approx(np.mean(each))


def test_both_files_of_surefoot_sample_are_read(file):
    messages = [{"role": "user", "content": "p 0"}]
    law = {"temperature": 0.7, "top_p": 1.0, "banned": [], "seed": 3}
    drawn = file([{"law": law}, {"key": 1, "prompt": messages, "references": ["x", "y"]}])
    as_column = {"reference_law": json.dumps(law), "conversational": False, "label": 1.0}
    response = [[{"role": "assistant", "content": text}] for text in ("x", "y")]
    pairs = file([row(messages, *response, **as_column)] * 2, "pairs.jsonl.gz")
    for path in (drawn, pairs):
        found = read_samples(path)
        (one,) = found.written.values()
        assert [turns[0]["content"] for turns in one.responses] == ["x", "y"]
        assert found.altered == {"temperature": 0.7}
    assert not one.prompt.conversational


def test_a_prompt_on_several_lines_has_all_their_responses(file):
    found = read_samples(file([row("p 0", "x"), row("p 0", "y", "z")]))
    (one,) = found.written.values()
    assert len(one.responses) == 3
    assert found.altered == {}


def test_rows_of_one_completion_are_the_draws_of_a_prompt(file):
    rows = [{"step": 3, "prompt": "p 0", "completion": text, "gold": 2.0} for text in ("x", "x")]
    turns = [{"role": "assistant", "content": "y"}]
    found = read_samples(file([*rows, {"prompt": "p 0", "completion": turns, "gold": 1}]))
    (one,) = found.written.values()
    assert [response[0]["content"] for response in one.responses] == ["x", "x", "y"]
    assert one.gold == [2.0, 2.0, 1.0]


def test_prompts_without_samples_are_named(file, data):
    with pytest.raises(DataError, match=r"1 of 2 prompts of data have no response in .*: 'p 1'"):
        sampled_auxiliary(Lengths(), data, read_samples(file([row("p 0", "x")])))
    a, b = file([row("p 0", "x")], "a.jsonl"), file([row("p 0", "x"), row("q", "x")], "b.jsonl")
    with pytest.raises(DataError, match=r"1 of 2 prompts of .*b.jsonl have no response in .*'q'"):
        contests(read_samples(a), read_samples(b))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"prompt": "p"}], "row 1: the column 'references' is missing or empty"),
        ([row("p", "x"), row("", "x")], "row 2: the column 'prompt' is missing"),
        ([{"prompt": "p", "references": "x"}], "'references' should be a list"),
        ([{"prompt": "p", "references": [3]}], "row 1: expected text or messages; got a number"),
        ([{"law": {"temperature": 1.0}}], "holds no responses"),
    ],
)
def test_wrong_rows_are_named(file, rows, message):
    with pytest.raises(DataError, match=message):
        read_samples(file(rows))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_samples(tmp_path / "nothing.jsonl")


def test_contests_are_of_the_kth_responses(file):
    a = read_samples(file([row("p", "a1", "a2", "a3"), row("q", "a4")], "a.jsonl"))
    b = read_samples(file([row("q", "b4"), row("p", "b1", "b2")], "b.jsonl"))
    found = contests(a, b)
    assert found.texts("response") == (["a1", "a2", "a4"], ["b1", "b2", "b4"])
    assert found.texts("prompt")[0] == ["p", "p", "q"]
    assert found.dataset["conversational"][:] == [False] * 3
    keys = found.prompt_keys()
    assert keys[0] == keys[1] != keys[2]


def test_judged_contests_leave_out_what_has_no_judgment(file):
    a = read_samples(file([row("p", "a1", "a23")], "a.jsonl"))
    b = read_samples(file([row("p", "b", "bb")], "b.jsonl"))
    pairs = contests(a, b)
    found = judged_contests(pairs, np.array([0.7, 0.2]))
    assert found.lengths.tolist() == [[2, 1], [3, 2]]
    assert found.second is None
    found = judged_contests(pairs, np.array([0.7, 0.2]), np.array([np.nan, 0.1]))
    assert found.first.tolist() == [0.2]
    assert found.lengths.tolist() == [[3, 2]]


def test_only_policies_have_ratios(rows, small_encoder):
    from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer

    model = EmbeddingRewardModel(EmbeddingScorer(encoder=small_encoder))
    with pytest.raises(ConfigurationError, match="'embedding' writes nothing"):
        log_ratios(model, Preferences.from_rows(rows(3)))
