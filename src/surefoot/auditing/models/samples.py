"""What a policy wrote, as diagnostics of a reward model read it: rewards and form of responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from surefoot.arrays import Bools, Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, RowScores
from surefoot.auditing.features import FEATURES
from surefoot.data.text import last_turn, to_text
from surefoot.statistics.dependence import FEWEST_CLUSTERS

if TYPE_CHECKING:  # reading samples takes torch
    from surefoot.evaluation.policies.samples import Samples
    from surefoot.scorers.trained import TrainedScorer


class SampledMaterial(Protocol):
    """What diagnostics read of a reward model, on N comparisons and on what a policy wrote."""

    @property
    def labels(self) -> Floats:
        """P(a preferred) as labelled, (N,)."""

    @property
    def weights(self) -> Floats:
        """Of rows, (N,)."""

    @property
    def prompts(self) -> Ints:
        """Key of each row's prompt, (N,): what rows share."""

    @property
    def contrasts(self) -> dict[str, Floats]:
        """By feature of form, that of response a less that of response b, (N,)."""

    @property
    def rewards(self) -> Floats:
        """Of both responses, (N, 2)."""

    @property
    def samples(self) -> PolicySamples | None:
        """What a policy wrote; None where nothing is given."""


@dataclass(frozen=True)
class PolicySamples:
    """R responses of one policy to P prompts, two or more to each, and what they are worth."""

    keys: Ints  #: (P,) of the prompts
    prompt: Ints  #: (R,) number of each response's prompt, 0 to P - 1, in order
    rewards: Floats  #: (R,)
    features: dict[str, Floats]  #: of form, by name, (R,)
    members: Floats | None = None  #: (R, M) rewards by each member of an ensemble
    gold: Floats | None = None  #: (R,) what is wanted, where that is known
    gold_name: str = "the gold reward"  #: what it is called
    cautions: tuple[str, ...] = field(default=())  #: sentences on how they were drawn

    @property
    def counts(self) -> Ints:
        """Responses to each prompt, (P,)."""
        return np.bincount(self.prompt, minlength=len(self.keys))

    def each(self, values: Floats) -> list[Floats]:
        """Values (R, ...) of the responses to each prompt."""
        return np.split(values, np.cumsum(self.counts)[:-1])

    def rows(self, prompts: Ints, mask: Bools, scores: Floats) -> RowScores | None:
        """The rows of data that ask the prompts of a mask (P,), the highest scores (P,) first.

        Args:
            prompts: (N,) keys of the rows' prompts.
            mask: (P,) which prompts are concerned.
            scores: (P,) in [0, 1].
        """
        known = {int(k): float(s) for k, s in zip(self.keys[mask], scores[mask], strict=True)}
        rows = np.array([i for i, key in enumerate(prompts.tolist()) if key in known], dtype=int)
        if not len(rows):
            return None
        found = np.array([known[int(key)] for key in prompts[rows]])
        order = np.argsort(-found, kind="stable")
        return RowScores(rows[order], found[order])


def missing(
    diagnostic: Diagnostic, samples: PolicySamples | None, responses: int = 2, what: str = ""
) -> Lacking | None:
    """What samples lack for a diagnostic that reads so many `responses` to a prompt."""
    if samples is None:
        return Lacking(f"{diagnostic.name}: samples of a policy (--policy MODEL or FILE){what}.")
    prompts = int((samples.counts >= responses).sum())
    if prompts >= FEWEST_CLUSTERS:
        return None
    return Lacking(
        f"{diagnostic.name}: {responses} responses of the policy to each of {FEWEST_CLUSTERS} "
        f"prompts; there are as many to {prompts}."
    )


def policy_samples(
    model: TrainedScorer,
    samples: Samples,
    gold: TrainedScorer | None = None,
    gold_name: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> PolicySamples:
    """Score what a policy wrote, each response by the model and by what stands in for gold.

    Args:
        model: the one that is audited.
        samples: of a policy, read from a file. Prompts with one response are left out.
        gold: a model whose reward stands for what is wanted; None: the column `gold`, if all
            responses have one.
        gold_name: what it is called.
        say: is called with lines on what is left out.

    Raises:
        ConfigurationError: a model judges pairs, and has no reward of a response alone.
        DataError: no prompt has two responses, or a reward is not finite.
    """
    from surefoot.errors import DataError
    from surefoot.scorers.trained import member_rewards_of, rewards_of

    written = {key: one for key, one in samples.written.items() if len(one.responses) > 1}
    if not written:
        raise DataError(f"{samples.place}: no prompt has two responses: nothing to compare.")
    alone = len(samples.written) - len(written)
    if alone:
        say(f"{samples.place}: {alone} prompts with one response are left out")
    every = list(written.values())
    prompts, responses = [one.prompt for one in every], [one.responses for one in every]
    found = np.concatenate(member_rewards_of(model, prompts, responses, name=samples.place))
    wanted = None
    if gold is not None:
        wanted = np.concatenate(rewards_of(gold, prompts, responses, name=samples.place))
    elif all(len(one.gold) == len(one.responses) for one in every):
        wanted = np.concatenate([np.asarray(one.gold, dtype=np.float64) for one in every])
    asked = [last_turn(prompt.prompt) for prompt in prompts]
    texts = [[to_text(response) for response in own] for own in responses]
    cautions = []
    if samples.altered:
        cautions.append(f"The samples were drawn with {samples.altered}: not the policy as it is.")
    return PolicySamples(
        keys=np.array(list(written), dtype=np.int64),
        prompt=np.repeat(np.arange(len(every)), [len(own) for own in responses]),
        rewards=np.asarray(model.joined(found), dtype=np.float64),
        features=form(asked, texts),
        members=found if found.shape[1] > 1 else None,
        gold=wanted,
        gold_name=gold_name or "the gold reward",
        cautions=tuple(cautions),
    )


def form(asked: Sequence[str], texts: Sequence[Sequence[str]]) -> dict[str, Floats]:
    """Features of form, by name, (R,), of the responses to each of P prompts' last turns."""
    return {
        one.name: np.array(
            [one.measure(x, y) for x, own in zip(asked, texts, strict=True) for y in own]
        )
        for one in FEATURES
    }
