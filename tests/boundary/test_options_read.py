"""Whatever stands in a configuration: options, or one clear `ConfigurationError` in time."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import pkgutil
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import surefoot
from surefoot.boundary.yaml_texts import yaml_value
from surefoot.cli import main
from surefoot.errors import ConfigurationError, DataError
from surefoot.options import Member, Options
from surefoot.training.config import RunConfig
from surefoot.training.language.arguments import preference_arguments, trackers

for _module in pkgutil.walk_packages(surefoot.__path__, "surefoot."):
    if "__main__" not in _module.name:
        importlib.import_module(_module.name)


def _all(base: type[Options]) -> Iterator[type[Options]]:
    for one in base.__subclasses__():
        yield one
        yield from _all(one)


CLASSES = sorted(
    {one for one in _all(Options) if not inspect.isabstract(one)},
    key=lambda one: (one.__module__, one.__name__),
)
OPTIONS = [(one, name) for one in CLASSES for name in one.model_fields]

#: What a class needs beside the option that is tried.
NEEDED: dict[str, dict[str, Any]] = {
    "Judge": {"base_url": "https://h/v1", "model": "m"},
    "RunConfig": {"data": {"train": ["x.jsonl"]}, "output": "run"},
    "OnlineConfig": {
        "data": {"prompts": ["x.jsonl"]},
        "scorer": {"kind": "policy", "model": "m", "beta": 0.1},
        "objective": {"kind": "online", "reward": "r"},
        "output": "run",
    },
    "SampleConfig": {"data": {"train": ["x.jsonl"]}, "output": "run"},
    "EnsembleOptions": {"members": ["a", "b"]},
    "DataOptions": {"train": ["x.jsonl"]},
    "PolicyScorer": {"model": "m", "beta": 0.1},
    "RewardModelScorer": {"model": "m"},
}

LONG, DEEP = "x" * 200_000, json.loads("[" * 60 + "]" * 60)
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 2**31, 2**32, 2**63, 10**12, 10**30, -(10**30), 10**5000),
    *(2.0**32, 0.5, -0.5, 1.5, 1e-320, 1e308, -1e308, float("nan"), float("inf"), -float("inf")),
    *("", " ", "auto", "nan", "inf", "1e400", "mean", "\ud800", "\0", "~nouser/x", "\x1b]52;x\x07"),
    *(LONG, "9" * 10_000, b"bytes", date(2026, 1, 1), datetime(9999, 12, 31, tzinfo=UTC)),
    *([], [[]], ["x"], [None], [1e400], ["x"] * 1000, DEEP, {}, {"kind": None}, {"kind": []}),
    *({"kind": "mean"}, {"kind": "mean", "x": 1}, {"name": 3}, {1: 2}, {None: None}, {LONG: LONG}),
    *({"kind": "cvar", "level": {"kind": "cvar"}}, {"a": {"b": DEEP}}, {"\ud800": "\ud800"}),
    *(10**400, -0.0, (1, 2), {1, 2}, object()),
]  # fmt: skip


def read(one: type[Options], values: dict[Any, Any]) -> Options | None:
    """The options, checked that they can be written and read again; None where refused."""
    begun = time.monotonic()
    try:
        made = one(**values)
    except (ConfigurationError, DataError) as error:
        message = str(error)
        assert message
        assert len(message) < 6000, message[:300]
        message.encode()
        return None
    finally:
        assert time.monotonic() - begun < 2
    written = yaml.safe_dump(made.model_dump(mode="json"), sort_keys=False)
    again = yaml_value(written, "x") or {}
    again.pop("kind", None)
    assert one(**again) == made
    repr(made), str(made)
    return made


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.__name__)
def test_any_value_of_any_option_is_taken_or_refused_by_name(one):
    needed = NEEDED.get(one.__name__, {})
    for name in one.model_fields:
        for value in VALUES:
            read(one, needed | {name: value})
    for name in ("", "no_such_option", "\ud800", "\x1b[31m", LONG, "kind", "self", "values"):
        assert read(one, needed | {name: 1}) is None or name in one.model_fields


anything = st.recursive(
    st.sampled_from(["auto", "mean", "", None, True, 10**30, float("nan"), 1e308, "\ud800", -1])
    | st.integers()
    | st.floats()
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "name", "level", "unit", "radius", "x"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(OPTIONS), anything)
def test_any_structure_of_any_option(option, value):
    one, name = option
    read(one, NEEDED.get(one.__name__, {}) | {name: value})


def test_every_slot_takes_or_refuses_anything():
    slots = [one for one in _all(Options) if issubclass(one, Member) and one.slot and not one.kind]
    assert len(slots) > 8
    for one in slots:
        if one.registry:
            for value in VALUES:
                with contextlib.suppress(ConfigurationError):
                    one.parse(value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"training.seed": "4294967296"}, r"training\.seed is larger than any option takes"),
        ({"training.micro_batch_pairs": "1000000000000"}, "larger than any option takes"),
        ({"training.max_steps": "9" * 300}, "larger than any option takes"),
        ({"training.max_steps": "9" * 5000}, "a number of 5000 characters"),
        ({"training.epochs": "1e308"}, "epochs"),
        ({"training.epochs": ".nan"}, "epochs"),
        ({"training.learning_rate": ".inf"}, "learning_rate"),
        ({"training": "[1, 2]"}, "options by name"),
        ({"training.seed.seed": "1"}, "seed"),
        ({".".join(["training"] * 200): "1"}, "nested too deeply"),
        ({"": "1"}, "option"),
        ({"objective": "{5: 1}"}, "should be a text; got 5"),
        ({"objective": "&a [*a]"}, "an alias repeats"),
        ({"objective": "[" * 9999}, "nested too deeply"),
        ({"output": "2026-99-99"}, "cannot be read"),
        ({"output": '"\\0"'}, "null character"),
        ({"output": '"\\ud800"'}, "half of a surrogate pair"),
    ],
)
def test_overrides_of_the_command_line(tmp_path, given, says):
    path = tmp_path / "c.yaml"
    path.write_text("data: {train: x.jsonl}\nscorer: {kind: reward-model, model: m}\noutput: r\n")
    with pytest.raises(ConfigurationError, match=says):
        RunConfig.read(path, given)


def test_seeds_of_several_runs_end_where_generators_do():
    config = RunConfig(data={"train": "x"}, output="r", training={"seed": 2**32 - 1})
    with pytest.raises(ConfigurationError, match="larger than any option"):
        config.for_seed(2**32, "r")


def test_the_size_of_a_step_is_found_at_once(tmp_path):
    training = {"pairs_per_step": 10**6 - 1, "micro_batch_pairs": 2**32 - 1}
    scorer = {"kind": "reward-model", "model": "m"}
    config = RunConfig(data={"train": "x"}, output="r", scorer=scorer, training=training)
    begun = time.monotonic()
    with pytest.raises(ConfigurationError, match="a micro-batch of 999999"):
        preference_arguments(config, tmp_path, held_out=False)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tensorbord", "did you mean 'tensorboard'"),
        ("clearml", "names 'clearml', whose package is not installed here"),
        ("\x1b[31m", r"unknown place in training\.report_to"),
    ],
)
def test_logs_go_to_what_is_there(name, says):
    assert trackers(["none"]) == ["none"]
    with pytest.raises(ConfigurationError, match=says) as caught:
        trackers([name])
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "c.yaml", "--seeds", "1000000000000"],
        ["audit", "x.jsonl", "--max-length", "1" + "0" * 30],
        ["audit", "x.jsonl", "--clusters", "1" + "0" * 30],
        ["evaluate", "m", "x", "--output", "o", "--tie-tolerance", "nan"],
        ["evaluate", "m", "x", "--output", "o", "--tie-tolerance", "inf"],
        ["evaluate", "m", "x", "--output", "o", "--tie-tolerance", "1" * 5000],
    ],
)
def test_numbers_of_the_command_line(monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.argv", ["surefoot", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "Traceback" not in told


def test_a_tracker_that_is_not_there_is_told_before_the_data_are_read(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    training = {"report_to": ["clearml"]}
    (tmp_path / "unread.jsonl").write_text("no preferences")
    config = {"data": {"train": "unread.jsonl"}, "output": "run", "training": training}
    scorer = {"kind": "reward-model", "model": "m"}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config | {"scorer": scorer}))
    monkeypatch.setattr("sys.argv", ["surefoot", "train", "c.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "whose package is not installed here" in capsys.readouterr().err
