"""Every option that names something which is read says so, and no output takes its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import surefoot.auxiliary
import surefoot.auxiliary.judge.options
import surefoot.policy.config
import surefoot.training.config  # noqa: F401
from surefoot.options import Options, Reads, places_of
from surefoot.policy.config import OnlineConfig
from surefoot.training import RunConfig

#: Options that hold text, and do not name what is read.
OTHERS = {
    "DataOptions.columns",
    "PromptOptions.columns",
    "OptimiserOptions.report_to",
    "RunConfig.output",
    "OnlineConfig.output",
    "SampleConfig.output",
    "Judge.base_url",
    "Judge.model",
    "Judge.api_key_env",
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
                marked = any(isinstance(one, Reads) for one in field.metadata)
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
    from surefoot.errors import ConfigurationError
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
