"""The pairs of the demo: real ones where they are at hand, else those of a small world."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from surefoot.data import Preferences
from surefoot.data.writing import write_preferences
from surefoot.errors import DataError
from surefoot.evaluation.suite import FOLDER_VARIABLE
from surefoot.evaluation.suites import find_suite
from surefoot.report.words import counted, percent
from surefoot.runs import RunFolder
from surefoot.worlds import TextWorld
from surefoot.worlds.pool import COMMON, RARE

#: Of the pairs and of what is known of them, in the demo's folder.
PAIRS, ABOUT = "train.jsonl", "data.json"
#: The real pairs: two sources that want opposite things, as people labelled them.
REAL = "hh_rlhf"
#: Two sources alike in size, on all prompts that the topics have, as intervals go by prompts.
#: Settled in pilot runs, after two weaker worlds in which the audit or the proof could not tell.
#: With each of the seeds 0, 1 and 2 the conflict has p < 1e-8 and the proof p < .001.
WORLD = TextWorld(
    training_prompts=13,
    test_prompts=13,
    rare_prompts=12,
    pairs=2000,
    test_pairs=2000,
    rare_share=0.5,
    confounding=0.95,
    flip_rate=0.1,
)


class DemoData(BaseModel):
    """What is known of the pairs before anything is looked at."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    title: str
    """What they are called."""
    about: str
    """What they are, where from, and what is wrong with them on purpose."""
    planted: dict[str, int] = {}
    """Damaged rows that were planted, by the kind of finding; none among real pairs."""


def write_data(folder: RunFolder, suites: Path | None, say: Callable[[str], object]) -> DemoData:
    """Write the pairs and what is known of them, or read that again where it is written.

    Args:
        folder: of the demo.
        suites: folder that holds real pairs; None: that of `SUREFOOT_SUITES`, where they may be
            missing. Nothing is fetched.
        say: called with a line on what was taken.

    Raises:
        DataError: `suites` is given, and the pairs are not there.
    """
    place = folder.path / ABOUT
    if place.is_file():
        return DemoData.model_validate_json(place.read_bytes())
    pairs, about = _real(suites, say) or _made(WORLD)
    say(f"{about.title}: {about.about}")
    write_preferences(pairs, folder.path / PAIRS)
    folder.write(ABOUT, about.model_dump())
    return about


def _real(suites: Path | None, say: Callable[[str], object]) -> tuple[Preferences, DemoData] | None:
    """The real pairs, unless nobody named a folder that has them."""
    chosen = suites or os.environ.get(FOLDER_VARIABLE)
    if not chosen:
        return None
    suite = find_suite(REAL)
    try:
        pairs = suite.load(chosen)
    except DataError as error:
        if suites:
            raise
        say(f"no real pairs ({error})")
        return None
    about = (
        f"{counted(len(pairs), 'pair')}, {suite.description[:1].lower()}{suite.description[1:]} "
        f"(Anthropic, licence {suite.licence}), read as two sources. Nothing is planted: what is "
        "found was there. The texts can offend."
    )
    return pairs, DemoData(title="HH", about=about)


def _made(world: TextWorld) -> tuple[Preferences, DemoData]:
    """The pairs of a world, in which people in a hurry are a source of their own."""
    damaged = world.damaged()
    both = (*damaged.rows, *world.test().rows)  # the audit sets pairs apart itself
    rows = [{**row, "source": row["group"], "group": None} for row in both]
    about = (
        f"{counted(len(rows), 'pair')} that surefoot makes, with two sources. Of those by people "
        f"who are “{COMMON}” the longer response is mostly the better one; people “{RARE}” want "
        f"brief answers. That conflict is planted, and {percent(world.flip_rate)} flipped labels, "
        f"and {sum(damaged.planted.values())} damaged rows."
    )
    return Preferences.from_rows(rows, "pairs of a small world"), DemoData(
        title="A small world", about=about, planted=damaged.planted
    )
