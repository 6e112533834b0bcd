"""Micro-batches that fit into memory: cut in halves until they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from accelerate.utils.memory import should_reduce_batch_size

from surefoot.data.steps import Ints

T = TypeVar("T")


@dataclass
class Memory:
    """What the memory of this process is known to hold.

    Attributes:
        say: called with one line when a micro-batch did not fit.
        most: pairs in a micro-batch; None: any number.
    """

    say: Callable[[str], None] = lambda line: None
    most: int | None = None

    def fit(
        self,
        parts: list[Ints],
        phase: Callable[[list[Ints]], T],
        undo: Callable[[], None] = lambda: None,
    ) -> tuple[list[Ints], T]:
        """Run a phase over micro-batches, in smaller ones where these are too large.

        Args:
            parts: the micro-batches.
            phase: what is done with all of them.
            undo: called after a phase that failed, before the next attempt.

        Returns:
            The micro-batches that fitted, and what the phase made of them.

        Raises:
            RuntimeError: the phase's own; out of memory with one pair in a micro-batch.
        """
        while True:
            parts = [piece for part in parts for piece in self._cut(part)]
            try:
                return parts, phase(parts)
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
