"""What `surefoot evaluate` is asked beside the accuracy on pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from surefoot.errors import ConfigurationError


@dataclass(frozen=True)
class Request:
    """The options of `surefoot evaluate` that ask for more than a model's accuracy on pairs.

    Raises:
        ConfigurationError: options that do not go together.
    """

    value: bool = False
    auxiliary: str | None = None
    samples: Sequence[Path] = ()
    against: Sequence[Path] = ()
    judge: str | None = None
    clip: tuple[float, float] | None = None
    self_normalise: bool = False
    yes: bool = False
    best_of_n: bool = False
    gold: str | None = None
    precision: str | None = None

    def __post_init__(self) -> None:
        asked = {
            "--value": self.value,
            "--judge": bool(self.judge),
            "--best-of-n": self.best_of_n,
        }
        if sum(asked.values()) > 1:
            named = " and ".join(name for name, given in asked.items() if given)
            raise ConfigurationError(f"{named} are several questions: ask one at a time.")
        if self.value and (self.auxiliary is None or len(self.samples) != 1):
            raise ConfigurationError(
                "--value needs --auxiliary (a run that gives P(preferred)) and one --samples (what "
                "the policy writes to the prompts of the data, from surefoot sample); got "
                f"{'no' if self.auxiliary is None else 'an'} auxiliary model and "
                f"{len(self.samples)} file(s) of samples."
            )
        if self.judge and not (self.samples and self.against):
            raise ConfigurationError(
                "a win rate needs --samples (of A), --against (of B) and --judge."
            )
        if self.best_of_n and len(self.samples) != 1:
            raise ConfigurationError(
                "--best-of-n needs one --samples (several responses to each prompt, from surefoot "
                f"sample); got {len(self.samples)}."
            )
        for given, name, needed in (
            (self.auxiliary, "--auxiliary", "--value"),
            (self.clip, "--clip", "--value"),
            (self.self_normalise, "--self-normalise", "--value"),
            (self.against, "--against", "--judge"),
            (self.yes, "--yes", "--judge"),
            (self.gold, "--gold", "--best-of-n"),
            (self.samples, "--samples", "--value or --judge or --best-of-n"),
        ):
            if given and not any(asked[option] for option in needed.split(" or ")):
                raise ConfigurationError(f"{name} has no effect without {needed}.")
        if len(self.against) not in (1, len(self.samples)) and self.judge:
            raise ConfigurationError(
                f"--samples names {len(self.samples)} file(s), one for each seed, and --against "
                f"{len(self.against)}: as many, or one for all."
            )
