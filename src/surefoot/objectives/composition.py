"""What composes: one validator that reads the declared properties of the members.

Each rule is a function from an objective and the facts known so far to a verdict or None. The
table of compositions in the documentation is made by running them over every combination.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from surefoot.errors import CompositionError
from surefoot.objectives.balls import Ball
from surefoot.objectives.regulariser import ScoreKind

if TYPE_CHECKING:
    from surefoot.objectives.objective import Objective

#: Fewest pairs per unit at which a signed correction has averaged out enough to be compared.
PAIRS_PER_UNIT_FOR_SIGNED = 30


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of data and scorer; None where it is not known yet.

    Attributes:
        soft_labels: whether any label is strictly between 0 and 1.
        columns: the optional columns that the data give.
        smallest_unit: number of pairs in the smallest unit, as the risk sees it: an expectation
            where units are spread over steps.
        smallest_share: share of the smallest unit in what the risk sees, or less.
        step: number of pairs in such a step; None: the risk sees units whole.
        scores: whether a response's score is one reward or a sum over its tokens, or whether there
            are only margins of pairs.
        l2: weight of the ridge penalty on a linear head; None for other scorers.
        linear: whether the scorer is linear in its parameters.
        frozen: whether it is a head on frozen embeddings.
    """

    soft_labels: bool | None = None
    columns: frozenset[str] | None = None
    smallest_unit: float | None = None
    smallest_share: float | None = None
    step: int | None = None
    scores: ScoreKind | None = None
    l2: float | None = None
    linear: bool | None = None
    frozen: bool | None = None


@dataclass(frozen=True)
class Verdict:
    """`warned` or `refused`, and why. No verdict at all means allowed."""

    outcome: Literal["warned", "refused"]
    reason: str


Rule = Callable[["Objective", Facts], Verdict | None]


def verdicts(objective: Objective, facts: Facts | None = None) -> tuple[Verdict, ...]:
    """Every verdict on an objective, refusals first."""
    facts = facts or Facts()
    found = [verdict for rule in RULES if (verdict := rule(objective, facts)) is not None]
    return tuple(sorted(found, key=lambda verdict: verdict.outcome))


def enforce(objective: Objective, facts: Facts | None = None) -> tuple[str, ...]:
    """Raise :class:`CompositionError` on a refusal, with its reason; return the warnings."""
    found = verdicts(objective, facts)
    for verdict in found:
        if verdict.outcome == "refused":
            raise CompositionError(f"refused: {objective.describe()}. {verdict.reason}")
    return tuple(verdict.reason for verdict in found)


def _signed(objective: Objective) -> bool:
    labels = objective.labels
    return labels.properties.signed and labels != labels.neutral(objective.loss)


def _direction(objective: Objective) -> str:
    return objective.risk.properties.direction


def signed_under_a_supremum(objective: Objective, facts: Facts) -> Verdict | None:
    """Signed corrections hold in the mean; a risk over pairs re-selects what they cancel."""
    if not _signed(objective) or _direction(objective) == "none":
        return None
    few = facts.smallest_unit is not None and facts.smallest_unit < PAIRS_PER_UNIT_FOR_SIGNED
    if objective.risk.unit != "pair" and not few:
        return None
    in_a_step = f" in a step of {facts.step}, on average" if facts.step else ""
    size = (
        "single pairs"
        if objective.risk.unit == "pair"
        else f"{objective.risk.unit}s of which the smallest has {facts.smallest_unit:.3g} "
        f"pair(s){in_a_step}"
    )
    return Verdict(
        "refused",
        f"Labels {objective.labels.kind!r} are unbiased in the mean only, and a risk over {size} "
        "picks out the very noise that they cancel. Average them inside units of at least "
        f"{PAIRS_PER_UNIT_FOR_SIGNED} pairs (risk.unit: source or group), or use labels "
        "'conditional-expectation', or the risk 'mean'.",
    )


