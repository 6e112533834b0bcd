"""What risks compose with."""

from __future__ import annotations

from surefoot.objectives.balls import Ball
from surefoot.objectives.duals import EstimatedRisk
from surefoot.objectives.margin_loss import MarginLoss
from surefoot.objectives.members import Members
from surefoot.objectives.validator.facts import Facts, Rule, Verdict, refused, warned

#: Fewest pairs per unit at which a signed correction has averaged out enough to be compared.
PAIRS_PER_UNIT_FOR_SIGNED = 30


def _direction(objective: Members) -> str:
    return objective.risk.properties.direction


def signed_under_a_supremum(objective: Members, facts: Facts) -> Verdict | None:
    """Signed corrections hold in the mean; a risk over pairs re-selects what they cancel."""
    if not objective.labels.is_signed(objective.loss) or not objective.risk.adaptive:
        return None
    if objective.risk.trim:
        return refused(
            f"Labels {objective.labels.kind!r} are unbiased in the mean only, and trim takes "
            "single pairs out of it. Leave one of them: they answer the same threat."
        )
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
    return refused(
        f"Labels {objective.labels.kind!r} are unbiased in the mean only, and a risk over {size} "
        "picks out the very noise that they cancel. Average them inside units of at least "
        f"{PAIRS_PER_UNIT_FOR_SIGNED} pairs (risk.unit: source or group), or use labels "
        "'conditional-expectation', or the risk 'mean'."
    )


def soft_minimum_without_floor(objective: Members, facts: Facts) -> Verdict | None:
    """A soft minimum runs away with a loss that has no lower bound."""
    falls = objective.labels.growth(objective.loss) != "none"
    if not falls or _direction(objective) != "against noise":
        return None
    return refused(
        f"The loss {objective.loss.kind!r} under labels {objective.labels.kind!r} has no lower "
        "bound, and a soft minimum puts all weight on what falls fastest. Use the risk 'mean', "
        "or labels 'smoothed'."
    )


def equal_mass_of_pairs(objective: Members, facts: Facts) -> Verdict | None:
    """Each pair is its own unit: equal mass would only throw the data's weights away."""
    if objective.risk.unit_mass != "equal" or objective.risk.unit != "pair":
        return None
    return refused(
        "unit_mass 'equal' over single pairs would only discard the weights of the data. Set "
        "risk.unit, or leave unit_mass at 'pairs'."
    )


def clusters_of_another_unit(objective: Members, facts: Facts) -> Verdict | None:
    """A number of clusters where the units are others."""
    risk = objective.risk
    if risk.unit == "cluster" or risk.clusters == type(risk).model_fields["clusters"].default:
        return None
    return refused(
        f"risk.clusters ({risk.clusters}) has no effect on {risk.unit}s: set risk.unit to cluster."
    )


def hard_pairs_are_often_mislabelled(objective: Members, facts: Facts) -> Verdict | None:
    """Against shift, over pairs: label noise gains weight too."""
    expected = "auxiliary" in objective.labels.properties.needs
    over_pairs = _direction(objective) == "against shift" and objective.risk.unit == "pair"
    if not over_pairs or expected or objective.risk.trim:
        return None
    return warned(
        f"The risk {objective.risk.kind!r} over single pairs gives weight to pairs that fit badly, "
        "and flipped labels fit worst of all. Use risk.unit: source or group, or labels "
        "'conditional-expectation'."
    )


def ball_of_every_distribution(objective: Members, facts: Facts) -> Verdict | None:
    """A radius that reaches every distribution over the units leaves the largest loss alone."""
    risk = objective.risk
    if not isinstance(risk, Ball) or risk.is_auto or facts.smallest_share is None:
        return None
    if risk.size < (largest := risk.largest_radius(facts.smallest_share)):
        return None
    return warned(
        f"The radius {risk.size:g} reaches every distribution over these {risk.unit}s (from "
        f"{largest:.3g} on): the risk is the worst {risk.unit} alone."
    )


def distrusting_whole_units(objective: Members, facts: Facts) -> Verdict | None:
    """Against noise, over large units: the units that fit badly are given up."""
    if _direction(objective) != "against noise" or objective.risk.unit == "pair":
        return None
    return warned(
        f"The risk {objective.risk.kind!r} over {objective.risk.unit}s gives up the "
        f"{objective.risk.unit}s that fit badly; label noise sits in pairs (risk.unit: pair)."
    )


