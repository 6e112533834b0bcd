"""Preference worlds with known truth."""

from surefoot.worlds.pairs import WorldPairs
from surefoot.worlds.text import TextWorld

__all__ = ["TextWorld", "WorldPairs"]
