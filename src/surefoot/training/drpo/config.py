"""DRPO's place in a configuration: `objective: {kind: doubly-robust, ...}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from surefoot.errors import ConfigurationError
from surefoot.objectives import Objective
from surefoot.options import READS, Options


class DoublyRobust(Options):
    """The policy that is preferred to its reference most, less `scorer.beta` times its KL.

    DRPO (arXiv 2506.01183); :mod:`surefoot.objectives.doubly_robust` has the equations. In every
    step the policy writes responses, and an auxiliary preference model puts them against those of
    the data.
    """

    title: ClassVar[str] = "the objective 'doubly-robust'"

    kind: Literal["doubly-robust"] = "doubly-robust"
    """Mark of this objective beside those of margins."""
    auxiliary: Annotated[str, READS] = Field(min_length=1)
    """Run folder or model whose P(first preferred) is asked for every sample. Of the data's own
    pairs, the column `auxiliary` is taken where there is one (`surefoot sample` cross-fits it)."""
    samples: int = Field(4, ge=2, multiple_of=2)
    """K: responses that the policy writes to each prompt of a step."""
    max_new_tokens: int = Field(128, ge=1)
    """Tokens of a sample at most; one that reaches them is judged as it is."""
    clip: tuple[float, float] | None = (0.04, 2.5)
    """Smallest and largest ratio pi / pi_ref in the correction, as in the paper; null: as they
    are. What is clipped makes the correction wrong, and keeps single responses from ruling it."""
    batch: int = Field(64, ge=1)
    """Responses written at a time; which ones are drawn depends on it, as on the seed."""

    @field_validator("clip")
    @classmethod
    def _around_one(cls, clip: tuple[float, float] | None) -> tuple[float, float] | None:
        if clip is not None and not 0 <= clip[0] < 1 < clip[1]:
            raise ConfigurationError(
                "clip is [low, high] with 0 <= low < 1 < high, since the policy begins as its "
                f"reference, with ratios of 1; got {list(clip)!r}."
            )
        return clip

    @classmethod
    def relatives(cls) -> Iterable[type[Options]]:
        """Objectives of margins: an unknown option may be one of theirs."""
        return (Objective,)

    @property
    def known_flip_rate(self) -> float:
        """Share of labels that are taken to be flipped at random: none."""
        return 0.0

    def describe(self) -> str:
        """The objective in one line."""
        clip = f", ratios in {list(self.clip)}" if self.clip else ""
        return (
            f"doubly robust value less beta KL (DRPO): {self.samples} samples of each prompt, "
            f"judged by {self.auxiliary}{clip}"
        )
