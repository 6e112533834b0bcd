"""Reading preferences from whatever people have: the one function that everything goes through."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from surefoot.data.keys import digest_of
from surefoot.data.options import ReadingOptions
from surefoot.data.reading.account import Reading, require_one_coding, require_usable
from surefoot.data.reading.conversion import Conversion, StartAgainError
from surefoot.data.reading.texts import joined
from surefoot.data.schema import Fault, Preferences, concatenate
from surefoot.data.sources import cache
from surefoot.data.sources.origins import Origin, origins_of
from surefoot.data.sources.tables import Numbered
from surefoot.errors import DataError

OnError = Literal["skip", "fail"]


def read_preferences(
    source: str | Path | Sequence[str | Path],
    *,
    columns: Mapping[str, str] | None = None,
    codings: Mapping[str, Any] | None = None,
    texts: Sequence[str] | None = None,
    source_name: str | None = None,
    on_error: OnError = "skip",
    max_unusable: float | None = None,
    no_prompt: bool = False,
    unlabelled: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Preferences:
    """Read comparisons from files, folders, or data sets on the Hub.

    A source is a file, a pattern (`data/*.jsonl`), a folder of Parquet or Arrow files or of
    `save_to_disk`, or `hub:owner/name[:configuration][@split]`.

    The form is recognised by its columns and first rows (see :mod:`surefoot.data.readers`). The
    rows are converted once into a table in the cache folder, which is then memory-mapped. What
    became of every column is in `readings` of the result.

    Args:
        source: where to read; several are read one after the other into one table.
        columns: the user's column for a name that a reader takes, as in
            ``{"response_a": "first_answer"}``; an empty name says that the column of that name is
            another thing.
        codings: how a label column says which response is preferred, where its values leave it
            open: ``{"label": "first-is-0"}`` (see :data:`surefoot.data.labels.codings.CODINGS`) or
            ``{"label": {1: "a", 2: "b", 3: "tie"}}``.
        texts: files of texts by id (columns `id` and `text`), where the comparisons hold ids of
            prompts or responses.
        source_name: `source` of the rows that give none; each file's own short name by default.
        on_error: skip rows that cannot be used (they are listed in `faults`), or fail at the first.
        max_unusable: share of a file's rows that may be unusable, 0.05 by default.
        no_prompt: the data have no prompt.
        unlabelled: take pairs without a label too, to be scored: they read as ties, whose column
            `label_from` says `absent`.
        progress: called with the number of records read since the last call (`tqdm.update` fits).

    Raises:
        ConfigurationError: options that cannot be honoured.
        DataError: nothing can be read, no row can be used or too few of them, most prompts are
            empty, a label column can be read in more than one way, or `on_error` is "fail" and a
            row cannot be used.
    """
    options = reading_options(
        columns=columns,
        codings=codings,
        texts=texts,
        on_error=on_error,
        max_unusable=max_unusable,
        no_prompt=no_prompt,
    )
    given = [source] if isinstance(source, str | Path) else list(source)
    if not given:
        raise DataError("no source was given to read preferences from.")
    parts = [
        read_origin(Conversion(origin, options, source_name, unlabelled, progress))
        for one in given
        for origin in origins_of(one)
    ]
    require_one_coding([reading for part in parts for reading in part.readings], options)
    return parts[0] if len(parts) == 1 else concatenate(parts)


def reading_options(**given: Any) -> ReadingOptions:
    """The options of reading, with the defaults of those that are None."""
    known = {name: value for name, value in given.items() if value is not None}
    for column, coding in known.get("codings", {}).items():
        if isinstance(coding, Mapping):  # of values that may be numbers; options' names are texts
            meant = {str(value): side for value, side in coding.items()}
            known["codings"] = {**known["codings"], column: meant}
    return ReadingOptions(**known)


def read_records(
    records: Iterable[Mapping[str, Any]],
    name: str,
    digest: str | None = None,
    options: ReadingOptions | None = None,
) -> Preferences:
    """Read comparisons from rows in memory, or a `datasets.Dataset`, in any of the forms of files.

    Messages call them `name`; `digest` is a hash of the content, where it is known.

    Raises:
        DataError: as :func:`read_preferences` does.
    """
    if isinstance(records, Iterator):
        records = list(records)  # they are read more than once
    digest = digest or digest_of(*map(repr, records))
    origin = Origin(name, name, digest, lambda: map(Numbered, itertools.count(1), records))
    options = options or ReadingOptions()
    found = read_origin(Conversion(origin, options))
    require_one_coding(found.readings, options)
    return found


def read_origin(conversion: Conversion) -> Preferences:
    """The table of an origin, from the cache or made now; what is wrong with it is an error."""
    options = conversion.options
    if options.texts:
        origin = joined(conversion.origin, options.texts, options.columns)
        conversion = replace(conversion, origin=origin)
    origin = conversion.origin
    settings = [options.columns, options.codings, options.no_prompt, conversion.source_name]
    settings += [conversion.unlabelled, conversion.reader is not None]
    fingerprint = digest_of(origin.digest, *settings, cache.code_digest())
    # `file` and the default `source` depend on the origin's name too.
    key = digest_of(fingerprint, origin.place)
    table = cache.load(key)
    while table is None:
        try:
            cache.store(key, conversion.batches(), conversion.described)
        except StartAgainError:
            continue
        table = cache.load(key)
        if table is None:
            raise DataError(
                f"{origin.place}: the table just written to {cache.folder()} cannot be read back."
            )
    dataset, described = table
    faults = tuple(Fault(origin.place, *fault) for fault in described["faults"])
    reading = Reading.from_dict(described["reading"])
    unusable = next((fault for fault in faults if not fault.unlabelled), None)
    if unusable and options.on_error == "fail":
        raise DataError(f"{unusable.file}, row {unusable.row}: {unusable.reason}.")
    require_usable(reading, faults, options)
    return Preferences(dataset, origin.name, fingerprint, faults, (reading,))
