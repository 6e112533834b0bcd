"""Commands that are killed: what is left is refused or whole, and going on ends as if undisturbed.

Processes are forked from this one, so that each dies a real death and costs no import.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from forks import forked
from language_models import CHAT, byte_tokenizer, llama, pairs, save

from surefoot.runs import MARK
from surefoot.worlds import TextWorld

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

#: Where a process dies: these shares of all that it does to files.
POINTS = (0.0, 0.3, 0.6, 0.85, 1.0)


def _watch(seen: Callable[[str], None]) -> None:
    """Calls a function at everything that changes a file of the output, with what it becomes."""

    def hook(event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[2], int) and not arguments[2] & 3:
            return  # to read
        if event in ("open", "os.rename", "os.remove") and "out/" in str(arguments[0]):
            seen(str(arguments[1] if event == "os.rename" else arguments[0]))

    sys.addaudithook(hook)


def _run(folder: Path, arguments: list[str], die_at: int | None = None) -> tuple[int, list[str]]:
    """The exit code of a command (negative: a signal), and which files it touched, in order.

    It dies before it touches the one of this number, from 1.
    """
    trace = folder.parent / f"{folder.name}-touched"

    def command() -> int:
        os.chdir(folder)
        sys.argv = ["surefoot", *arguments]
        touched = []

        def seen(place: str) -> None:
            touched.append(place)
            if len(touched) == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

        _watch(seen)
        from surefoot.cli import main

        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        trace.write_text(json.dumps(touched))
        return code

    code = forked(command, Path(f"{folder}-log"))
    return code, json.loads(trace.read_text()) if code == 0 else []


@pytest.fixture(scope="module", autouse=True)
def _import_what_commands_need():
    """Once, in the process that the others are forked from."""
    import surefoot.cli.best_of_n
    import surefoot.cli.evaluate
    import surefoot.cli.sample
    import surefoot.cli.train
    import surefoot.cli.value
    import surefoot.cli.winrate
    import surefoot.demo
    import surefoot.evaluation
    import surefoot.nuisance
    import surefoot.online.training
    import surefoot.report
    import surefoot.training.language.trainer  # noqa: F401

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # children share these objects, and need not look through them
    yield
    gc.unfreeze()


def _written(side: str) -> str:
    """Four responses to the prompt of each pair, as a policy would have written them."""
    rows = pairs(30)
    samples = []
    for i, row in enumerate(rows):
        references = [rows[(i + k) % len(rows)][side] for k in range(4)]
        gold = [float(len(one)) for one in references]
        samples.append({"prompt": row["prompt"], "references": references, "gold": gold})
    return "".join(json.dumps(one) + "\n" for one in samples)


@pytest.fixture
def make(tmp_path, small_encoder, monkeypatch):
    """Makes a folder in which commands run; all see the same names."""
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    policy = save(tmp_path / "policy", llama(), byte_tokenizer(CHAT))
    encoder = {"name": small_encoder, "precision": "float32"}
    language = {"kind": "policy", "model": policy, "precision": "float32", "max_length": 96}
    steps = {"max_steps": 3, "pairs_per_step": 4, "micro_batch_pairs": 4}
    data = {"train": ["pairs.jsonl"], "held_out": 0.2}
    law = {"max_new_tokens": 4}
    references = {
        "kind": "language-model",
        "model": policy,
        "pairs": 1,
        "law": law,
        "batch": 8,
    }
    configs = {
        "heads": {"data": data, "scorer": {"kind": "embedding", "encoder": encoder}},
        "policy": {
            "data": data,
            "scorer": language,
            "training": {**steps, "learning_rate": 1e-3, "save_every": 1, "log_every": 2},
        },
        "online": {
            "data": {"train": ["pairs.jsonl"]},
            "scorer": language,
            "objective": {
                "kind": "online",
                "reward": "../model/out/run",
                "samples": 2,
                "max_new_tokens": 4,
                "risk": {"kind": "cvar", "level": 0.5, "unit": "group"},
                "baseline_samples": 1,
            },
            "training": {
                "max_steps": 3,
                "prompts_per_step": 4,
                "learning_rate": 1e-3,
                "save_every": 1,
                "log_every": 2,
            },
        },
        "sample": {"data": data, "reference": references, "check": False},
    }

    def made(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rows = "".join(json.dumps(row) + "\n" for row in pairs(30, group=["a", "b"]))
        (folder / "pairs.jsonl").write_text(rows)
        for side in ("response_a", "response_b"):
            (folder / f"{side}.jsonl").write_text(_written(side))
        for config, content in configs.items():
            (folder / f"{config}.yaml").write_text(yaml.safe_dump(content | {"output": "out/run"}))
        return folder

    return made


#: A demo of seconds: three heads, and the supervised model with one policy.
SMALL = TextWorld(
    training_prompts=4,
    test_prompts=4,
    rare_prompts=3,
    responses=8,
    pairs=240,
    rare_share=0.2,
    test_pairs=60,
)


@pytest.fixture(autouse=True)
def _small_demo(monkeypatch, small_encoder):
    import surefoot.demo.pipeline
    import surefoot.demo.policies.part
    import surefoot.demo.policies.training
    from surefoot.demo.files import CONFIGURATIONS
    from surefoot.demo.methods import CALIBRATED, methods
    from surefoot.demo.policies.methods import policy_methods
    from surefoot.demo.policies.training import GenerationOptions, PolicyOptions
    from surefoot.scorers.embeddings.encoder import Encoder, EncoderOptions
    from surefoot.worlds.language_model import LanguageOptions

    encoder = EncoderOptions(name=small_encoder, precision="float32")
    needed = {*CONFIGURATIONS.values(), CALIBRATED}  # by files that are written, and the page

    def few(world):
        return [method for method in methods(world) if method.name in needed]

    options = PolicyOptions(
        seeds=1,
        language=LanguageOptions(vocabulary=300, width=8, layers=1, heads=1, epochs=0.2),
        epochs=0.5,
        writing=GenerationOptions(min_new_tokens=1, max_new_tokens=2, responses=1),
    )
    for module, name, small in (
        (surefoot.demo.pipeline, "TextWorld", lambda: SMALL),
        (surefoot.demo.policies.training, "PolicyOptions", lambda: options),
        (surefoot.demo.pipeline, "methods", few),
        (surefoot.demo.pipeline, "Encoder", lambda: Encoder(encoder)),
        (surefoot.demo.policies.part, "WORLD", SMALL),
        (surefoot.demo.policies.part, "policy_methods", lambda world: policy_methods(world)[:2]),
    ):
        monkeypatch.setattr(module, name, small)


def _stages(touched: list[str]) -> list[int]:
    """Where it dies: at its start, at a checkpoint and inside one, after its end, at its mark."""
    numbered = list(enumerate(touched, start=1))
    saving = [number for number, place in numbered if "checkpoint-" in place]
    inside = [number for number in saving if touched[number - 1].endswith("trainer_state.json")]
    marking = [number for number, place in numbered if place.endswith(MARK)]
    removed = [number for number, place in numbered if "/checkpoint-" not in place]
    last_step = next(number for number in removed if number > inside[-1])
    return [1, saving[0], inside[1], last_step, marking[-1]]


#: By name: the command, how it goes on, and whether evaluate can read what it leaves.
COMMANDS = {
    "train heads": (["train", "heads.yaml"], "--resume", True),
    "train seeds": (
        ["train", "heads.yaml", "--seeds", "2", "--training.bootstrap", "true"],
        "--resume",
        True,
    ),
    "train policy": (["train", "policy.yaml"], "--resume", True),
    "train online": (["train", "online.yaml"], "--resume", True),
    "demo": (["demo", "--full", "--seeds", "3", "--output", "out/run"], "--resume", False),
    "sample": (["sample", "sample.yaml"], "--resume", False),
    "audit": (["audit", "pairs.jsonl", "--output", "out/run"], "--overwrite", False),
    "evaluate": (
        ["evaluate", "../model/out/run", "pairs.jsonl", "--output", "out/run"],
        "--overwrite",
        False,
    ),
    "winrate": (
        [
            "winrate",
            "--samples",
            "response_a.jsonl",
            "--against",
            "response_b.jsonl",
            "--judge",
            "../model/out/run",
            "--output",
            "out/run",
        ],
        "--overwrite",
        False,
    ),
    "value": (
        [
            *("value", "../model/out/policy", "pairs.jsonl", "--output", "out/run"),
            *("--samples", "response_a.jsonl", "--auxiliary", "../model/out/run"),
        ],
        "--overwrite",
        False,
    ),
    "best-of-n": (
        ["best-of-n", "../model/out/run", "--samples", "response_a.jsonl", "--output", "out/run"],
        "--overwrite",
        False,
    ),
    "score": (
        ["score", "../model/out/run", "pairs.jsonl", "--output", "out/run.jsonl"],
        "--overwrite",
        False,
    ),
}


def _content(folder: Path) -> dict[str, object]:
    """What a run left, without times and the words of the command."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".surefoot-lock":  # which nobody holds any more
            content = path.read_bytes()
            if path.suffix in (".json", ".html", ".md"):
                text = content.decode()
                if path.suffix == ".json":  # transformers sorts the keys of logs in a checkpoint
                    text = json.dumps(json.loads(text), indent=1, sort_keys=True)
                text = re.sub(r'"command": \[[^\]]*\]', "", text)
                text = re.sub(r'"(train_runtime|\w+_per_second|step_time)": [\d.e-]+', "", text)
                text = re.sub(r'"seconds": {[^}]*}|<p>Seconds: [^<]*</p>', "", text)
                text = re.sub(
                    r"surefoot (audit|train|evaluate|value|winrate|best-of-n) .*", "", text
                )
                content = text.encode()
            found[str(path.relative_to(folder))] = content
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_five_points(make, name):
    command, goes_on, read = COMMANDS[name]
    if "../model/out/run" in command or name == "train online":
        model = make("model")
        trained = ["heads.yaml", *(["policy.yaml"] if name == "value" else [])]
        for config in trained:
            output = f"out/{'policy' if config == 'policy.yaml' else 'run'}"
            code, _ = _run(model, ["train", config, "--output", output])
            assert code == 0, Path(f"{model}-log").read_text()
    whole = make("whole")
    code, touched = _run(whole, command)
    assert code == 0, Path(f"{whole}-log").read_text()
    expected = _content(whole / "out")
    assert not [path for path in expected if ".part-" in path or "lock" in path]
    places = [max(1, round(share * len(touched))) for share in POINTS]
    if name == "train online":
        places = _stages(touched)
    for i, at in enumerate(places):
        folder = make(f"killed-{i}")
        assert _run(folder, command, die_at=at)[0] == -signal.SIGKILL
        if read:
            evaluate = ["evaluate", "out/run", "pairs.jsonl", "--output", "report"]
            code, _ = _run(folder, evaluate)
            said = Path(f"{folder}-log").read_text()
            assert code in (0, 2), said
            assert "Traceback" not in said
            assert code == 0 or re.search(r"does not exist|not finished|no run|absent", said), said
        code, _ = _run(folder, [*command, goes_on])
        said = Path(f"{folder}-log").read_text()
        if code == 2 and "nothing to resume" in said:  # killed before anything was begun
            code, _ = _run(folder, [*command, "--overwrite"])
        assert code == 0, Path(f"{folder}-log").read_text()
        found = _content(folder / "out")
        assert found.keys() == expected.keys()
        for path, content in found.items():
            assert content == expected[path], (name, at, path)
