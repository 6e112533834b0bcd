"""`surefoot init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli.arguments import ReadingFlags
from surefoot.cli.console import conclude
from surefoot.cli.inputs import read
from surefoot.errors import DataError
from surefoot.paths import FILES, READS

if TYPE_CHECKING:
    from surefoot.data import Preferences
    from surefoot.training.commented import Draft


def init(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, or hub data sets, as data.train takes them; without: to fill in."
        ),
        FILES,
    ] = None,
    *,
    output: Annotated[Path, typer.Option(help="The configuration to write.")] = Path(
        "surefoot.yaml"
    ),
    scorer: Annotated[
        str,
        typer.Option(
            help="What is to be trained: `embedding` (a head on frozen embeddings, in minutes), "
            "`reward-model`, `policy` or `general-preference`."
        ),
    ] = "embedding",
    model: Annotated[
        str | None,
        typer.Option(help="That a language model starts from: a folder, a hub name or `smollm2`."),
        READS,
    ] = None,
    reading: ReadingFlags,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write in place of a file of that name.")
    ] = False,
) -> None:
    """Write a commented configuration for these comparisons, which trains as it is.

    It says how columns and labels were read, has the sizes that suit them, and offers in comments
    what may be worth trying.

    For example:

        surefoot init pairs.jsonl
        surefoot init pairs.csv --column prompt=question --output robust.yaml
        surefoot init pairs.jsonl --scorer policy --model smollm2
        surefoot init
    """
    from surefoot.runs.claim import claim_file
    from surefoot.training.first_scorer import scorer_of

    options = scorer_of(scorer, model)
    from surefoot.training.first_draft import PLACEHOLDER, template

    reads = [*(data or ()), *(reading.texts or ())]
    with claim_file(output, overwrite=overwrite, reads=reads) as place:
        draft = _drafted(data, options, reading) if data else template(options)
        place.write_text(draft.text, encoding="utf-8")
    if data:
        conclude(f"Wrote {output}. {draft.head[0]}", "train", output)
    else:
        sentence = f"Wrote {output}, in which the data are to be filled in (data.train)."
        conclude(sentence, "train", output, "--data.train", PLACEHOLDER)


def _drafted(data: list[str], scorer: dict[str, Any], reading: ReadingFlags) -> Draft:
    """A configuration for these data, which says how they were read where that was asked for."""
    from surefoot.training.first_draft import first_draft

    given = reading.options | {"no_prompt": reading.no_prompt or None}
    said = {name: value for name, value in given.items() if value is not None}
    return first_draft(_sound(data, reading), data, scorer, said)


def _sound(data: list[str], reading: ReadingFlags) -> Preferences:
    """The rows without damage, which are those that training takes.

    Raises:
        DataError: there are none.
    """
    from surefoot.data.checks import check, without

    preferences = read(data, reading)
    errors = [one for one in check(preferences).findings if one.severity == "error"]
    sound = without(preferences, errors)
    if not len(sound):
        raise DataError(
            f"{preferences.name}: every row is damaged ({', '.join(one.kind for one in errors)}); "
            "`surefoot audit` shows how."
        )
    return sound
