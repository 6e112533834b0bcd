"""`surefoot demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.arguments import Overwrite
from surefoot.cli.console import conclude, out, say

_OUTPUT = Path("demo")


def demo(
    output: Annotated[Path, typer.Option(help="Folder for the page, figures and data.")] = _OUTPUT,
    seeds: Annotated[int, typer.Option(min=3, help="Seeds per method.")] = 10,
    quick: Annotated[
        bool, typer.Option("--quick", help="A smaller world, for a first look.")
    ] = False,
    policy: Annotated[
        bool, typer.Option("--policy/--no-policy", help="Train small language models too.")
    ] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a demo that was stopped.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Diagnose, train plain and robust, compare: on a small world whose truth is known.

    Reward models first, then small language models as policies. Needs no hub and no network.

    For example:

        surefoot demo --output demo
    """
    from surefoot.demo import print_policies, print_table, run_demo
    from surefoot.demo.progress import PARTS, DemoProgress
    from surefoot.runs import Mark, is_finished

    mark = Mark.of(output) if resume and not overwrite else None
    if mark is not None and mark.command == "demo" and is_finished(output):
        DemoProgress(output / PARTS).clear()  # it may have been stopped before that
        say(f"{output} is finished already: there is nothing to resume.")
        return
    result = run_demo(
        output,
        seeds=seeds,
        quick=quick,
        policies=policy,
        say=say,
        overwrite=overwrite,
        resume=resume,
    )
    print_table(result, out)
    if result.policies is not None:
        print_policies(result.policies, out)
    else:
        say(f"no language models: {result.no_policies}")
    say(f"open {output / 'report.html'} in a browser")
    conclude("", "audit", output / "train.jsonl", "--output", "audit")
