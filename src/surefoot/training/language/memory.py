"""Micro-batches that fit into memory: those that do not are cut, and the step stays the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from accelerate.utils.memory import should_reduce_batch_size

from surefoot.arrays import Ints


@dataclass
class Memory:
    """What the memory of this process is known to hold."""

    say: Callable[[str], None] = lambda line: None  #: one line when a micro-batch did not fit
    most: int | None = None  #: pairs in a micro-batch; None: any number

    def fit(
        self,
        parts: list[Ints],
        phase: Callable[[list[Ints]], None],
        undo: Callable[[], None] = lambda: None,
    ) -> list[Ints]:
        """Run a phase over micro-batches, in smaller ones where these are too large.

        After one that failed, `undo` is called before the next attempt. Returned are the
        micro-batches that fitted.

        Raises:
            RuntimeError: the phase's own; out of memory with one pair in a micro-batch.
        """
        while True:
            parts = [piece for part in parts for piece in self._cut(part)]
            try:
                phase(parts)
                return parts
            except RuntimeError as error:
                largest = max(map(len, parts), default=0)
                if not should_reduce_batch_size(error) or largest <= 1:
                    raise
            self.most = (largest + 1) // 2
            undo()
            self.say(
                f"out of memory with {largest} pairs in a micro-batch: going on with {self.most}. "
                "The step and its objective stay the same."
            )

    def _cut(self, part: Ints) -> list[Ints]:
        if self.most is None or len(part) <= self.most:
            return [part]
        return list(np.array_split(part, -(-len(part) // self.most)))
