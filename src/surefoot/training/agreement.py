"""What processes that train together have to agree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch.distributed as dist

from surefoot.errors import SurefootError

T = TypeVar("T")


def of_first(value: T) -> T:
    """What the first process has, on every one of them; with one process, the value itself.

    Each computes what is estimated from the data by itself, and may come to another end: another
    processor rounds otherwise, and k-means ends in another place. A step whose processes follow
    different objectives has no meaning. All processes ask in the same order, once they know each
    other (transformers' training arguments introduce them), for what can be pickled.
    """
    if not _together():
        return value
    box = [value if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(box, src=0)
    return box[0]  # type: ignore[return-value]  # the first process's


def _together() -> bool:
    """Whether there are several processes, which know each other."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def require_agreement(settings: Mapping[str, Any]) -> None:
    """Stop every process where one differs from the first in what each step depends on.

    Raises:
        SurefootError: a process differs; its message names what in.
    """
    if not _together():
        return
    first = of_first(settings)
    differing = sorted(k for k in {*settings, *first} if settings.get(k) != first.get(k))
    found: list[list[str]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(found, differing)
    differences = [f"process {k} in {', '.join(names)}" for k, names in enumerate(found) if names]
    if differences:
        raise SurefootError(
            "the processes do not do the same: from the first differs "
            f"{'; '.join(differences)}. They read other files, or other versions of a model: give "
            "each machine the same."
        )
