"""What an ensemble of reward models is made of: options, and the YAML file that holds them."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from surefoot.boundary.yaml_texts import yaml_file
from surefoot.errors import ConfigurationError
from surefoot.options import READS, Options
from surefoot.runs import seed_folders
from surefoot.scorers import storage
from surefoot.scorers.pessimism import MeanOfMembers, Pessimism

#: What tells the file of an ensemble from other YAML files, misspelt or not.
_SIGN = "members"


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
