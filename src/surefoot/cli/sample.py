"""`surefoot sample`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.cli.console import confirmed, out, quiet_libraries, say
from surefoot.cli.train import overrides

if TYPE_CHECKING:
    from surefoot.auxiliary import Sampled


def run(
    config_path: Path, arguments: Sequence[str], resume: bool, yes: bool, overwrite: bool
) -> None:
    """Draw references, have the pairs judged, and print what came out."""
    quiet_libraries()
    from surefoot.auxiliary import Conditions, SampleConfig, sample

    config = SampleConfig.read(config_path, overrides(arguments))
    conditions = Conditions(proceed=lambda cost: yes or confirmed(cost), say=say)
    _show(sample(config, conditions, overwrite=overwrite, resume=resume), Path(config.output))


def _show(found: Sampled, folder: Path) -> None:
    from surefoot.auxiliary.run import PAIRS

    for part in (found.collected, found.judged):
        for note in part.notes if part else ():
            say(note)
    if found.check is not None:
        check = found.check
        out.print(
            f"Reference check: AUC {check.auc} (.5: alike); data longer than references "
            f"{check.longer}. {check.verdict}"
        )
    say(f"wrote {folder / PAIRS}: {len(found.pairs)} pairs")
