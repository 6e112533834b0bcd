"""What regularisers compose with."""

from __future__ import annotations

from surefoot.objectives.members import Members
from surefoot.objectives.regulariser import ScoreKind
from surefoot.objectives.regularisers.wasserstein import Wasserstein
from surefoot.objectives.validator.facts import Facts, Rule, Verdict, refused

#: Who gives what.
_SCORERS: dict[ScoreKind, str] = {
    "rewards": "a reward model",
    "token sums": "a policy",
    "margins": "a model that judges pairs",
}


def regulariser_of_another_scorer(objective: Members, facts: Facts) -> Verdict | None:
    """A penalty on something that this scorer does not have."""
    for regulariser in objective.regularisers:
        if facts.frozen:
            if regulariser.of_linear_heads:
                continue
            return refused(
                f"{regulariser.label()} is for language models; a head on frozen embeddings has "
                "its ridge penalty (scorer.head.l2), and its rewards are standardised."
            )
        if facts.scores is not None and facts.scores != regulariser.needs:
            return refused(
                f"{regulariser.label()} is for {_SCORERS[regulariser.needs]}, and this scorer is "
                f"{_SCORERS[facts.scores]}."
            )
    return None


def gradient_norm_of_another_form(objective: Members, facts: Facts) -> Verdict | None:
    """A Wasserstein ball where the norm of the loss's gradient is unknown or not differentiable."""
    if objective.wasserstein is None:
        return None
    loss, labels, risk = objective.loss, objective.labels, objective.risk
    if sum(isinstance(one, Wasserstein) for one in objective.regularisers) > 1:
        why = "there is one ball around the data: give one radius"
    elif risk.adaptive:
        moved = f"the risk {risk.kind!r}" if risk.properties.direction != "none" else "trim"
        why = (
            f"the ball is around the data as they are, and {moved} weighs them anew with every "
            "move. Use the risk 'mean', or leave the regulariser out"
        )
    elif not (loss.properties.smooth and labels.smooth):
        member = labels.label() if loss.properties.smooth else loss.label()
        why = (
            f"the slope of {member} jumps, so that the norm of the gradient has no gradient to "
            "follow there. Use a smooth one, such as the loss 'logistic' or labels 'smoothed'"
        )
    elif labels.is_signed(loss):
        why = (
            f"labels {labels.kind!r} are unbiased in the mean only, and the square of a pair's "
            "slope is not. Use labels 'conditional-expectation' or 'smoothed'"
        )
    elif facts.frozen and facts.linear is False:
        why = (
            "of heads on frozen embeddings it is for the linear one, whose gradient is the same "
            "for all pairs but for the slope of the loss"
        )
    elif facts.by_source:
        why = (
            "with scorer.source_aware a change of a text moves the shared features and the copy of "
            "its source together, and the norm of the head's weights is not that of its gradient"
        )
    else:
        return None
    return refused(f"{Wasserstein.label()} is refused here: {why}.")


RULES: tuple[Rule, ...] = (
    regulariser_of_another_scorer,
    gradient_norm_of_another_form,
)
