"""Columns of numbers that a member reads beside those of the data contract."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from surefoot.errors import ConfigurationError

#: By name; readers carry them through.
DECLARED: dict[str, Column] = {}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One number for each pair, such as how sure an annotator was.

    Declaring it is all there is to do: every reader carries it, files that surefoot writes have it,
    and label models that name it among their `columns` are given it, on every path.

    Raises:
        ConfigurationError: another column of this name is declared otherwise, or the example lies
            outside the range.
    """

    name: str  #: in the data; one of the contract's own (`time`, `score_a`) keeps what it has there
    low: float = -math.inf  #: values below are refused
    high: float = math.inf  #: values above are refused
    swapped: Literal["same", "1 - value"] = "same"  #: what it is where responses change places
    example: float = 0.5  #: a value that documentation and tests show it with

    def __post_init__(self) -> None:
        """Join the declared columns."""
        if not self.low <= self.example <= self.high:
            raise ConfigurationError(f"the example of column {self.name!r} is outside its range.")
        if DECLARED.setdefault(self.name, self) != self:
            raise ConfigurationError(
                f"two columns are named {self.name!r}, and are declared differently."
            )
