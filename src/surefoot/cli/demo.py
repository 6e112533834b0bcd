"""`surefoot demo`."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli.arguments import Overwrite, SuitesFolder
from surefoot.cli.console import conclude, err, out, say
from surefoot.errors import ConfigurationError, SurefootError

if TYPE_CHECKING:
    from surefoot.demo.story.page import Story
    from surefoot.demo.story.steps import DemoStep, DoneSteps
    from surefoot.runs import RunFolder

#: In the demo's folder: its page, and what its commands print as results.
_PAGE, _LOG = "report.html", "log.txt"
_SEEDS = 10


def demo(
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the page and all it rests on. [demo, or demo-full]"),
    ] = None,
    suites: SuitesFolder = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Tables of many objectives in a world whose truth is known."),
    ] = False,
    seeds: Annotated[
        int | None, typer.Option(min=3, help=f"For --full: seeds of each objective. [{_SEEDS}]")
    ] = None,
    policy: Annotated[
        bool | None,
        typer.Option(
            "--policy/--no-policy", help="For --full: train small language models too. [yes]"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a demo that was stopped.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Audit pairs, train the remedy and plainly, prove the difference: in two minutes.

    With people's labels where they are at hand (a folder of suites that has HH: --suites, or
    SUREFOOT_SUITES), else in a small world that it makes. What it runs are `audit`, `train` and
    `evaluate`, as you would type them. Needs no hub and no network.

    For example:

        surefoot demo
        surefoot demo --suites folder --output demo
        surefoot demo --full --no-policy
    """
    from surefoot.runs import Mark, is_finished

    if not full and (seeds is not None or policy is not None):
        raise ConfigurationError("--seeds and --policy go with --full, which was not given.")
    if full and suites is not None:
        raise ConfigurationError("--suites does not go with --full, whose world is made.")
    output = output or Path("demo-full" if full else "demo")
    if resume and not overwrite:
        mark = Mark.of(output)
        if mark and mark.command == _command(full) and is_finished(output):
            if full:
                from surefoot.demo.progress import PARTS, DemoProgress

                DemoProgress(output / PARTS).clear()  # it may have been stopped before that
            say(f"{output} is finished already: there is nothing to resume.")
            return
    try:
        how: dict[str, Any] = {"overwrite": overwrite, "resume": resume}
        if full:
            _tables(output, seeds or _SEEDS, policy is not False, how)
        else:
            _story(output, suites, how)
    except KeyboardInterrupt as stopped:
        mark = Mark.of(output)
        if mark and not mark.finished:
            words = [*_command(full).split(), "--output", str(output), "--resume"]
            words += ["--seeds", str(seeds)] if seeds else []
            words += ["--no-policy"] if policy is False else []
            go_on = shlex.join(["surefoot", *words])
            stopped.__notes__ = [f"What is done stays in {output}. Go on: {go_on}"]
        raise


def _command(full: bool) -> str:
    """What the mark of its folder calls it."""
    return "demo --full" if full else "demo"


def _story(output: Path, suites: Path | None, how: Mapping[str, Any]) -> None:
    """Run the commands one after the other, and make the page of what they left."""
    from surefoot.demo.story.data import PAIRS, write_data
    from surefoot.demo.story.page import Story, story_page
    from surefoot.demo.story.steps import DoneSteps, demo_steps
    from surefoot.runs import claim
    from surefoot.scorers.named import default_encoder

    default_encoder()  # the audit would do without, and the training would not
    with claim(output, _command(False), **how) as folder:
        folder.begin(partial(_clear, goes_on=how["resume"]))
        data = write_data(folder, suites, say)
        done = DoneSteps.read(folder.path, demo_steps(str(folder.path / PAIRS), folder.path))
        for number, step in enumerate(done.every, start=1):
            _do(folder, done, step, f"step {number} of {len(done.every)}, {step.name}")
        story = Story.read(folder.path, data, done)
        folder.write(_PAGE, story_page(story))
        parts = [str(step.folder.relative_to(folder.path)) for step in done.every]
        folder.finish([_PAGE, PAIRS], parts)
    _show(story)
    say(f"open {folder.path / _PAGE} in a browser; {_LOG} beside it has what the commands printed")
    conclude(story.headline[1], *story.next_steps[0].words)


def _clear(folder: Path, goes_on: bool) -> None:
    """Take away what says how far an earlier demo was; each command replaces its own folder."""
    from surefoot.demo.story.data import ABOUT
    from surefoot.demo.story.steps import DONE

    for name in (_PAGE,) if goes_on else (_PAGE, _LOG, ABOUT, DONE):
        (folder / name).unlink(missing_ok=True)


def _do(folder: RunFolder, done: DoneSteps, step: DemoStep, title: str) -> None:
    """Run one command as it would be typed, unless this demo has; its results go to the log."""
    from surefoot.cli import run_command
    from surefoot.demo.story.steps import DONE

    if step.name in done.seconds:
        say(f"{title}: done before")
        return
    spent = f"{sum(done.seconds.values()):.0f} s so far, " if done.seconds else ""
    say(f"{title} ({spent}about {done.left:.0f} s to go): {step.command}")
    words = [*step.words, *(["--overwrite"] if step.folder.exists() else [])]
    start = time.perf_counter()
    log = folder.path / _LOG
    # Bars of progress stay on the terminal.
    with log.open("a", encoding="utf-8") as file, out.into(file), err.into(file), _typed(words):
        say(f"$ {step.command}")
        code = run_command(words)
    if code:
        raise SurefootError(f"{step.command} ended with exit code {code}; see {log}")
    done.seconds[step.name] = round(time.perf_counter() - start, 1)
    folder.write(DONE, done.seconds)


@contextmanager
def _typed(words: Sequence[str]) -> Iterator[None]:
    """These words as the command line, which pages, manifests and locks quote."""
    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        yield
    finally:
        sys.argv = before


def _show(story: Story) -> None:
    """The story in a few lines."""
    lines = {
        "Found": f"{story.damage} {story.labels.verdict}",
        "Remedy": f"{story.labels.remedy.sentence} {' '.join(story.options)}".rstrip(),
        "Proof": story.proof.sentence,
    }
    for title, line in lines.items():
        out.print(f"\n{title}", style="bold")
        out.print(line)


def _tables(output: Path, seeds: int, policies: bool, how: Mapping[str, Any]) -> None:
    """The long tables, in a terminal and on their page."""
    from surefoot.demo import print_policies, print_table, run_demo
    from surefoot.demo.page import verdict
    from surefoot.demo.policies.training import PolicyOptions

    trained = PolicyOptions() if policies else None
    result = run_demo(output, seeds=seeds, policies=trained, say=say, **how)
    print_table(result, out)
    if result.policies is not None:
        print_policies(result.policies, out)
    else:
        say(f"no language models: {result.no_policies}")
    say(f"open {output / _PAGE} in a browser")
    conclude(verdict(result)[1], "audit", output / "train.jsonl", "--output", "audit")
