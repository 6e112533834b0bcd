"""What composes, what is refused and how wrong options are answered."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter

from surefoot.errors import CompositionError, ConfigurationError
from surefoot.objectives import Facts, Objective, enforce, verdicts
from surefoot.objectives.validator.composition import RULES

FLIP = {"kind": "flip-corrected", "flip_rate": 0.2}
BALL = {"regularisers": [{"kind": "wasserstein", "radius": 0.5}]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "logstic"}, "did you mean 'logistic'"),
        ({"lss": "logistic"}, "did you mean 'loss'"),
        ({"loss": 3}, "got 3"),
        ({"labels": {"kind": "smoothed", "flip_rate": 0.5}}, "less than 0.5; got 0.5"),
        ({"labels": {"kind": "flip-corrected", "flip_rate": -0.1}}, "got -0.1"),
        ({"labels": {"kind": "smoothed", "fliprate": 0.1}}, "did you mean 'flip_rate'"),
        ({"labels": {"flip_rate": 0.1}}, "key 'kind'"),
        ({"labels": {"kind": "slack", "penalty": 0}}, "greater than 0; got 0"),
        ({"risk": {"kind": "cvar", "level": 1.5}}, "got 1.5"),
        ({"risk": {"kind": "group", "unit": "prompt"}}, "'group' or 'cluster'.* got 'prompt'"),
        ({"risk": {"kind": "kl", "trim": 0.5}}, "less than 0.5 or 'auto'; got 0.5"),
        ({"risk": {"kind": "tv", "estimate": "dual"}}, r"radius \* max L is no expectation"),
        ({"risk": {"kind": "kl", "dual_rate": 0}}, "got 0"),
        ({"risk": {"kind": "tv", "radius": 1.5}}, "less than or equal to 1 or 'auto'; got 1.5"),
        ({"risk": {"kind": "chi-squared", "radius": -0.1}}, "got -0.1"),
        ({"risk": {"kind": "kl", "radus": 0.1}}, "did you mean 'radius'"),
        ({"risk": {"kind": "soft-minimum", "temperature": -1}}, "got -1"),
        ({"risk": {"kind": "kl-penalised", "temperature": float("nan")}}, "got nan"),
        ({"risk": {"kind": "cvar", "unit": "pormpt"}}, "got 'pormpt'"),
        ({"loss": {"kind": "squared", "tau": -0.1}}, "got -0.1"),
        ({"regularisers": [{"kind": "chosen-likelihod", "weight": 1}]}, "did you mean"),
        ({"regularisers": [{"kind": "wasserstein", "radius": -0.5}]}, "greater than 0; got -0.5"),
        ({"regularisers": [{"kind": "wasserstein", "radius": 0}]}, "greater than 0; got 0"),
        ({"regularisers": ["wasserstein"]}, "needs the option 'radius'"),
        ({"regularisers": [{"kind": "reward-centring", "weight": 0}]}, "got 0"),
        ({"regularisers": ["reward-centring"]}, "needs the option 'weight'"),
    ],
)
def test_wrong_options_fail_at_construction(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Objective(**options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"labels": FLIP, "risk": "cvar"}, "picks out the very noise"),
        ({"labels": FLIP, "risk": "kl-penalised"}, "picks out the very noise"),
        ({"labels": FLIP, "risk": "soft-minimum"}, "unbiased in the mean only|no lower bound"),
        ({"labels": FLIP, "risk": {"kind": "soft-minimum", "unit": "group"}}, "no lower bound"),
        ({"labels": FLIP, "loss": "probit"}, "square of the margin"),
        ({"labels": "slack", "loss": "ramp"}, "caps the pull"),
        ({"labels": "slack", "loss": "hinge"}, "have no effect"),
        ({"labels": "forward-corrected", "loss": "hinge"}, "not the logarithm of a chance"),
        ({"risk": {"kind": "cvar", "unit_mass": "equal"}}, "discard the weights"),
        ({"risk": {"kind": "cvar", "clusters": 4}}, r"clusters \(4\) has no effect on pairs"),
        ({"labels": FLIP, "risk": {"kind": "mean", "trim": 0.2}}, "takes single pairs out"),
        ({"risk": {"kind": "cvar", "estimate": "dual", "unit": "group"}}, "'group' remembers"),
        ({"risk": {"kind": "cvar", "estimate": "dual", "trim": 0.1}}, "biased again"),
        ({"risk": {"kind": "cvar", "dual_rate": 0.2}}, "dual_rate has no effect"),
        ({"risk": {"kind": "mean", "regret": True}}, "no effect under the risk 'mean'"),
        (
            {"labels": "smoothed", "risk": {"kind": "kl", "unit": "group", "regret": True}},
            "labels 'smoothed' change it",
        ),
        ({**BALL, "risk": "cvar"}, "the risk 'cvar' weighs them anew"),
        ({**BALL, "risk": {"kind": "mean", "trim": 0.1}}, "trim weighs them anew"),
        ({**BALL, "loss": "hinge"}, "slope of margin loss 'hinge' jumps"),
        ({**BALL, "labels": "preference-ball"}, "label model 'preference-ball' jumps"),
        ({**BALL, "labels": FLIP}, "the square of a pair's slope is not"),
        ({"regularisers": 2 * BALL["regularisers"]}, "give one radius"),
    ],
)
def test_refused_whatever_the_data(options, reason):
    with pytest.raises(CompositionError, match=reason):
        Objective(**options)


@pytest.mark.parametrize(
    ("options", "facts", "reason"),
    [
        ({"labels": "preference-ball"}, {"soft_labels": False}, "no effect on hard labels"),
        ({"labels": "conditional-expectation"}, {"columns": frozenset()}, "'auxiliary'"),
        (
            {"regularisers": [{"kind": "chosen-likelihood", "weight": 0.1}]},
            {"scores": "rewards"},
            "is for a policy, and this scorer is a reward model",
        ),
        (
            {"regularisers": [{"kind": "reward-centring", "weight": 0.1}]},
            {"scores": "token sums"},
            "is for a reward model, and this scorer is a policy",
        ),
        (
            {"regularisers": [{"kind": "reward-centring", "weight": 0.1}]},
            {"scores": "rewards", "frozen": True},
            "ridge penalty",
        ),
        ({"risk": {"kind": "cvar", "unit": "group"}}, {"columns": frozenset()}, "'group'"),
        (
            {"labels": FLIP, "risk": {"kind": "cvar", "unit": "group"}},
            {"smallest_unit": 3},
            "the smallest has 3 pair",
        ),
        (
            {"loss": {"kind": "squared", "length_normalised": True}},
            {"scores": "rewards"},
            "sum over tokens",
        ),
        ({"labels": FLIP}, {"linear": True, "l2": 0.0}, "l2 is 0"),
        ({"risk": {"kind": "kl", "estimate": "dual"}}, {"frozen": True}, "'step' is exact there"),
        ({"risk": "group"}, {"frozen": True}, "tv, radius: 1, unit: group"),
        (
            {"risk": {"kind": "kl", "unit": "group", "regret": True}},
            {"columns": frozenset({"group"})},
            "Regret needs .* 'auxiliary'",
        ),
        (BALL, {"frozen": True, "linear": False}, "it is for the linear one"),
        (BALL, {"frozen": True, "linear": True, "by_source": True}, "scorer.source_aware"),
        (BALL, {"scores": "token sums"}, "is for a reward model, and this scorer is a policy"),
        (BALL, {"scores": "margins"}, "this scorer is a model that judges pairs"),
    ],
)
def test_refused_once_the_facts_are_known(options, facts, reason):
    objective = Objective(**options)
    with pytest.raises(CompositionError, match=reason):
        enforce(objective, Facts(**facts))


@pytest.mark.parametrize(
    ("options", "facts", "reason"),
    [
        ({"risk": "cvar"}, {}, "flipped labels fit worst"),
        ({"risk": {"kind": "soft-minimum", "unit": "group"}}, {}, "gives up"),
        ({"labels": "smoothed", "risk": "soft-minimum"}, {}, "same threat"),
        ({"loss": "hinge"}, {}, "not calibrated"),
        ({"labels": FLIP}, {"linear": False}, "watch the margins"),
        (
            {"labels": "slack", "risk": {"kind": "kl", "unit": "group", "trim": 0.2}},
            {},
            "Labels 'slack' and trim answer the same threat",
        ),
        (
            {"risk": {"kind": "kl", "unit": "source"}},
            {"smallest_unit": 1},
            r"smallest source has 1 pair\(s\):",
        ),
        (
            {"risk": {"kind": "kl", "unit": "source"}},
            {"smallest_unit": 0.25, "step": 16},
            r"0.25 pair\(s\) in a step of 16, on average",
        ),
        (
            {"risk": {"kind": "kl", "radius": 1.7, "unit": "group"}},
            {"smallest_share": 0.2},
            r"these groups \(from 1.61 on\)",
        ),
    ],
)
def test_warned(options, facts, reason):
    (warning,) = enforce(Objective(**options), Facts(**facts))
    assert re.search(reason, warning)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"labels": FLIP},
        {"labels": FLIP, "loss": "squared"},
        {"labels": {"kind": "flip-corrected", "flip_rate": 0.0}, "risk": {"kind": "mean"}},
        {"labels": FLIP, "risk": {"kind": "cvar", "unit": "group"}},
        {"labels": "conditional-expectation", "risk": "cvar"},
        {"labels": "smoothed", "risk": {"kind": "kl-penalised", "unit": "source"}},
        {"risk": {"kind": "chi-squared", "unit": "group", "trim": 0.2}},
        {"risk": {"kind": "cvar", "trim": 0.2}},
        {"labels": "conditional-expectation", "risk": {"kind": "tv", "regret": True}},
    ],
)
def test_allowed(options):
    facts = Facts(
        soft_labels=True,
        columns=frozenset({"group", "source", "auxiliary"}),
        smallest_unit=200,
        scores="rewards",
        l2=0.1,
        linear=True,
    )
    assert enforce(Objective(**options), facts) == ()


def test_every_rule_has_a_case_above():
    """A rule that never fires would be a promise that nobody keeps."""
    cases = [
        mark.args[1]
        for test in (
            test_refused_whatever_the_data,
            test_refused_once_the_facts_are_known,
            test_warned,
        )
        for mark in test.pytestmark
    ]
    fired = set()
    for rows in cases:
        for row in rows:
            facts = Facts(**row[1]) if isinstance(row[1], dict) else Facts()
            objective = Objective.model_construct(**{**dict(Objective()), **_parsed(row[0])})
            fired |= {rule for rule in RULES if rule(objective, facts)}
    assert fired == set(RULES)


def _parsed(options):
    slots = Objective.model_fields
    return {
        name: TypeAdapter(slots[name].annotation).validate_python(given)
        for name, given in options.items()
    }


def test_verdicts_put_refusals_first():
    objective = Objective.model_construct(
        **{**dict(Objective()), **_parsed({"loss": "hinge", "labels": FLIP, "risk": "cvar"})}
    )
    outcomes = [verdict.outcome for verdict in verdicts(objective)]
    assert outcomes == sorted(outcomes)
    assert outcomes[0] == "refused"


def test_an_objective_survives_its_own_description():
    objective = Objective(labels=FLIP, risk={"kind": "cvar", "unit": "group", "level": 0.3})
    assert Objective(**objective.model_dump()) == objective
    assert "cvar(level=0.3) over groups of flip-corrected" in objective.describe()
