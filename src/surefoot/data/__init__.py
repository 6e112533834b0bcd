"""Pairs in: schema, readers, checks, splits. Knows nothing of models."""

from typing import TYPE_CHECKING

from surefoot.lazy import offers

if TYPE_CHECKING:
    from surefoot.data.files import read_preferences
    from surefoot.data.schema import FEATURES, Fault, Preferences, concatenate

__all__ = ["FEATURES", "Fault", "Preferences", "concatenate", "read_preferences"]

__getattr__ = offers(
    __name__,
    {"read_preferences": "files"}
    | dict.fromkeys(("FEATURES", "Fault", "Preferences", "concatenate"), "schema"),
)