def soft_minimum_without_floor(objective: Objective, facts: Facts) -> Verdict | None:
    """A soft minimum runs away with a loss that has no lower bound."""
    falls = objective.labels.growth(objective.loss) != "none"
    if not falls or _direction(objective) != "against noise":
        return None
    return Verdict(
        "refused",
        f"The loss {objective.loss.kind!r} under labels {objective.labels.kind!r} has no lower "
        "bound, and a soft minimum puts all weight on what falls fastest. Use the risk 'mean', "
        "or labels 'smoothed'.",
    )


def signed_and_falling(objective: Objective, facts: Facts) -> Verdict | None:
    """Signed labels on a loss that falls without limit need something that holds it."""
    growth = objective.labels.growth(objective.loss)
    if growth == "quadratic":
        limit = ", or set labels.margin_limit" if hasattr(objective.labels, "margin_limit") else ""
        return Verdict(
            "refused",
            f"Under labels {objective.labels.kind!r} the loss {objective.loss.kind!r} falls like "
            f"the square of the margin, which no small ridge penalty holds. Use 'logistic'{limit}.",
        )
    if growth == "linear" and facts.linear and facts.l2 == 0:
        return Verdict(
            "refused",
            f"Under labels {objective.labels.kind!r} the loss {objective.loss.kind!r} has no lower "
            "bound: it needs a ridge penalty, and l2 is 0.",
        )
    if growth == "linear" and facts.linear is False:
        return Verdict(
            "warned",
            f"Under labels {objective.labels.kind!r} the loss {objective.loss.kind!r} has no lower "
            "bound, and this scorer can move a margin alone: watch the margins, train briefly.",
        )
    return None


def slack_that_only_rescales(objective: Objective, facts: Facts) -> Verdict | None:
    """On a loss of one slope, capping the slope multiplies the loss by a number."""
    if not objective.labels.properties.needs_convex_loss or not objective.loss.properties.convex:
        return None
    if objective.loss.slack_point(0.3) != objective.loss.slack_point(0.6):
        return None
    return Verdict(
        "refused",
        f"Labels {objective.labels.kind!r} have no effect on {objective.loss.kind!r}: its slope is "
        "1 wherever it is not 0, so that capping it multiplies the loss by the penalty.",
    )


def equal_mass_of_pairs(objective: Objective, facts: Facts) -> Verdict | None:
    """Each pair is its own unit: equal mass would only throw the data's weights away."""
    if objective.risk.unit_mass != "equal" or objective.risk.unit != "pair":
        return None
    return Verdict(
        "refused",
        "unit_mass 'equal' over single pairs would only discard the weights of the data. Set "
        "risk.unit, or leave unit_mass at 'pairs'.",
    )


def slack_on_a_loss_that_is_not_convex(objective: Objective, facts: Facts) -> Verdict | None:
    """Slack is the convex envelope trick; on a bounded loss it has nothing to cap."""
    if not objective.labels.properties.needs_convex_loss or objective.loss.properties.convex:
        return None
    return Verdict(
        "refused",
        f"Labels {objective.labels.kind!r} need a convex loss; {objective.loss.kind!r} is bounded "
        "and caps the pull of a pair already.",
    )


def ball_around_hard_labels(objective: Objective, facts: Facts) -> Verdict | None:
    """A chi-squared ball around a hard label has no width."""
    if not objective.labels.properties.needs_soft_labels or facts.soft_labels is not False:
        return None
    return Verdict(
        "refused",
        f"Labels {objective.labels.kind!r} have no effect on hard labels, and every label here is "
        "0 or 1. Give soft labels or votes.",
    )


def missing_columns(objective: Objective, facts: Facts) -> Verdict | None:
    """A member that needs a column which the data do not have."""
    if facts.columns is None:
        return None
    unit = {objective.risk.unit} & {"source", "group"}
    for name in sorted(objective.labels.properties.needs | unit):
        if name not in facts.columns:
            user = "risk.unit" if name in unit else f"labels {objective.labels.kind!r}"
            return Verdict("refused", f"The column {name!r} that {user} needs is not in the data.")
    return None


def length_of_rewards(objective: Objective, facts: Facts) -> Verdict | None:
    """A reward is no sum over tokens: nothing to normalise."""
    sums = facts.scores in (None, "token sums")
    if not getattr(objective.loss, "length_normalised", False) or sums:
        return None
    given = "one margin per pair" if facts.scores == "margins" else "one reward per response"
    return Verdict(
        "refused",
        f"length_normalised divides a sum over tokens by their number; this scorer gives {given}.",
    )


