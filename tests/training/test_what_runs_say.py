"""Messages of runs about their options and their data."""

from __future__ import annotations

import json

import pytest
from language_models import CHAT, byte_tokenizer, llama, pairs

from surefoot.errors import ConfigurationError
from surefoot.training import prepare, train
from surefoot.training.data import tell_data


@pytest.mark.parametrize(
    ("per_step", "micro", "told"),
    [
        (10, 8, r"\(8 x 1\): take 16 pairs a step, or a micro-batch of 5\."),
        (7, 4, r"\(4 x 1\): take 8 pairs a step, or a micro-batch of 1\."),
    ],
)
def test_a_step_that_cannot_be_cut_says_which_can(configure, policy, per_step, micro, told):
    training = {"pairs_per_step": per_step, "micro_batch_pairs": micro}
    with pytest.raises(ConfigurationError, match=told):
        train(configure({"kind": "policy", "model": policy}, training))


def test_the_held_out_side_has_a_name_of_its_own(configure, policy, tmp_path):
    config = configure({"kind": "policy", "model": policy})
    data = prepare(config.data)
    assert (data.train.name, data.held_out.name) == ("pairs", "pairs, held out")


def test_few_held_out_pairs_and_much_damage_are_told(configure, policy, tmp_path):
    rows = pairs(24)
    for row in rows[:12]:
        row["response_b"] = ""
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = configure({"kind": "policy", "model": policy}, data={"held_out": 0.1})
    said: list[str] = []
    tell_data(prepare(config.data), config.data, said.append)
    told = " ".join(said)
    assert "That is 50% of the data: look at it first." in told
    assert "held out 2 pairs" in told
    assert "so few held-out pairs tell nothing" in told


def test_a_chat_template_that_is_not_used_is_told(configure, tmp_path):
    told = []
    for chat in (CHAT, None):
        place = tmp_path / str(bool(chat))
        llama().save_pretrained(place)
        byte_tokenizer(chat).save_pretrained(place)
        lines: list[str] = []
        config = configure({"kind": "policy", "model": str(place)}, output=f"run-{bool(chat)}")
        train(config, say=lines.append)
        told.append(any("chat template of the tokenizer is not used" in line for line in lines))
    assert told == [True, False]


def test_a_step_of_all_pairs_is_told(configure, policy):
    for size, expected in ((64, True), (8, False)):
        lines: list[str] = []
        training = {"pairs_per_step": size, "max_steps": 1}
        config = configure({"kind": "policy", "model": policy}, training, output=f"run-{size}")
        train(config, say=lines.append)
        told = any(
            f"one step holds all 18 pairs: lower training.pairs_per_step ({size})" in x
            for x in lines
        )
        assert told == expected
