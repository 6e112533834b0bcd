"""Features of form as responses have them: they go together, and most are rare."""

from __future__ import annotations

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.features import FEATURES


def forms(lengths: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """Differences of every feature of the audit, from those of length (N,), of deviation 1.

    Markdown goes with length and lists with markdown; of refusals and flattery, which few responses
    have, and hedges there are few or none on either side.
    """
    n = len(lengths)

    def counted(mean: float, share: float = 1.0) -> Floats:
        """Logarithms of counts on a share of the rows, of one response less the other."""
        first, second = np.log1p(rng.poisson(mean, (2, n)))
        return np.where(rng.random(n) < share, first - second, 0.0)

    marked = rng.random(n) < 0.4
    markdown = np.where(marked, 0.5 * lengths + rng.normal(size=n), 0.0)
    by_name = {
        "length": lengths,
        "markdown": markdown,
        "lists": np.where(rng.random(n) < 0.4, markdown + 0.5 * rng.normal(size=n) * marked, 0.0),
        "refusal": counted(0.8, share=0.15),
        "hedges": counted(1.0) + 0.2 * lengths,
        "flattery": counted(0.8, share=0.1),
        "overlap": rng.normal(size=n) - 0.3 * lengths,
    }
    return {one.name: by_name[one.name] for one in FEATURES}