#: Who gives what.
_SCORERS: dict[ScoreKind, str] = {
    "rewards": "a reward model",
    "token sums": "a policy",
    "margins": "a model that judges pairs",
}


def regulariser_of_another_scorer(objective: Objective, facts: Facts) -> Verdict | None:
    """A penalty on something that this scorer does not have."""
    for regulariser in objective.regularisers:
        if facts.frozen:
            return Verdict(
                "refused",
                f"{regulariser.label()} is for language models; a head on frozen embeddings has "
                "its ridge penalty (scorer.head.l2), and its rewards are standardised.",
            )
        if facts.scores is not None and facts.scores != regulariser.needs:
            return Verdict(
                "refused",
                f"{regulariser.label()} is for {_SCORERS[regulariser.needs]}, and this scorer is "
                f"{_SCORERS[facts.scores]}.",
            )
    return None


def hard_pairs_are_often_mislabelled(objective: Objective, facts: Facts) -> Verdict | None:
    """Against shift, over pairs: label noise gains weight too."""
    expected = "auxiliary" in objective.labels.properties.needs
    over_pairs = _direction(objective) == "against shift" and objective.risk.unit == "pair"
    if not over_pairs or expected:
        return None
    return Verdict(
        "warned",
        f"The risk {objective.risk.kind!r} over single pairs gives weight to pairs that fit badly, "
        "and flipped labels fit worst of all. Use risk.unit: source or group, or labels "
        "'conditional-expectation'.",
    )


def ball_of_every_distribution(objective: Objective, facts: Facts) -> Verdict | None:
    """A radius that reaches every distribution over the units leaves the largest loss alone."""
    risk = objective.risk
    if not isinstance(risk, Ball) or facts.smallest_share is None:
        return None
    if risk.radius < (largest := risk.largest_radius(facts.smallest_share)):
        return None
    return Verdict(
        "warned",
        f"The radius {risk.radius:g} reaches every distribution over these {risk.unit}s (from "
        f"{largest:.3g} on): the risk is the worst {risk.unit} alone.",
    )


def distrusting_whole_units(objective: Objective, facts: Facts) -> Verdict | None:
    """Against noise, over large units: the units that fit badly are given up."""
    if _direction(objective) != "against noise" or objective.risk.unit == "pair":
        return None
    return Verdict(
        "warned",
        f"The risk {objective.risk.kind!r} over {objective.risk.unit}s gives up the "
        f"{objective.risk.unit}s that fit badly; label noise sits in pairs (risk.unit: pair).",
    )


def two_remedies_for_one_threat(objective: Objective, facts: Facts) -> Verdict | None:
    """A soft minimum over labels that are already robust to flips."""
    if (
        _direction(objective) != "against noise"
        or objective.labels.properties.threat != "flipped labels"
    ):
        return None
    return Verdict(
        "warned",
        f"Labels {objective.labels.kind!r} and the risk {objective.risk.kind!r} answer the same "
        "threat; together they distrust hard pairs twice.",
    )


def margins_are_not_log_odds(objective: Objective, facts: Facts) -> Verdict | None:
    """Hinge and ramp settle near +-1: do not read probabilities off them."""
    if objective.loss.properties.calibrated:
        return None
    return Verdict(
        "warned",
        f"Margins trained with {objective.loss.kind!r} settle near 1 in absolute value: they order "
        "responses, but probabilities made of them are not calibrated.",
    )


RULES: tuple[Rule, ...] = (
    signed_under_a_supremum,
    soft_minimum_without_floor,
    signed_and_falling,
    slack_on_a_loss_that_is_not_convex,
    slack_that_only_rescales,
    equal_mass_of_pairs,
    ball_around_hard_labels,
    missing_columns,
    length_of_rewards,
    regulariser_of_another_scorer,
    hard_pairs_are_often_mislabelled,
    ball_of_every_distribution,
    distrusting_whole_units,
    two_remedies_for_one_threat,
    margins_are_not_log_odds,
)
