"""Risks with a size: how far the worst case may lie from the data, given or to be chosen."""

from __future__ import annotations

from typing import ClassVar

from surefoot.errors import ConfigurationError
from surefoot.objectives.risk import Risk


class SizedRisk(Risk):
    """A risk whose size is a number, or `auto`: chosen by `surefoot train` on frozen embeddings."""

    size_option: ClassVar[str] = "radius"
    """Name of the option that holds the size."""
    sizes: ClassVar[tuple[float, ...]]
    """What `auto` chooses from, the mean first."""

    @property
    def is_auto(self) -> bool:
        """Whether the size is still to be chosen."""
        return bool(getattr(self, self.size_option) == "auto")

    @property
    def size(self) -> float:
        """The size of the ball, as a number.

        Raises:
            ConfigurationError: it is still to be chosen.
        """
        if self.is_auto:
            raise ConfigurationError(
                f"risk.{self.size_option} 'auto' is for `surefoot train` with a scorer on frozen "
                "embeddings, which puts a number in its place; here it should be a number."
            )
        return float(getattr(self, self.size_option))