def two_remedies_for_one_threat(objective: Members, facts: Facts) -> Verdict | None:
    """Two of: labels that are robust to flips, a soft minimum, trimming."""
    remedies = [
        f"labels {objective.labels.kind!r}"
        if objective.labels.properties.threat == "flipped labels"
        else "",
        f"the risk {objective.risk.kind!r}" if _direction(objective) == "against noise" else "",
        "trim" if objective.risk.trim else "",
    ]
    named = " and ".join(filter(None, remedies))
    if " and " not in named:
        return None
    return warned(
        f"{named[0].upper()}{named[1:]} answer the same threat; together they distrust hard pairs "
        "twice."
    )


def memory_without_steps(objective: Members, facts: Facts) -> Verdict | None:
    """Weights that move from step to step, where all data are seen at once."""
    if not objective.risk.properties.stateful or not facts.frozen:
        return None
    return refused(
        f"The weights of the risk {objective.risk.kind!r} move from step to step, and a head on "
        "frozen embeddings sees all data at once. What they tend to, the worst "
        f"{objective.risk.unit} alone, is solved exactly there: {{kind: tv, radius: 1, unit: "
        f"{objective.risk.unit}}}."
    )


def running_duals(objective: Members, facts: Facts) -> Verdict | None:
    """Running dual variables are unbiased for losses of whole units, drawn in steps."""
    risk = objective.risk
    if not isinstance(risk, EstimatedRisk):
        return None
    if risk.estimate != "dual":
        if risk.dual_rate == EstimatedRisk.model_fields["dual_rate"].default:
            return None
        return refused("risk.dual_rate has no effect under the estimate 'step': set it to 'dual'.")
    if facts.frozen:
        why = (
            "a head on frozen embeddings sees all the data at once, and the estimate 'step' is "
            "exact there"
        )
    elif risk.unit not in ("pair", "prompt"):
        why = (
            f"a step holds a few pairs of each {risk.unit}, and the mean loss of a few pairs is no "
            f"unbiased input of a dual. The risk 'group' remembers {risk.unit}s from step to step"
        )
    elif risk.trim:
        why = "trim is taken over the step, which is biased again"
    else:
        return None
    return refused(f"The estimate 'dual' goes with no such run: {why}.")


def regret_without_floor(objective: Members, facts: Facts) -> Verdict | None:
    """Regrets need a risk that looks at them, and a least loss that is known."""
    if not objective.risk.regret:
        return None
    loss, labels = objective.loss, objective.labels
    if not objective.risk.adaptive:
        why = f"regret has no effect under the risk {objective.risk.kind!r}, which looks at no loss"
    elif type(loss).irreducible is MarginLoss.irreducible:
        why = f"{loss.label()} does not say what its least expected loss is (`irreducible`)"
    elif not labels.properties.plain_expectation:
        why = (
            f"regret subtracts the least that the loss {loss.kind!r} can be on average, and labels "
            f"{labels.kind!r} change it. Use 'observed' or 'conditional-expectation'"
        )
    elif facts.columns is not None and "auxiliary" not in facts.columns:
        why = (
            "regret needs P(a preferred) in the column 'auxiliary', which is not in the data "
            "(surefoot sample makes it)"
        )
    else:
        return None
    return refused(f"{why[0].upper()}{why[1:]}.")


def a_unit_of_one_pair(objective: Members, facts: Facts) -> Verdict | None:
    """A source, group or cluster of a single pair has a weight that hangs on a single label."""
    risk, smallest = objective.risk, facts.smallest_unit
    if risk.unit in ("pair", "prompt") or not risk.adaptive or smallest is None or smallest > 1:
        return None
    where = f" in a step of {facts.step}, on average" if facts.step else ""
    return warned(
        f"The smallest {risk.unit} has {smallest:.2g} pair(s){where}: its weight follows single "
        f"labels. Merge small {risk.unit}s; unit_mass 'pairs' gives them less weight."
    )


RULES: tuple[Rule, ...] = (
    signed_under_a_supremum,
    soft_minimum_without_floor,
    equal_mass_of_pairs,
    clusters_of_another_unit,
    hard_pairs_are_often_mislabelled,
    ball_of_every_distribution,
    distrusting_whole_units,
    two_remedies_for_one_threat,
    memory_without_steps,
    running_duals,
    regret_without_floor,
    a_unit_of_one_pair,
)
