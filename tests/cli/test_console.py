"""Messages, tables and the next command on the terminal."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
import warnings
from pathlib import Path

import pytest

from surefoot.cli import _terminated, console, main
from surefoot.errors import ConfigurationError
from surefoot.runs import claim
from surefoot.statistics import mean


@pytest.mark.parametrize(("rank", "waits"), [("0", 0), ("3", 1)])
def test_the_first_process_tells_an_error_before_the_others(monkeypatch, capsys, rank, waits):
    waited = []
    monkeypatch.setattr(console.time, "sleep", waited.append)
    monkeypatch.setenv("RANK", rank)
    console.complain("no such file.")
    assert len(waited) == waits
    told = capsys.readouterr().err
    assert told.startswith("error: " + ("process 3: " if waits else "") + "no such file.")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_table_cuts_nothing_at_any_width(monkeypatch, capsys, width):
    monkeypatch.setattr(console.out, "width", width)
    name = "runs/a-long-name-of-a-run/with-a-folder-inside"
    figures = [".688 [.640, .731] longer", ".726 [.701, .752]", ".594 [.548, .639]", ""]
    console.table(
        "Title", ["run", "best ruler", "log-loss", "accuracy", "change"], [[name, *figures]]
    )
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= max(width, len(name))
    assert "…" not in shown
    assert "change" not in shown  # a column without a figure
    for part in (".688", "[.640, .731]", "longer", "[.701, .752]", "best"):
        assert part in shown
    assert name in shown  # in one piece, to be copied


def test_why_there_is_no_interval_is_not_for_the_table():
    found = mean([1.0, 0.0, 1.0], covers="pairs")
    assert found.low is None
    assert console.figure(found) == "0.667 (no interval)"
    assert console.figure(None) == ""


def test_warnings_for_authors_of_code_are_not_for_users(capsys):
    with warnings.catch_warnings():  # puts showwarning back
        console.quiet_libraries()
        warnings.simplefilter("always")
        warnings.warn("an argument of a library is deprecated", FutureWarning, stacklevel=1)
        warnings.warn("a pair was cut", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: a pair was cut\n"


def test_a_line_about_a_file_stays_one_line(capsys):
    console.say("wrote a\nerror: b\u2028c")
    with pytest.raises(ConfigurationError, match="--yes"):
        console.confirmed("two lines\nof a cost")
    assert capsys.readouterr().err == "wrote a\\nerror: b\\u2028c\ntwo lines\nof a cost\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate", "run", "x.jsonl", "--output", "o", "--baseline", ""], "after --baseline is"),
        (["audit", ""], "after audit is empty"),
        ([""], "an argument is empty"),
        (["audit", "n" * 5000], "File name too long"),
        (["evaluate", "n" * 5000, "x.jsonl", "--output", "o"], "File name too long"),
        (["score", "n" * 5000, "x.jsonl", "--output", "o"], "File name too long"),
        (["audit", "x.jsonl", "--against", "n/" * 3000], "File name too long"),
    ],
)
def test_names_that_are_none_and_names_that_no_disk_takes(
    tmp_path, monkeypatch, capsys, arguments, says
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.jsonl").write_text('{"prompt": "p", "chosen": "a", "rejected": "b"}\n')
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(sys, "argv", ["surefoot", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    told = capsys.readouterr().err
    (line,) = [line for line in told.splitlines() if line.startswith("error: ")]
    assert says in line
    assert "Traceback" not in told


def test_the_next_command_can_be_typed(capsys):
    words = ["train", "CONFIG", "--scorer", "{kind: policy}", "--output", Path("my runs/x's")]
    console.conclude("It is so.", *words)
    said = capsys.readouterr()
    assert said.out.strip() == "It is so."
    (line,) = said.err.splitlines()
    assert shlex.split(line.removeprefix("next: ")) == ["surefoot", *map(str, words)]


@pytest.mark.parametrize(("ends", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_whatever_ends_a_command_politely_it_says_how_to_go_on(
    tmp_path, monkeypatch, capsys, ends, code
):
    def stopped(arguments):
        with claim(tmp_path / "run", "train") as folder:
            folder.begin()
            os.kill(os.getpid(), ends)
            time.sleep(10)

    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("surefoot.cli.run_command", stopped)
    monkeypatch.setattr(sys, "argv", ["surefoot", "train", "x.yaml"])
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert end.value.code == code
    said = capsys.readouterr().err
    assert said.startswith("stopped. ")
    assert "goes on with it" in said or "begins anew" in said


def test_a_process_that_a_command_has_made_just_ends(monkeypatch):
    """Such as a worker that was forked: it says nothing of its own."""
    ended = []
    monkeypatch.setattr(os, "kill", lambda *how: ended.append(how))
    monkeypatch.setattr(signal, "signal", lambda *how: ended.append(how))
    _terminated(os.getpid() + 1, signal.SIGTERM, None)
    assert ended == [(signal.SIGTERM, signal.SIG_DFL), (os.getpid(), signal.SIGTERM)]


@pytest.mark.parametrize("typed", [["help"], ["help", "audit"], ["-h"], ["audit", "-h"]])
def test_help_is_asked_for_as_of_other_commands(monkeypatch, capsys, typed):
    monkeypatch.setattr(sys, "argv", ["surefoot", *typed])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    told = capsys.readouterr().out
    assert "Usage: surefoot" in told
    assert ("audit [OPTIONS]" in told) == ("audit" in typed)


@pytest.mark.parametrize("name", ["my pairs.jsonl", "p.jsonl.gz", "p.csv"])
def test_data_in_place_of_a_configuration_are_sent_to_init(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("prompt,chosen,rejected\n")
    monkeypatch.setattr(sys, "argv", ["surefoot", "train", name])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert f"surefoot init {shlex.quote(name)}" in " ".join(capsys.readouterr().err.split())
