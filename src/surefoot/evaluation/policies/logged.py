"""The value of a policy on sets of logged comparisons, by its models and its samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.data.schema import Preferences
from surefoot.evaluation.pairs.overlap import prompt_overlap
from surefoot.evaluation.pairs.result import SCHEMA_VERSION
from surefoot.evaluation.policies.samples import Samples, log_ratios, sampled_auxiliary
from surefoot.evaluation.policies.value import PolicyValue, RatioOptions, policy_value
from surefoot.evaluation.policies.value_verdict import verdict
from surefoot.scorers import TrainedScorer


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
