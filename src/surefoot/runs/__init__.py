"""What commands leave on the disk: claimed, whole, and marked when it is finished."""

from surefoot.runs.claim import claim, claim_file
from surefoot.runs.folder import MARK, Mark, RunFolder, is_finished, require_finished, seed_folders

__all__ = [
    "MARK",
    "Mark",
    "RunFolder",
    "claim",
    "claim_file",
    "is_finished",
    "require_finished",
    "seed_folders",
]
