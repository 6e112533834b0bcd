"""Which groups of prompts a policy is trained for: the adversary of robust policy optimisation.

Mandal et al., Distributionally Robust RLHF (2503.00539): a policy is to do well on the worst
distribution q of prompts near the training distribution p,

    max over pi of  min over q near p of  sum_g q_g J_g(pi),
    J_g = mean over prompts x of g of  E_pi[r - beta log(pi / pi_ref)] - E_ref[r].

The inner minimum is a :class:`~surefoot.objectives.Risk` of the losses -J_g, and the gradient is
that of sum_g q_g J_g with q fixed (Danskin): the advantages of prompts of g, and their KL, count
q_g / p_g times.

* Rewards of a Bradley-Terry model are known up to a constant for each prompt. E_ref[r], what the
  reference gets on the same prompt, takes it away: without it the adversary picks the prompts with
  a low constant.
* A step holds a few prompts, whose J is mostly noise. J_g is a running mean over the steps before,
  so the weights do not depend on the samples that they weigh. Until each group was seen often
  enough, the weights go only part of the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from surefoot.errors import ConfigurationError
from surefoot.objectives import Risk
from surefoot.objectives.risk import State

#: What changes in a run, and the prefix of a risk's state beside it.
_RUNNING, _RISK = ("gains", "sums", "seen", "weights"), "risk/"


@dataclass
class Adversary:
    """The worst distribution over U groups of prompts, from running values of what each has gained.

    Running values `gains` (U,) are J_g; of a group that was not seen yet, the mean of the others.
    """

    risk: Risk  #: of the groups; its `unit_mass` is p
    names: Sequence[str]  #: of the groups
    mass: Tensor  #: (U,) training prompts of each group; kept as shares
    rate: float = 0.05  #: weight of one prompt in the running value of its group
    gains: Tensor = field(init=False)
    sums: Tensor = field(init=False)  #: (U,) gains before the weights so far are divided out
    seen: Tensor = field(init=False)  #: (U,) prompts that they rest on
    state: State = field(default_factory=dict)  #: of a stateful risk

    def __post_init__(self) -> None:
        if self.risk.properties.direction == "against noise":
            raise ConfigurationError(
                f"{self.risk.label()} takes weight from the groups that are served worst: it is "
                "for noisy labels. Policy optimisation takes a risk against shift, or the mean."
            )
        if len(self.names) < 2 and not self.neutral:
            raise ConfigurationError(
                f"all prompts are in one group ({self.names[0]!r}): {self.risk.label()} has "
                "nothing to weigh. Take risk: mean, or another unit."
            )
        counts = self.mass.double()
        self.mass = counts / counts.sum()
        if self.risk.stateful:
            equal = torch.full_like(self.mass, 1 / len(self.mass))
            start = equal if self.risk.unit_mass == "equal" else self.mass
            self.state = self.risk.begin(start, counts)
        self.gains = torch.zeros_like(self.mass)
        self.sums = torch.zeros_like(self.mass)
        self.seen = torch.zeros_like(self.mass)
        self.weights = self._weigh()

    @property
    def neutral(self) -> bool:
        """Whether every prompt counts once, whatever was seen."""
        return self.risk.properties.direction == "none" and self.risk.unit_mass == "pairs"

    @property
    def multipliers(self) -> Tensor:
        """q_g / p_g (U,) of each group, whose mean over the training prompts is 1."""
        if self.neutral:
            return torch.ones_like(self.mass)
        return self.weights / self.mass

    def update(self, groups: Tensor, gains: Tensor) -> None:
        """Take in what M prompts of these groups gained, and choose the worst distribution anew.

        A gain is the mean return over samples, less the reference's.
        """
        count = torch.zeros_like(self.mass).index_add(0, groups, torch.ones_like(gains).double())
        total = torch.zeros_like(self.mass).index_add(0, groups, gains.double())
        mean = total / count.clamp_min(1)
        kept = (1 - self.rate) ** count  # 1 where the step held none
        self.sums = kept * self.sums + (1 - kept) * mean
        self.seen = self.seen + count
        # Over the weights so far: a group that is seldom seen is not drawn to 0 for longer.
        known = self.seen > 0
        gains = self.sums / (1 - (1 - self.rate) ** self.seen).where(known, torch.ones_like(mean))
        typical = (self.mass * gains)[known].sum() / self.mass[known].sum()
        self.gains = gains.where(known, typical)
        self.weights = self._weigh()

    def remembered(self) -> dict[str, Tensor]:
        """All that changes in a run, for a checkpoint."""
        own = {name: getattr(self, name) for name in _RUNNING}
        return own | {f"{_RISK}{name}": value for name, value in self.state.items()}

    def remember(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what a checkpoint holds."""
        for name in _RUNNING:
            setattr(self, name, saved[name])
        cut = len(_RISK)
        self.state = {n[cut:]: value for n, value in saved.items() if n.startswith(_RISK)}

    def _weigh(self) -> Tensor:
        """The worst distribution q (U,), or a point on the way to it, also in the ball."""
        found = self.risk(-self.gains, self.mass, None, self.state)
        self.state = found.state
        return found.unit_mass + self.trust * (found.unit_weights - found.unit_mass)

    @property
    def trust(self) -> float:
        """How far to go: 1 once each group was seen 1 / rate times."""
        return min(1.0, self.rate * float(self.seen.min()))
