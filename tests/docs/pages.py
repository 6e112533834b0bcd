"""Pages of the documentation, run as written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from language_models import byte_tokenizer, llama

from surefoot.cli.app import app
from surefoot.data.writing import write_preferences
from surefoot.worlds import TextWorld

DOCS = Path(__file__).parents[2] / "docs"


def make_demo(pairs: int, test_pairs: int = 96) -> None:
    """What pages name of `surefoot demo --full`, but small: pairs, a model of random weights."""
    folder = Path("demo-full")
    folder.mkdir()
    sizes = {"train": pairs, "test": test_pairs, "deployment": test_pairs}
    for seed, (name, size) in enumerate(sizes.items()):
        observed = TextWorld().training(seed).observed
        write_preferences(observed.select(range(size)), folder / f"{name}.jsonl")
    llama(max_position_embeddings=512).save_pretrained(folder / "language-model")
    byte_tokenizer().save_pretrained(folder / "language-model")


def run_page(page: str, commands: Sequence[str] | None = None) -> Iterator[list[str]]:
    """Write its configurations (`# NAME` first) here, and run its commands one by one.

    Args:
        page: its text.
        commands: those to run; default: all that stand in blocks of `sh`.
    """
    for block in re.findall(r"```yaml\n(# .*?)```", page, flags=re.DOTALL):
        Path(block.splitlines()[0].removeprefix("# ")).write_text(block)
    if commands is None:
        commands = "".join(re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)).splitlines()
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "surefoot"
        with pytest.raises(SystemExit) as ended:
            app(arguments)
        assert not ended.value.code, command
        yield arguments
