"""Preference worlds with known truth."""

from surefoot.worlds.pairs import WorldPairs
from surefoot.worlds.tabular import TabularWorld
from surefoot.worlds.tabular_pairs import TabularPairs
from surefoot.worlds.tabular_truth import TabularTruth
from surefoot.worlds.text import TextWorld

__all__ = ["TabularPairs", "TabularTruth", "TabularWorld", "TextWorld", "WorldPairs"]
