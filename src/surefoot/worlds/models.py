"""Reward models as an audit sees them, as arrays: a sound one, and ones with one fault each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.material import Names
from surefoot.auditing.models.diagnostics.delayed import MATTERS as LATE
from surefoot.auditing.models.diagnostics.hardly_changed import MATTERS as CLOSE
from surefoot.auditing.models.diagnostics.overpaid import MATTERS as FORM
from surefoot.auditing.models.diagnostics.served import MATTERS as SERVED
from surefoot.auditing.models.diagnostics.sureness import MATTERS as SURENESS
from surefoot.auditing.models.diagnostics.unchanged import MATTERS as SAME
from surefoot.auditing.models.diagnostics.worsened import MATTERS as LOWER
from surefoot.auditing.models.diagnostics.wrong_prompt import MATTERS as ELSEWHERE
from surefoot.auditing.models.edits import Edit
from surefoot.auditing.models.material import MOST_EDITED, PARTS, Change, Prefixes
from surefoot.auditing.models.samples import PolicySamples

#: What edits do to rewards where that just does not matter, by what is expected of them: the mean
#: of their steps in deviations, and the share that does not fall.
JUST = {"same": SAME, "close": CLOSE, "lower": LOWER}


@dataclass(frozen=True)
class PlantedModel:
    """Rewards of N pairs, and laws of what edits do to them.

    Labels follow the true margins; the model sees these with errors of its own. All that is not
    given is of the size that just does not matter.
    """

    labels: Floats  #: (N,)
    prompts: Ints  #: (N,)
    contrasts: dict[str, Floats]  #: by feature, (N,)
    rewards: Floats  #: (N, 2)
    #: by name of an edit, what it does in place of that which just does not matter
    moves: Mapping[str, float] = field(default_factory=dict)
    #: share of prompts at which another prompt's response is rewarded above their own
    elsewhere_above: float = ELSEWHERE
    temperature: float = 1.0  #: of its log-odds
    #: share of pairs that stand in another order by half of each response
    late: float = LATE
    groupings: Mapping[str, Names] = field(default_factory=dict)  #: columns that name parts
    samples: PolicySamples | None = None
    seed: int = 0

    @cached_property
    def weights(self) -> Floats:
        """Of rows, (N,): equal."""
        return np.ones(len(self.labels))

    @property
    def placed(self) -> Floats:
        """1 where a response's place may have moved the label, (N,): everywhere."""
        return np.ones(len(self.labels))

    @property
    def log_odds(self) -> Floats:
        """Log-odds by the model that a is preferred, (N,)."""
        return (self.rewards[:, 0] - self.rewards[:, 1]) / self.temperature

    def edited(self, edit: Edit) -> Change:
        """Rewards of some responses before and after an edit."""
        size = self.moves.get(edit.name, JUST[edit.expects])
        rng = np.random.default_rng([self.seed, *edit.name.encode()])
        rows = np.repeat(np.sort(rng.permutation(len(self.labels))[:MOST_EDITED]), 2)
        side = np.tile([0, 1], len(rows) // 2)
        before = self.rewards[rows, side]
        unit = np.sqrt(np.square(self.rewards[:, 0] - self.rewards[:, 1]).mean() / 2)
        step = np.abs(rng.normal(size=len(rows))) * np.sqrt(np.pi / 2) * unit
        if edit.expects == "lower":
            sign = np.where(rng.random(len(rows)) < size, 1, -1)
        else:
            sign, step = rng.choice([-1, 1], len(rows)), step * size
        return Change(rows, side, before, before + sign * step)

    @cached_property
    def elsewhere(self) -> Change:
        """Rewards of preferred responses to their prompt, and of another prompt's to it."""
        rng = np.random.default_rng([self.seed, 31])
        rows = np.sort(rng.permutation(len(self.labels))[:MOST_EDITED])
        side = (self.labels[rows] < 0.5).astype(np.int64)
        before = self.rewards[rows, side]
        above = np.where(rng.random(len(rows)) < self.elsewhere_above, 1, -1)
        return Change(rows, side, before, before + above * np.abs(rng.normal(size=len(rows))))

    @cached_property
    def prefixes(self) -> Prefixes:
        """Rewards of both responses and of their beginnings, which turn some pairs round."""
        rng = np.random.default_rng([self.seed, 37])
        rows = np.sort(rng.permutation(len(self.labels))[:MOST_EDITED])
        whole = self.rewards[rows]
        turned = rng.random((len(rows), len(PARTS))) < self.late
        begun = np.where(turned[:, None], whole[:, ::-1, None], whole[:, :, None])
        return Prefixes(rows, np.concatenate([begun, whole[:, :, None]], axis=2))


#: What just does not matter in a sound model of each kind, as `planted` takes it.
SOUND: Mapping[str, Mapping[str, Any]] = {
    "form": {"length": -FORM},
    "slope": {"sureness": 1 / (1 - SURENESS)},
    "parts": {"worse_part": SERVED},  # which also makes it too sure
}


def sound(pairs: int, rng: np.random.Generator, kind: str = "form") -> PlantedModel:
    """A model of which nothing is beyond the size that matters, and much is just of that size.

    Edits and beginnings are of just that size in all kinds; labels move with length beyond the
    reward by so much, or log-odds have such a slope, or one of two groups is served so much worse.
    """
    return planted(pairs, rng, **SOUND[kind])


def planted(
    pairs: int,
    rng: np.random.Generator,
    *,
    length: float = 0.0,
    sureness: float = 1.0,
    negated: bool = False,
    moves: Mapping[str, float] | None = None,
    elsewhere_above: float = ELSEWHERE,
    only_length: bool = False,
    late: float = LATE,
    worse_part: float = 0.0,
) -> PlantedModel:
    """A model with a fault.

    Args:
        pairs: N.
        rng: draws them.
        length: log-odds that the reward pays for a standard deviation of length beyond labels.
        sureness: the model's log-odds by those that labels follow.
        negated: it orders the other way round.
        moves: by name of an edit, what that does to rewards (:attr:`PlantedModel.moves`).
        elsewhere_above: share of prompts at which another's response is rewarded more.
        only_length: the reward is the length, whatever labels say.
        late: share of pairs in another order by half of each response.
        worse_part: accuracy on the one of two groups less than on the other.
    """
    prompts = rng.integers(0, max(pairs // 2, 1), pairs)
    margins = rng.normal(size=pairs) * 1.5
    lengths, marks = rng.normal(size=(2, pairs))
    p = 1 / (1 + np.exp(-(margins - length * lengths)))
    labels = (rng.random(pairs) < p).astype(np.float64)
    margins = sureness * margins * (-1 if negated else 1)
    if only_length:
        margins = lengths.copy()
    groups = rng.random(pairs) < 0.5
    right = np.sign(margins) == np.sign(labels - 0.5)
    turned = groups & right & (rng.random(pairs) < worse_part / max(right.mean(), 0.5))
    margins = np.where(turned, -margins, margins)
    level = rng.normal(size=pairs)
    rewards = np.stack([level + margins / 2, level - margins / 2], axis=1)
    return PlantedModel(
        labels=labels,
        prompts=prompts,
        contrasts={"length": lengths, "markdown": marks},
        rewards=rewards,
        moves=moves or {},
        late=late,
        groupings={"group": np.where(groups, "one", "other").astype(object)},
        elsewhere_above=elsewhere_above,
        seed=int(rng.integers(2**31)),
    )


#: Faults by name: how they are planted, the diagnosis that names each, and the size of the fault.
FAULTS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "likes length": ({"length": 0.5}, "form rewarded: length"),
    "likes length alone": ({"only_length": True}, "mostly form"),
    "does not read prompts": ({"elsewhere_above": 0.5}, "wrong prompt"),
    "is twice too sure": ({"sureness": 2.0}, "sureness"),
    "orders the other way round": ({"negated": True}, "order"),
    "likes a closing phrase": (
        {"moves": {"a closing phrase": 1.0}},
        "small changes: a closing phrase",
    ),
    "moves with spaces": (
        {"moves": {"spaces at line ends": 0.3}},
        "changes of form: spaces at line ends",
    ),
    "likes what is said twice": ({"moves": {"said twice": 0.5}}, "worse texts: said twice"),
    "knows at the end alone": ({"late": 0.5}, "delayed reward"),
    "serves one group worse": ({"worse_part": 0.2}, "worst part of the model: group"),
}
