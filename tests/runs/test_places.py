"""Every option that names something which is read says so, and no output takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

import surefoot.judge
import surefoot.nuisance
import surefoot.online.config
import surefoot.training.config  # noqa: F401
from surefoot.cli import _at_home
from surefoot.errors import ConfigurationError
from surefoot.online.config import OnlineConfig
from surefoot.options import Options, Place, places_of
from surefoot.runs import claim
from surefoot.training import RunConfig

#: Options that hold text, and do not name what is read.
OTHERS = {
    "DataOptions.columns",
    "PromptOptions.columns",
    "OptimiserOptions.report_to",
    "RunConfig.output",
    "OnlineConfig.output",
    "SampleConfig.output",
    *(f"{cls}.{name}" for cls in ("Judge", "JudgeOptions") for name in ("base_url", "model")),
}


def _every(cls: type[Options] = Options) -> Iterator[type[Options]]:
    for one in cls.__subclasses__():
        if one.__module__.startswith("surefoot."):
            yield one
        yield from _every(one)


def _of_text() -> dict[str, bool]:
    """Options of any class that take free text: whether they are marked as read."""
    found = {}
    for cls in _every():
        for name, field in cls.model_fields.items():
            if name in cls.__annotations__ and "str" in str(field.annotation):
                marked = any(isinstance(one, Place) and one.reads for one in field.metadata)
                found[f"{cls.__name__}.{name}"] = marked
    return found


def test_no_option_is_forgotten():
    """A new option that takes text is marked, or is known to name nothing that is read."""
    doubtful = ("model", "path", "file", "folder", "data", "train", "name", "reward", "template")
    found = _of_text()
    assert sum(found.values()) >= 10
    forgotten = {
        name
        for name, marked in found.items()
        if not marked and name not in OTHERS and any(word in name.lower() for word in doubtful)
    }
    forgotten = {name for name in forgotten if name.partition(".")[2] in doubtful}
    assert forgotten == set()


def _marked() -> dict[str, FieldInfo]:
    """Options of any class that name places."""
    return {
        f"{cls.__name__}.{name}": field
        for cls in _every()
        for name, field in cls.model_fields.items()
        if any(isinstance(one, Place) for one in field.metadata)
    }


@pytest.mark.parametrize("name", _marked())
def test_the_users_own_folder_in_every_place(name, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    field = _marked()[name]
    takes = TypeAdapter(Annotated[field.annotation, *field.metadata])
    several = any(word in str(field.annotation) for word in ("tuple", "list"))
    for given, meant in (("~/a/b", "/home/someone/a/b"), ("./~/a", "./~/a"), ("a~", "a~")):
        found = takes.validate_python([given] if several else given)
        assert (list(found) if several else found) == ([meant] if several else meant)


def test_outputs_are_marked():
    assert {"RunConfig.output", "OnlineConfig.output", "SampleConfig.output"} <= _marked().keys()


def test_the_users_own_folder_as_output(tmp_path, monkeypatch):
    """From a configuration, from the command line, and of a user who is not there."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    config = RunConfig(data={"train": "p.jsonl"}, output="~/runs")
    assert config.output == str(tmp_path / "home" / "runs")
    with claim("~/runs", "train") as folder:
        assert folder.path == tmp_path / "home" / "runs"
    with pytest.raises(ConfigurationError, match="no user 'no-such-user-of-ours' here"):
        claim("~no-such-user-of-ours/runs", "train").__enter__()
    assert _at_home("--output=~/a=b") == f"--output={tmp_path}/home/a=b"
    assert [_at_home(one) for one in ("~", "--a=~", "a=~/b")] == ["~", "--a=~", "a=~/b"]
    assert not any(tmp_path.iterdir())


def test_what_configurations_read():
    run = RunConfig(
        data={"train": ["a.jsonl", "b.jsonl"]},
        scorer={"kind": "policy", "model": "base"},
        objective={"kind": "doubly-robust", "auxiliary": "runs/judge"},
        output="out",
    )
    assert set(places_of(run)) == {"a.jsonl", "b.jsonl", "base", "runs/judge"}
    heads = RunConfig(
        data={"train": "a"}, scorer={"kind": "embedding", "encoder": "enc"}, output="o"
    )
    assert set(places_of(heads)) == {"a", "enc"}
    online = OnlineConfig(
        data={"train": "p.jsonl"},
        scorer={"kind": "policy", "model": "base"},
        objective={"kind": "online", "reward": {"members": ["r1", "r2"]}, "watch": "w"},
        output="o",
    )
    assert set(places_of(online)) == {"p.jsonl", "base", "r1", "r2", "w"}


@pytest.mark.parametrize(
    "given",
    [
        {"train": "out/pairs.jsonl", "scorer": {"kind": "embedding"}},
        {"train": "pairs.jsonl", "scorer": {"kind": "policy", "model": "out"}},
        {"train": "pairs.jsonl", "scorer": {"kind": "embedding", "encoder": "link"}},
    ],
)
def test_an_output_over_what_is_read(tmp_path, monkeypatch, given):
    from surefoot.training import train

    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "pairs.jsonl").write_text("{}")
    (tmp_path / "pairs.jsonl").write_text("{}")
    (tmp_path / "link").symlink_to("out")
    config = RunConfig(data={"train": given["train"]}, scorer=given["scorer"], output="out")
    with pytest.raises(ConfigurationError, match="what this run reads"):
        train(config, overwrite=True)
    assert (tmp_path / "out" / "pairs.jsonl").read_text() == "{}"
