"""Types every command wrongly, in one fresh process; prints what came of it, as JSON.

A line for each: the arguments, the exit code, the error, and which heavy libraries were imported.
"""

import contextlib
import inspect
import io
import json
import sys
from pathlib import Path

from surefoot.cli import main
from surefoot.cli.app import app
from surefoot.cli.arguments import Place

HEAVY = ("torch", "transformers", "datasets", "pandas", "pyarrow", "scipy", "matplotlib")
#: What stands for a required value that names nothing to read.
THERE = "there.yaml"


def parameters(callback):
    """The parameters that a command's user types, with the marker of places."""
    for parameter in inspect.signature(callback).parameters.values():
        declared, *metadata = getattr(parameter.annotation, "__metadata__", [None])
        if declared is not None:
            place = next((one for one in metadata if isinstance(one, Place)), None)
            yield parameter, declared, place


def typed(parameter, declared, value):
    """The words of an argument or an option."""
    if type(declared).__name__ == "ArgumentInfo":
        return [value]
    return [f"--{parameter.name.replace('_', '-')}", value]


def wrong_lines(name, callback):
    """Command lines with one fault each: an option that is none, and each place that is none."""
    known = list(parameters(callback))
    required = {p.name for p, _, _ in known if p.default is inspect.Parameter.empty}

    def line(absent):
        words = [name]
        for parameter, declared, _ in known:
            if parameter.name in {*required, absent}:
                value = "nowhere/absent.yaml" if parameter.name == absent else THERE
                words += typed(parameter, declared, value)
        return words

    yield [*line(None), "--optoin", "3"]
    for parameter, declared, place in known:
        if place is not None or getattr(declared, "metavar", None) == "CONFIG":
            yield line(parameter.name)


def run(words):
    """Exit code and messages of a command line."""
    sys.argv, said = ["surefoot", *words], io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code
    return {
        "typed": words,
        "code": code,
        "said": " ".join(said.getvalue().split()),
        "heavy": [one for one in HEAVY if one in sys.modules],
    }


if __name__ == "__main__":
    Path(THERE).write_text("data: {train: [there.yaml]}\noutput: runs/x\n")
    commands = {
        (one.name or one.callback.__name__).replace("_", "-"): one.callback
        for one in app.registered_commands
    }
    lines = [["--version"], ["--help"], *([name, "--help"] for name in commands)]
    lines += [line for name, callback in commands.items() for line in wrong_lines(name, callback)]
    lines += [
        ["train", THERE, "--data.train", "nowhere/absent.jsonl"],
        ["train", THERE, "--objective.risk", "{kind: cvar, levle: 0.2}"],
        ["train", THERE, "--scorer", "{kind: policy, model: ./absent}"],
        [
            *("train", THERE, "--objective", "{kind: online, reward: runs/absent}"),
            *("--scorer", f"{{kind: policy, model: {THERE}}}"),
        ],
        ["sample", THERE, "--auxiliary", "{kind: judge, base_ulr: x}"],
        ["sample", THERE, "--reference", "{kind: language-model, model: a/b/absent}"],
    ]
    print(json.dumps([run(line) for line in lines]))
