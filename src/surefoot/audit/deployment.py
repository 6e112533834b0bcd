"""How far prompts of deployment lie from those of training: radii for risks against shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from surefoot.arrays import Ints
from surefoot.data import Preferences
from surefoot.data.text import last_turn
from surefoot.statistics.estimate import written, written_p
from surefoot.statistics.shift import DISTANCES, OneLaw, Shift, one_law, shift

if TYPE_CHECKING:
    from surefoot.scorers.embeddings.encoder import Encoder

#: Prompts of deployment below which a histogram says next to nothing.
FEWEST = 50
#: Above this chance the two sides may be of one law.
_CHANCE = 0.05


@dataclass(frozen=True)
class DeploymentShift:
    """Training against deployment."""

    #: distances from the training pairs to deployment, by clusters of training prompts
    shift: Shift
    test: OneLaw  #: whether both are of one law, by clusters of the prompts of both sides together
    names: tuple[str, ...]  #: of the clusters, (U,)
    training: int  #: number of distinct prompts
    deployment: int  #: number of distinct prompts
    shared: int  #: how many prompts of deployment are training prompts
    seed: int  #: of the clusters
    clusters: int  #: how many were asked for; fewer come out where some stay empty

    @property
    def distinguishable(self) -> bool:
        """Whether one law would rarely give samples that differ this much."""
        return self.test.p_value <= _CHANCE

    @property
    def verdict(self) -> str:
        """Sentences for the user."""
        tv, test = self.shift.distances["tv"], self.test
        apart, chance, p = written(test.apart), written(test.by_chance), written_p(test.p_value)
        held = f"; {self.shared} of both stay in both" if self.shared else ""
        lies = (
            f"Prompts of deployment lie {tv} from the training pairs (total variation over "
            f"{len(self.names)} clusters of training prompts). By clusters of the prompts of both "
            f"sides they lie {apart} apart, samples of one law about {chance} ({p}{held})."
        )
        if self.shared == self.deployment:
            return f"{lies} All are training prompts: that they are of one law cannot be tested."
        if self.deployment < FEWEST:
            return f"{lies} {self.deployment} prompts say little: collect {FEWEST} or more."
        if not self.distinguishable:
            return f"{lies} No shift between clusters is seen; inside them there may be one."
        return lies

    @property
    def remedies(self) -> tuple[str, ...]:
        """Risks whose ball holds the deployment's histogram, as configuration.

        For runs on these pairs, with the default encoder and this `data.split_seed`: others make
        other clusters.
        """
        if not self.distinguishable or self.deployment < FEWEST:
            return ()
        options = []
        for kind, distance in self.shift.distances.items():
            if (value := DISTANCES[kind].safe(distance)) is not None:
                options.append(
                    f"risk: {{kind: {kind}, {DISTANCES[kind].option}: {value:g}, unit: cluster, "
                    f"clusters: {self.clusters}}}"
                )
        return tuple(options)

    def moved(self, most: int = 5) -> list[tuple[str, float, float]]:
        """Names and shares (before, after) of the clusters whose share changed most."""
        before, after = self.shift.before, self.shift.after
        order = np.argsort(-np.abs(after - before), kind="stable")[:most]
        return [(self.names[k], float(before[k]), float(after[k])) for k in order.tolist()]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **self.shift.to_dict(),
            "one_law": self.test.to_dict(),
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
    """Compare the distinct prompts of two sets, of comparisons or of prompts with empty responses.

    Distances are by the clusters that a run with `unit: cluster` and this `split_seed` makes of the
    training prompts, so that its ball is the one that is measured; a risk weighs clusters by their
    pairs, so training prompts count as often as they have pairs. The test of one law is by clusters
    of its own, as many, of both sides together: those of a run hold too much of the training
    prompts. Moving inside a cluster is not seen: the distance of the prompts themselves is at least
    that of the histograms. The seed is that of clusters, permutations and bootstrap.

    Raises:
        DataError: fewer distinct training prompts than clusters.
    """
    from surefoot.scorers.embeddings.clusters import PromptClusters, clusters_of_texts

    units = PromptClusters.fit(training, encoder, clusters, seed)
    (before, keys, pairs), (after, others, _) = map(_distinct, (training, deployment))
    first, second = (units.of_texts(texts.tolist(), encoder) for texts in (before, after))
    shared = np.isin(keys, others)
    parts = before[~shared], after[~np.isin(others, keys)], before[shared]
    everyone, found = clusters_of_texts(np.concatenate(parts).tolist(), encoder, clusters, seed)
    own, theirs, both = np.split(everyone, np.cumsum([len(part) for part in parts[:2]]))
    return DeploymentShift(
        shift(first, second, len(units.names), seed, pairs=pairs),
        one_law(own, theirs, found, seed, both),
        units.names,
        len(before),
        len(after),
        int(shared.sum()),
        seed,
        clusters,
    )


def _distinct(data: Preferences) -> tuple[npt.NDArray[np.object_], Ints, Ints]:
    """Last turns of the distinct prompts, their keys, and how many rows each has.

    Prompts that differ in case and spacing are one; of their spellings the first in the alphabet
    is taken, so that the order of rows has no part in it.
    """
    texts = np.array([last_turn(prompt) for (prompt,) in data.read("prompt")], dtype=object)
    order = np.argsort(texts, kind="stable")
    keys, first, counts = np.unique(
        data.prompt_keys()[order], return_index=True, return_counts=True
    )
    return texts[order][first], keys, counts
