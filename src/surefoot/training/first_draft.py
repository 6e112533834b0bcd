"""A configuration to begin with: what suits these comparisons, and what may be worth trying."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from surefoot.data import Preferences
from surefoot.data.apart import SHARE
from surefoot.data.labels.codings import CODINGS
from surefoot.data.reading.account import lines_of
from surefoot.errors import DataError
from surefoot.training.commented import Draft, Offer
from surefoot.training.first_scorer import of_language
from surefoot.training.first_sizes import Sizes

#: Stands where the data are to be named.
PLACEHOLDER = "PAIRS.jsonl"
_HOW = (
    "An option that stands behind `# ` is an offer: take the `# ` away. All options: surefoot "
    "options SECTION, such as data, scorer, objective.risk."
)
_PLAIN = {"loss": "logistic"}
#: Share of prompts with earlier turns from which reading these is offered.
_MANY = 0.2
#: What columns are often called that name parts of the data.
_OF_PARTS = frozenset(
    ("category", "domain", "genre", "kind", "language", "subset", "task", "topic", "type")
)
_FLIPS = Offer(
    "objective",
    {"labels": {"kind": "forward-corrected", "flip_rate": "fitted"}},
    "Where labels are flipped at random, at the rate that is the likeliest",
)
_ADAPTER = Offer(
    "scorer", {"adapter": {"rank": 16}}, "For a large model: train an adapter, not all weights"
)


def template(scorer: Mapping[str, Any]) -> Draft:
    """A configuration in which the data are to be filled in.

    Args:
        scorer: options of its section, as
            :func:`~surefoot.training.first_scorer.scorer_of` gives them.
    """
    fill = "FILL IN: files with one comparison a line, a folder, or hub:owner/name."
    return Draft(
        {
            "data": {"train": [PLACEHOLDER], "held_out": SHARE},
            "scorer": scorer,
            "objective": _PLAIN,
            "training": {"seed": 0},
        },
        "runs/first",
        ["A configuration to fill in, by `surefoot init`.", _HOW],
        {("data", "train"): fill},
        [_FLIPS, _risk("cluster", "So that no kind of prompt is left behind")],
    )


def first_draft(
    preferences: Preferences,
    sources: Sequence[str],
    scorer: Mapping[str, Any],
    reading: Mapping[str, Any],
) -> Draft:
    """A configuration that trains on these comparisons as it is.

    Args:
        preferences: the rows to train on, without damage.
        sources: where they were read, as `data.train` takes it.
        scorer: options of its section, as
            :func:`~surefoot.training.first_scorer.scorer_of` gives them.
        reading: how they were read: options of the section `data`, by name.

    Raises:
        DataError: they are too few to train on.
    """
    language = of_language(scorer["kind"])
    sizes = Sizes(preferences)
    if sizes.prompts < 2 and sizes.pairs < 2:
        raise DataError(
            f"{preferences.name} has {sizes.pairs} different pair(s) to train on; it takes 2 or "
            "more to learn anything."
        )
    codings = _codings(preferences)
    data = {"train": list(sources), **({"codings": codings} if codings else {}), **reading}
    of_scorer, training, reasons = sizes.of_language() if language else sizes.of_embeddings()
    return Draft(
        {
            "data": data | sizes.split,
            "scorer": {**scorer, **of_scorer},
            "objective": _PLAIN,
            "training": training | {"seed": 0},
        },
        f"runs/{_slug(preferences.name)}",
        [*_head(preferences, sizes, "columns" in reading), _HOW],
        sizes.reasons | reasons,
        [*_offers(preferences, sizes, language, "columns" in reading)],
    )


def _slug(name: str) -> str:
    """A name of data as that of a folder."""
    return re.sub(r"[^\w.]+", "-", name.split(" + ")[0]).strip("-._")[:40] or "first"


def _codings(preferences: Preferences) -> dict[str, str]:
    """How label columns were read, by the names of their codings; words need none."""
    return {
        column: coding
        for reading in preferences.readings
        for column, coding in reading.codings.items()
        if coding in CODINGS
    }


def _head(preferences: Preferences, sizes: Sizes, columns: bool) -> Iterator[str]:
    """What these data are, and how they were read; whether `columns` were named for that."""
    yield (
        f"To train on {sizes.rows:,} rows of {preferences.name}, with {sizes.prompts:,} prompts; "
        f"{len(preferences) - sizes.rows:,} rows are held out."
    )
    yield from lines_of(preferences.readings)
    if columns and (named := _perhaps_a_group(preferences)):
        yield f"If {named} names parts of the data, it can be their group: --column group={named}."
    if preferences.has("votes"):
        who = {vote["annotator"] for (votes,) in preferences.read("votes") for vote in votes or ()}
        named = f" of {len(who - {None}):,} annotators" if who - {None} else ""
        yield f"Labels are the means of votes{named}; what these differ in, `surefoot audit` says."


def _offers(
    preferences: Preferences, sizes: Sizes, language: bool, columns: bool
) -> Iterator[Offer]:
    """What may be worth trying, by the columns that there are; `columns` are set already."""
    if (days := sizes.days) >= 1:
        yield Offer(
            "data",
            {"half_life": round(days / 4, 1)},
            f"The rows span {days:.0f} days. So that older ones count less, half as much after",
        )
    parts = {
        column: names for column in ("group", "source") if (names := _parts(preferences, column))
    }
    if (named := _perhaps_a_group(preferences)) and not columns:
        reason = f"The column {named} was not read. If it names parts of the data, as their group"
        yield Offer("data", {"columns": {"group": named}}, reason)
    if sizes.with_turns >= _MANY and not language:
        yield Offer(
            "scorer",
            {"views": ["together", "full"]},
            f"Of the prompts {sizes.with_turns:.0%} have earlier turns, which the head does not "
            "see. So that it does",
        )
    if language:
        yield _ADAPTER
    elif "source" in parts:
        yield Offer(
            "scorer",
            {"source_aware": True},
            f"The sources ({_listed(parts['source'])}) may want different things: a head for each "
            "beside the common one",
        )
    yield _FLIPS
    if parts:
        column, names = next(iter(parts.items()))
        yield _risk(column, f"So that no {column} is left behind ({_listed(names)})")
    elif sizes.prompts >= 200:
        yield _risk("cluster", "So that no kind of prompt is left behind")


def _perhaps_a_group(preferences: Preferences) -> str | None:
    """A column that was not read, of a name that parts of data often have; there is no group."""
    unread = (name for reading in preferences.readings for name in reading.not_read)
    named = next((name for name in unread if name.casefold() in _OF_PARTS), None)
    return None if preferences.has("group") else named


def _risk(unit: str, reason: str) -> Offer:
    risk = {"kind": "chi-squared", "radius": 0.05, "unit": unit}
    return Offer("objective", {"risk": risk}, reason)


def _parts(preferences: Preferences, column: str) -> list[str]:
    """The names in a column that names two parts or more, and in no row none; else nothing."""
    names = set(preferences.strings(column))
    return sorted(map(str, names)) if len(names) > 1 and None not in names else []


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(name[:40] for name in names[:4]) + more
