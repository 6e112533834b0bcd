"""How far prompts of deployment lie from those of training: radii for risks against shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.data import Preferences
from surefoot.scorers.clusters import PromptClusters
from surefoot.scorers.encoder import Encoder
from surefoot.statistics.shift import Shift, shift

#: Prompts of deployment below which a histogram says next to nothing.
FEWEST = 50
#: Above this chance the two sides are not told apart.
_CHANCE = 0.05


@dataclass(frozen=True)
class DeploymentShift:
    """Training against deployment, by clusters of training prompts.

    Attributes:
        found: distances of the two histograms.
        names: of the clusters, (U,).
        training, deployment: number of distinct prompts.
        shared: how many prompts of deployment are training prompts.
        seed: of the clusters.
        clusters: how many were asked for; fewer come out where some stay empty.
    """

    found: Shift
    names: tuple[str, ...]
    training: int
    deployment: int
    shared: int
    seed: int
    clusters: int

    @property
    def told_apart(self) -> bool:
        """Whether one law would rarely give histograms this far apart."""
        return self.found.p_value <= _CHANCE

    @property
    def verdict(self) -> str:
        """Sentences for the user."""
        tv = self.found.distances["tv"]
        chance = f"{self.found.by_chance['tv']:.3f}".lstrip("0")
        p_value = self.found.p_value
        p = f"p = {p_value:.3f}".replace("0.", ".", 1) if p_value >= 0.001 else "p < .001"
        lies = (
            f"Prompts of deployment lie {tv} from those of training (total variation over "
            f"{len(self.names)} clusters; samples of one law lie about {chance} apart, {p})."
        )
        if self.deployment < FEWEST:
            return f"{lies} {self.deployment} prompts say little: collect {FEWEST} or more."
        if not self.told_apart:
            return f"{lies} No shift between clusters is seen; inside them there may be one."
        return lies

    @property
    def remedies(self) -> tuple[str, ...]:
        """Risks whose ball holds the deployment's histogram, as configuration.

        For runs on these pairs, with the default encoder and this `data.split_seed`: others make
        other clusters.
        """
        if not self.told_apart or self.deployment < FEWEST:
            return ()
        made = []
        for kind, distance in self.found.distances.items():
            end = distance.low if kind == "cvar" else distance.high
            if end is None or not np.isfinite(end) or not 0 < end < 1e3:
                continue
            option = "level" if kind == "cvar" else "radius"
            # Rounded to the wide side.
            value = np.floor(end * 1000) / 1000 if kind == "cvar" else np.ceil(end * 1000) / 1000
            if value > 0 and not (kind == "tv" and value >= 1):
                made.append(
                    f"risk: {{kind: {kind}, {option}: {value:g}, unit: cluster, "
                    f"clusters: {self.clusters}}}"
                )
        return tuple(made)

    def moved(self, most: int = 5) -> list[tuple[str, float, float]]:
        """Names and shares (before, after) of the clusters whose share changed most."""
        before, after = self.found.before, self.found.after
        order = np.argsort(-np.abs(after - before), kind="stable")[:most]
        return [(self.names[k], float(before[k]), float(after[k])) for k in order.tolist()]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **self.found.to_dict(),
            "clusters": list(self.names),
            "training_prompts": self.training,
            "deployment_prompts": self.deployment,
            "shared_prompts": self.shared,
            "seed": self.seed,
            "verdict": self.verdict,
            "remedies": list(self.remedies),
        }


def deployment_shift(
    training: Preferences,
    deployment: Preferences,
    encoder: Encoder,
    clusters: int = 16,
    seed: int = 0,
) -> DeploymentShift:
    """Compare the distinct prompts of two sets by clusters of those of training.

    The clusters are those that a run with `unit: cluster` and this `split_seed` makes of them,
    so that its ball is the one that is measured. Moving inside a cluster is not seen: the distance
    of the prompts themselves is at least that of the histograms.

    A risk weighs clusters by their pairs, so training prompts count as often as they have pairs.

    Args:
        training: comparisons that are trained on.
        deployment: comparisons, or prompts with empty responses.
        encoder: reads the prompts.
        clusters: how many.
        seed: of the clusters and of the bootstrap.

    Raises:
        DataError: fewer distinct training prompts than clusters.
    """
    made = PromptClusters.fit(training, encoder, clusters, seed)
    sides, keys, pairs = [], [], []
    for data in (training, deployment):
        seen, first, counts = np.unique(data.prompt_keys(), return_index=True, return_counts=True)
        keys.append(seen)
        pairs.append(counts)
        sides.append(made.of(data.select(first), encoder))
    found = shift(sides[0], sides[1], len(made.names), seed, pairs=pairs[0])
    shared = int(np.isin(keys[1], keys[0]).sum())
    return DeploymentShift(found, made.names, len(sides[0]), len(sides[1]), shared, seed, clusters)
