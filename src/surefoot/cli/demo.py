"""`surefoot demo`."""

from __future__ import annotations

from pathlib import Path

from surefoot.cli.console import out, quiet_libraries, say


def run(output: Path, seeds: int, quick: bool, policy: bool, overwrite: bool, resume: bool) -> None:
    """Run the demo, print its table, say where its page is."""
    quiet_libraries()
    from surefoot.demo import print_policies, print_table, run_demo

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
