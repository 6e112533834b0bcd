"""How far the demo is: what was computed already, how long parts take, lines that say so."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from surefoot.demo.methods import Method
from surefoot.runs import atomic

#: Where a demo keeps what it has computed until it is done, in its output.
PARTS = "parts"

#: What became of a method on one seed, JSON-ready; `notes` are its warnings.
Record = Mapping[str, Any]


@dataclass
class DemoProgress:
    """What a demo has computed, each part by what it depends on."""

    folder: Path | None = None  #: where parts are kept; None: nowhere
    say: Callable[[str], None] = lambda line: None  #: called with a line for each part
    seconds: dict[str, float] = field(default_factory=dict)  #: by the kind of part

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Add the time of what happens inside."""
        start = time.perf_counter()
        yield
        spent = self.seconds.get(kind, 0.0) + time.perf_counter() - start
        self.seconds[kind] = round(spent, 2)

    def kept(self, depends_on: Any, make: Callable[[], Record]) -> Record:
        """A part that was made before, or is made now; JSON-ready, and the same to the bit."""
        if self.folder is None:
            return make()
        text = json.dumps([version("surefoot"), depends_on], sort_keys=True, default=str)
        key = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
        path = self.folder / f"{key}.json"
        try:
            found: Record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not there, or not whole
            self.folder.mkdir(parents=True, exist_ok=True)
            found = make()
            atomic.write_json(path, found)
        return found

    def clear(self) -> None:
        """Remove what was kept."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def every(
        self,
        what: str,
        compared: Sequence[Method],
        seeds: int,
        prepare: Callable[[int], Callable[[Method], Record]],
    ) -> tuple[dict[str, list[Record]], dict[str, tuple[str, ...]]]:
        """Train each method on each seed, for which `prepare` gives what trains it.

        Returns:
            The records by method, and their notes with the methods that were given them.
        """
        started = time.perf_counter()
        records: dict[str, list[Record]] = {method.name: [] for method in compared}
        notes: dict[str, dict[str, None]] = {}
        for seed in range(seeds):
            trained = prepare(seed)
            for number, method in enumerate(compared, start=1):
                record = trained(method)
                records[method.name].append(record)
                for note in record["notes"]:
                    notes.setdefault(note, {})[method.name] = None
                self.say(
                    f"seed {seed + 1} of {seeds}, {what} {number} of {len(compared)}: "
                    f"{method.name} ({time.perf_counter() - started:.0f} s)"
                )
        return records, {note: tuple(names) for note, names in notes.items()}
