"""The value of a policy on sets of logged comparisons, and what it says and does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from surefoot.data.schema import Preferences
from surefoot.evaluation.pairs.overlap import prompt_overlap
from surefoot.evaluation.policies.samples import Samples, log_ratios, sampled_auxiliary
from surefoot.evaluation.policies.value import (
    FEWEST_EFFECTIVE,
    PolicyValue,
    RatioOptions,
    policy_value,
)
from surefoot.scorers import TrainedScorer
from surefoot.statistics.estimate import SCHEMA_VERSION

Tone = Literal["good", "bad", "doubt"]

#: Below this share of the responses an effective size is called small.
_SMALL_SHARE = 0.1


@dataclass(frozen=True)
class ValueVerdict:
    """A sentence, how good the news is, and what a reader should know before believing it."""

    tone: Tone
    sentence: str
    points: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """What JSON says beside the figures."""
        return {"verdict": self.sentence, "points": list(self.points)}


@dataclass(frozen=True)
class LoggedValues:
    """What a policy is worth on sets of comparisons."""

    policy: str  #: what it is called
    auxiliary: str  #: what the model is called that says who is preferred
    samples: str  #: the file of what the policy writes
    sets: Mapping[str, PolicyValue]  #: the estimates, by the name of the set
    warnings: tuple[str, ...]  #: what speaks against them

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: the figures, and what to make of them."""
        results = {name: one.to_dict() | verdict(one).to_dict() for name, one in self.sets.items()}
        return {
            "schema_version": SCHEMA_VERSION,
            "policy": self.policy,
            "auxiliary": self.auxiliary,
            "samples": self.samples,
            "results": results,
            "warnings": list(self.warnings),
        }


def logged_values(
    policy: TrainedScorer,
    data: Mapping[str, Preferences],
    auxiliary: TrainedScorer,
    samples: Samples,
    *,
    options: RatioOptions | None = None,
    seen: Collection[int] = (),
    names: tuple[str, str] = ("the policy", "the auxiliary model"),
) -> LoggedValues:
    """Estimate the value of a policy on each set of logged comparisons.

    Args:
        policy: with its reference.
        data: comparisons by name.
        auxiliary: whose P(first preferred) is g; of other data.
        samples: what the policy writes to the prompts of the data.
        options: clipping and self-normalisation of the ratios; default: neither.
        seen: keys of the prompts that the auxiliary model was trained on.
        names: what to call both models.

    Raises:
        ConfigurationError: the model is no policy.
        DataError: a prompt without a sample.
    """
    sets, warnings = {}, []
    if samples.altered:
        warnings.append(
            f"{samples.place} was drawn with {samples.altered}: the direct estimate is of the "
            "policy as sampled, the ratios are of the policy as it is."
        )
    for name, preferences in data.items():
        ratios = log_ratios(policy, preferences)
        cut = 0 if policy.cuts is None else policy.cuts.marks.get("response-cut", 0)
        if cut:
            warnings.append(
                f"{name}: {cut} pairs lost the end of a response "
                "(max_length): their ratios are those of what is left."
            )
        if seen and (shared := prompt_overlap(seen, preferences).rows):
            warnings.append(
                f"{name}: the auxiliary model was trained on the prompts of {shared} of "
                f"{len(preferences)} pairs: its errors are smaller there than elsewhere."
            )
        sets[name] = policy_value(
            preferences.labels,
            auxiliary.probabilities(preferences),
            sampled_auxiliary(auxiliary, preferences, samples),
            ratios,
            preferences.prompt_keys(),
            options,
        )
    return LoggedValues(*names, samples.place, sets, tuple(warnings))


def verdict(value: PolicyValue) -> ValueVerdict:
    """Which estimate to read, what it says against the reference, and the cautions."""
    usable = value.doubly_robust.low is not None
    name, read = ("doubly robust", value.doubly_robust) if usable else ("direct", value.direct)
    side = read.side(0.5)
    against = {1: "preferred to its reference", -1: "less preferred than its reference"}
    tone: Tone = "doubt"
    if usable and side:
        tone = "good" if side > 0 else "bad"
    standing = against.get(side, "not distinguishable from its reference (1/2)")
    return ValueVerdict(
        tone, f"The policy is {standing}: {read} ({name}).", tuple(_points(value, usable))
    )


def _points(value: PolicyValue, usable: bool) -> list[str]:
    responses = 2 * value.n
    size = f"{value.effective:.1f} of {responses} responses (largest share {value.largest:.1%})"
    points = []
    if value.effective < FEWEST_EFFECTIVE:
        points.append(
            f"The ratios pi / pi_ref have an effective size of {size}: the importance and doubly "
            "robust estimates say nothing. The direct one is as right as the auxiliary model; no "
            "label corrects it. Policies that stay closer to their reference, shorter responses or "
            "more records help."
        )
    elif value.effective_share < _SMALL_SHARE:
        points.append(
            f"The ratios have an effective size of {size}. The intervals of the weighted estimates "
            "may be too narrow: what the policy writes most may not be in the data."
        )
    if side := value.mean_ratio.side(1.0):
        points.append(
            f"The mean ratio is {value.mean_ratio}, not 1: the responses were not drawn from this "
            "reference"
            + (", or what the policy writes is not among them." if side < 0 else ".")
            + ("" if value.options.self_normalise else " Self-normalised ratios suffer least.")
        )
    if usable and value.correction.side(0.0):
        points.append(
            f"The labels correct the direct estimate by {value.correction}: the auxiliary model is "
            "wrong where the policy writes, or the ratios are."
        )
    outside = [
        name.replace("_", " ")
        for name in ("importance", "doubly_robust")
        if (found := getattr(value, name).estimate) is not None and not 0 <= found <= 1
    ]
    if outside:
        points.append(
            f"Outside [0, 1] ({', '.join(outside)}): a weighted mean is not confined, and a few "
            "large ratios carry it there. It is left as it is: cutting it would bias it."
        )
    if value.options.clip is not None and any(value.clipped):
        raised, lowered = value.clipped
        points.append(
            f"Clipped: {raised:.1%} of the ratios raised, {lowered:.1%} lowered. Importance is "
            "biased by that, and doubly robust is right only where the auxiliary model is."
        )
    if value.direct.low is None:
        points.append(f"No interval: {value.direct.note}.")
    return points
