"""Pairs in: schema, readers, checks, splits. Knows nothing of models."""

from surefoot.data.files import read_preferences
from surefoot.data.schema import FEATURES, Fault, Preferences, concatenate

__all__ = ["FEATURES", "Fault", "Preferences", "concatenate", "read_preferences"]
