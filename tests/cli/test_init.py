"""`surefoot init` writes configurations that train as they are, whatever the data look like."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from encoders import WORDS, save_causal

from surefoot.cli import main
from surefoot.data import read_preferences
from surefoot.escaping import visible
from surefoot.training import RunConfig

OFFERS = ("half_life", "columns", "source_aware", "labels", "risk", "adapter")


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, expect=0):
        monkeypatch.setattr(sys, "argv", ["surefoot", *arguments])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capfd.readouterr()
        assert code == expect, printed.err + printed.out
        return SimpleNamespace(out=printed.out, err=printed.err)

    return run


def write(name, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    Path(name).write_text(text)


def pairs(n):
    """Prompt, a better and a worse response; twelve of each kind of word."""
    rng = np.random.default_rng(0)
    for i in range(n):
        better, worse = (" ".join([*rng.choice(WORDS, 5), word]) for word in ("good", "bad"))
        yield f"question {i} {' '.join(rng.choice(WORDS, 4))}", better, worse


def hh(n):
    for prompt, better, worse in pairs(n):
        asked = f"\n\nHuman: {prompt}\n\nAssistant: "
        yield {"chosen": asked + better, "rejected": asked + worse}


def messages(n):
    """As in the binarised form of UltraFeedback."""
    for prompt, better, worse in pairs(n):
        asked = {"role": "user", "content": prompt}
        sides = [[asked, {"role": "assistant", "content": one}] for one in (better, worse)]
        chosen, rejected = sides
        yield {"prompt": prompt, "chosen": chosen, "rejected": rejected, "score_chosen": 8.0}


def ranked(n):
    for prompt, better, worse in pairs(n):
        yield {"prompt": prompt, "responses": [worse, better, "word"], "ranks": [3, 1, 2]}


def voted(n):
    for i, (prompt, better, worse) in enumerate(pairs(n)):
        votes = [{"annotator": f"p{k}", "value": "a" if (i + k) % 4 else "b"} for k in range(3)]
        yield {"prompt": prompt, "response_a": better, "response_b": worse, "votes": votes}


def soft(n):
    for prompt, better, worse in pairs(n):
        yield {"prompt": prompt, "response_a": better, "response_b": worse, "label": 0.8}


def coded(n):
    """1 and 2, which the values say, beside columns that hold what may be worth trying."""
    for i, (prompt, better, worse) in enumerate(pairs(n)):
        sides = (better, worse) if i % 3 else (worse, better)
        yield {
            "prompt": prompt,
            "output_1": sides[0],
            "output_2": sides[1],
            "label": 1 if i % 3 else 2,
            "source": f"from {i % 2}",
            "time": 1.7e9 + i * 86_400,
            "topic": f"t{i % 3}",
        }


@pytest.mark.parametrize("rows", [hh, messages, ranked, voted, soft, coded])
def test_each_form_trains_as_it_is(here, small_encoder, rows):
    write("pairs.jsonl", rows(60))
    said = here("init", "pairs.jsonl")
    assert said.out.strip().startswith("Wrote surefoot.yaml. To train on ")
    assert said.err.splitlines()[-1] == "next: surefoot train surefoot.yaml"
    config = RunConfig.read("surefoot.yaml")
    assert config.data.held_out == 0.2
    again = read_preferences(list(config.data.train), **config.data.reading())
    np.testing.assert_array_equal(again.labels, read_preferences("pairs.jsonl").labels)
    said = here("train", "surefoot.yaml", "--scorer.encoder.name", small_encoder)
    assert "Of pairs that it did not see runs/pairs orders " in said.out
    test = "runs/pairs/held-out.jsonl"
    assert Path(test).is_file()
    assert f"next: surefoot evaluate runs/pairs {test} --output report" in said.err


def taken(text, *names):
    """A configuration with these offers taken, and how many there were."""
    offer = re.compile(rf"^(  )# (?=(?:{'|'.join(names)}): )", re.MULTILINE)
    return offer.subn(r"\1", text)


def test_what_is_offered_trains_too(here, small_encoder):
    write("pairs.jsonl", coded(80))
    here("init", "pairs.jsonl")
    text = Path("surefoot.yaml").read_text()
    assert yaml.safe_load(text)["data"]["codings"] == {"label": "first-is-1"}
    changed, count = taken(text, *OFFERS)
    assert count == 5
    Path("surefoot.yaml").write_text(changed)
    config = RunConfig.read("surefoot.yaml")
    assert config.scorer.source_aware
    assert config.data.half_life == pytest.approx(19.8, abs=0.1)
    assert config.objective.risk.unit == "source"
    assert config.objective.labels.flip_rate == "fitted"
    assert config.data.columns == {"group": "topic"}
    said = here("train", "surefoot.yaml", "--scorer.encoder.name", small_encoder)
    assert "--baseline PLAIN" in said.err  # such an objective asks for a plain one beside it


@pytest.mark.parametrize(("n", "same"), [(3, False), (2, False), (8, True)])
def test_a_few_rows_train_and_hold_out_nothing(here, small_encoder, n, same):
    rows = [row | ({"prompt": "one for all"} if same else {}) for row in soft(n)]
    write("pairs.jsonl", rows)
    here("init", "pairs.jsonl")
    assert "Nothing is held out" in Path("surefoot.yaml").read_text()
    here("train", "surefoot.yaml", "--scorer.encoder.name", small_encoder)


def test_branches_of_dialogues_are_held_out_together(here):
    def branch(i):
        said = [("user", f"hello {i // 2}"), ("assistant", "yes"), ("user", f"and {i}?")]
        return [{"role": role, "content": content} for role, content in said]

    rows = [row | {"prompt": branch(i)} for i, row in enumerate(soft(80))]
    write("pairs.jsonl", rows)
    here("init", "pairs.jsonl")
    assert RunConfig.read("surefoot.yaml").data.split_by == "dialogue"
    text = Path("surefoot.yaml").read_text()
    assert "Of the prompts 100% have earlier turns" in text
    Path("surefoot.yaml").write_text(taken(text, "views")[0])
    assert RunConfig.read("surefoot.yaml").scorer.views == ("together", "full")


def test_how_the_data_are_read_is_written(here, small_encoder):
    odd = [
        {
            "q: #1\n": prompt,
            "chosen": better,
            "rejected": worse,
            "topic\u202e: {": "x\ny",
            "topic": 1,
        }
        for prompt, better, worse in pairs(60)
    ]
    write("it's: ü #1.jsonl", odd)
    flags = ("--column", "prompt=q: #1\n", "--max-unusable", "0.1")
    here("init", "it's: ü #1.jsonl", *flags, "--output", "new/one.yaml")
    text = Path("new/one.yaml").read_text()
    assert "it''s: ü #1.jsonl" in text
    assert visible(text) == text
    assert "--column group=topic." in text
    config = RunConfig.read("new/one.yaml")
    assert config.data.columns == {"prompt": "q: #1\n"}
    assert config.data.max_unusable == 0.1
    assert config.data.train == ("it's: ü #1.jsonl",)
    here("train", "new/one.yaml", "--scorer.encoder.name", small_encoder)


def test_several_files_are_named_and_their_sources_offered(here):
    write("one.jsonl", hh(60))
    write("two.jsonl", voted(60))
    here("init", "one.jsonl", "two.jsonl")
    text = Path("surefoot.yaml").read_text()
    assert yaml.safe_load(text)["data"]["train"] == ["one.jsonl", "two.jsonl"]
    assert "The sources (one, two)" in text
    assert yaml.safe_load(text)["output"] == "runs/one"


def test_a_language_model_has_steps_and_a_length(here, tmp_path):
    model = save_causal(tmp_path / "model")
    write("pairs.jsonl", soft(100))
    here("init", "pairs.jsonl", "--scorer", "reward-model", "--model", model)
    config = RunConfig.read("surefoot.yaml")
    assert (config.scorer.kind, config.scorer.max_length) == ("reward-model", 128)
    assert (config.training.epochs, config.training.pairs_per_step) == (3, 8)
    assert taken(Path("surefoot.yaml").read_text(), "adapter")[1] == 1
    here("train", "surefoot.yaml", "--training.max_steps", "1")
    write("pairs.jsonl", [row | {"response_a": "long " * 200} for row in soft(2500)])
    here("init", "pairs.jsonl", "--scorer", "policy", "--model", model, "--overwrite")
    config = RunConfig.read("surefoot.yaml")
    assert (config.scorer.max_length, config.training.epochs) == (512, 1)
    assert config.training.pairs_per_step == 32


def test_long_texts_are_read_whole(here):
    write("pairs.jsonl", [row | {"response_a": "long " * 300} for row in soft(60)])
    here("init", "pairs.jsonl")
    assert RunConfig.read("surefoot.yaml").scorer.encoder.max_length == 512


def test_a_template_says_what_to_fill_in(here, small_encoder):
    said = here("init")
    assert "--data.train PAIRS.jsonl" in said.err
    assert "FILL IN" in Path("surefoot.yaml").read_text()
    write("mine.jsonl", hh(60))
    train = ("train", "surefoot.yaml", "--data.train", "mine.jsonl")
    seeds = ("--seeds", "2", "--training.bootstrap", "true")
    said = here(*train, "--scorer.encoder.name", small_encoder, *seeds).out
    assert re.search(r"did not see runs/first orders [.01]\S* to [.01]\S* as they are", said)
    assert "PAIRS.jsonl" in here("train", "surefoot.yaml", "--output", "x", expect=2).err


def test_what_it_refuses(here):
    write("pairs.jsonl", soft(60))
    same = {"prompt": "p", "response_a": "x", "response_b": "x", "label": 1}
    write("same.jsonl", [same])
    write("one.jsonl", soft(1))
    for words, message in (
        (("nosuch.jsonl",), "nosuch.jsonl"),
        (("same.jsonl",), "every row is damaged (identical-responses)"),
        (("one.jsonl",), "1 different pair(s) to train on"),
        (("pairs.jsonl", "--scorer", "embeding"), "did you mean 'embedding'?"),
        (("pairs.jsonl", "--scorer", "policy"), "starts from a model"),
        (("pairs.jsonl", "--model", "smollm2"), "not with 'embedding'"),
        (("pairs.jsonl", "--output", "pairs.jsonl", "--overwrite"), "which would be overwritten"),
    ):
        assert message in " ".join(here("init", *words, expect=2).err.split())
        assert not Path("surefoot.yaml").exists()
    here("init", "pairs.jsonl")
    before = Path("surefoot.yaml").read_text()
    assert "--overwrite" in here("init", expect=2).err
    assert Path("surefoot.yaml").read_text() == before
    here("init", "--overwrite")
    assert Path("surefoot.yaml").read_text() != before
