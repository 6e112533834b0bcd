"""What an ensemble of reward models is made of: options, and the YAML file that holds them.

Pessimism is that of Coste et al., Reward Model Ensembles Help Mitigate Overoptimization
(2310.02743). Where members disagree, one of them is wrong, and a policy that looks for high rewards
finds that place: a reward below the members' mean there takes the prize away.
"""

from __future__ import annotations

from abc import abstractmethod
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from surefoot.arrays import Floats
from surefoot.boundary.yaml_texts import yaml_file
from surefoot.errors import ConfigurationError
from surefoot.options import READS, Member, Options
from surefoot.runs import seed_folders
from surefoot.scorers import storage

#: What tells the file of an ensemble from other YAML files, misspelt or not.
_SIGN = "members"


class Pessimism(Member, slot="pessimism"):
    """A rule that joins rewards (..., K) of K members, on one scale, into one reward (...)."""

    def __call__(self, rewards: Floats) -> Floats:
        """The reward (...) of each response, from those of the members (..., K)."""
        return np.asarray(self._joined(rewards))

    @abstractmethod
    def _joined(self, rewards: Floats) -> Floats: ...


class MeanOfMembers(Pessimism, kind="mean"):
    """r = 1/K sum_k r_k: none."""

    def _joined(self, rewards: Floats) -> Floats:
        return rewards.mean(-1)


class WorstCase(Pessimism, kind="worst-case"):
    """r = min_k r_k: worst-case optimisation (WCO).

    The zero of a member counts: one whose rewards are lower on all responses decides alone.
    """

    def _joined(self, rewards: Floats) -> Floats:
        return rewards.min(-1)


class VariancePenalised(Pessimism, kind="variance-penalised"):
    """r = mean_k r_k - coefficient * var_k r_k: uncertainty-weighted optimisation (UWO).

    The variance is that of the K members (divided by K), as in the paper and in its code for
    best-of-n; its code for PPO divides by K - 1.
    """

    coefficient: float = Field(0.5, ge=0)
    """Weight of the variance (lambda; the paper: 0.5 for best-of-n, 0.1 for PPO), in 1 / reward."""

    def _joined(self, rewards: Floats) -> Floats:
        return rewards.mean(-1) - self.coefficient * rewards.var(-1)


class EnsembleOptions(Options):
    """Reward models that are used as one; a YAML file of these is named like a run folder."""

    title: ClassVar[str] = "an ensemble"
    kind: ClassVar[str] = "ensemble"
    pairwise: ClassVar[bool] = False

    members: Annotated[tuple[str, ...], READS] = Field(min_length=1)
    """Run folders or transformers models; paths are looked for beside the file of the ensemble, and
    then from where you are. A folder of seeds stands for all of them, a run with several heads
    (`scorer.members`) for each of its heads."""
    pessimism: Pessimism = MeanOfMembers()
    """How the members' rewards become one: `mean`, `worst-case` (WCO) or
    `{kind: variance-penalised, coefficient: 0.5}` (UWO)."""
    calibration: Annotated[tuple[str, ...], READS] = ()
    """Pairs that set the members' zero and scale, and where they have labels the temperature too;
    some hundreds do. Absent: the zero and scale of each member's own training data."""
    flip_rate: float | None = Field(None, ge=0, lt=0.5)
    """Share of the calibration pairs' labels taken to be flipped, for the temperature.
    Absent: the rate that the members were trained with, where all name the same."""


def is_ensemble(place: str | Path) -> bool:
    """Whether this is the YAML file of an ensemble."""
    path = Path(place)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return False
    given = yaml_file(path, "the ensemble in")
    return isinstance(given, dict) and bool(get_close_matches(_SIGN, map(str, given), 1, 0.8))


def read_ensemble(place: str | Path) -> EnsembleOptions:
    """The options in the YAML file of an ensemble, whose paths are found from its folder."""
    file = Path(place)
    options = EnsembleOptions(**yaml_file(file, "the ensemble in"))

    def found(places: tuple[str, ...]) -> tuple[str, ...]:
        beside = [(file.parent / one, one) for one in places]
        return tuple(str(path) if path.exists() else one for path, one in beside)

    own = {"members": found(options.members), "calibration": found(options.calibration)}
    return options.model_copy(update=own)


def member_places(options: EnsembleOptions) -> list[str]:
    """Where the members lie, a folder of seeds resolved into its seeds.

    Raises:
        ConfigurationError: a member is an ensemble itself.
    """
    places: list[str] = []
    for place in options.members:
        if is_ensemble(place):
            raise ConfigurationError(
                f"{place} is an ensemble: name its members themselves, so that each counts once."
            )
        alone = (Path(place) / storage.DESCRIPTION).is_file()
        seeds = [] if alone else seed_folders(place)
        places += [str(path) for path in seeds] or [place]
    return places
